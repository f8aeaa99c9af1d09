"""Waiting for what other principals have to do."""

import time
from typing import TYPE_CHECKING

import click

from colima.runtime import ComputationState
from veracruz_shells.console import SecondsRange, note, progress

if TYPE_CHECKING:
    from durango.principal import Principal
    from durango.standing import ComputationStatus

wait_option = click.option(
    "--wait",
    type=SecondsRange(0, 7 * 86400),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait until the other principals have done their part.",
)


def wait_for(principal: "Principal", states: tuple[ComputationState, ...], wait_s: float) -> None:
    """Give the others `wait_s` seconds for what is theirs to do; each change of it is told.

    Args:
        principal: who waits.
        states: one of these is waited for, and all consents that the policy asks for.
        wait_s: how long; not at all if it is 0.
    """
    if not wait_s:
        return
    deadline = time.monotonic() + wait_s
    told = ""

    def tell(status: "ComputationStatus") -> None:
        nonlocal told
        if status.description != told:
            told = status.description
            note(f"{told} (for up to {deadline - time.monotonic():.0f} s)")

    with progress("waiting"):
        principal.wait_for(*states, timeout_s=wait_s, on_state=tell)
