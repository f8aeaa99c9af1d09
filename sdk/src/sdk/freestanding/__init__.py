"""Runs programs outside any isolate, on the same engine, and reports all that can be known of it.

This is for the author of a program and for data that are not secret: an isolate would never say
where a program trapped, or with what numbers. What decides is what decides in an isolate: the
computation of `mexico_city` (roles, orders, rounds), the limits of `execution_engine`, a process
of its own for the guest.

The modules, imported one by one, from the inside out: `messages` (between the two processes),
`guest` and `profiler` (the child), `process` (its parent's side), `terms` and `sources` (what is
allowed, and from where), `bench` (one computation: `run_freestanding`), `report` (what came of it),
`config` (the TOML file), `command` (the command line's work).
"""
