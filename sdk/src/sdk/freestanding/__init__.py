"""Runs programs outside any isolate, on the same engine, and reports all that can be known of it.

This is for the author of a program and for data nobody has to protect: an isolate would never tell
where a program trapped, or with what numbers. What decides is what decides in an isolate: the
computation of `mexico_city` (roles, orders, rounds), the limits of `execution_engine`, a process
of its own for the guest.

The modules, from the inside out: `messages` (between the two processes), `guest` (the child),
`process` (its parent's side), `terms` and `sources` (what is allowed, and from where), `bench` (one
computation), `report` (what came of it), `config` (the TOML file).
"""

from sdk.freestanding.bench import Options, run_freestanding
from sdk.freestanding.report import Ending, Report, Round
from sdk.freestanding.sources import Source
from sdk.freestanding.terms import Terms, terms_of_policy, terms_without_policy

__all__ = [
    "Ending",
    "Options",
    "Report",
    "Round",
    "Source",
    "Terms",
    "run_freestanding",
    "terms_of_policy",
    "terms_without_policy",
]
