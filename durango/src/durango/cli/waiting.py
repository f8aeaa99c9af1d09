"""Waiting for what other principals have to do."""

import time
from typing import TYPE_CHECKING, Final

import click

from colima.runtime import ComputationState
from durango.standing import description
from veracruz_shells.console import note, progress
from veracruz_utils.policy import Policy

if TYPE_CHECKING:
    from durango.principal import Principal

_POLL_S: Final = 0.2

wait_option = click.option(
    "--wait",
    type=click.FloatRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait until the other principals have done their part.",
)


def wait_for(
    principal: "Principal", policy: Policy, states: tuple[ComputationState, ...], wait_s: float
) -> None:
    """Give the others `wait_s` seconds for what is theirs to do; each change of it is told.

    Args:
        principal: who waits.
        policy: what the isolate holds.
        states: one of these is waited for, and all consents that the policy asks for.
        wait_s: how long; not at all if it is 0.
    """
    if not wait_s:
        return
    deadline = time.monotonic() + wait_s
    told = None
    with progress("waiting"):
        while True:
            found = principal.state()
            there = found.state in states and not found.consent_awaited
            if there or found.state is ComputationState.ERROR or time.monotonic() >= deadline:
                return
            words = description(found, policy)
            if words != told:
                note(f"{words} (for up to {deadline - time.monotonic():.0f} s)")
                told = words
            time.sleep(min(_POLL_S, wait_s))
