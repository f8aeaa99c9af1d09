"""The `veracruz` command: the newcomer's path."""

import signal
from types import FrameType
from typing import NoReturn

import click

from veracruz.demo import FIRST_ROWS, PROGRAM, Demo, DemoReport
from veracruz_shells.console import command_group, emit, json_option, note


@command_group(
    "veracruz",
    distribution="veracruz",
    help="Compute together without trusting each other.",
)
def main() -> None:
    """Be the group of the commands below."""


@main.command()
@json_option
def demo(*, as_json: bool) -> None:
    """Intersect two lists of people that neither owner shows, from end to end.

    Starts the attestation service, the root isolate and the bridge on this machine, each in a
    process of its own, and lets four principals compute: one provides the program, two a list each,
    one reads the result. Leaves nothing behind.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    with Demo(_note_step if as_json else _print_step) as demonstration:
        report = demonstration.run()
    facts = {
        "program": PROGRAM,
        "intersection_size": report.size,
        "first_rows": report.intersection[1 : FIRST_ROWS + 1],
        "policy_digest": report.policy_digest,
        "program_digest": report.program_digest,
        "result_digest": report.result_digest,
        "measurement": report.measurement,
        "seconds": round(report.seconds, 3),
    }
    emit(facts, _text(report), as_json=as_json)


def _print_step(line: str, seconds: float) -> None:
    click.echo(f"{seconds:6.2f} s  {line}")


def _note_step(line: str, seconds: float) -> None:
    note(f"{seconds:6.2f} s  {line}")


def _text(report: DemoReport) -> str:
    head, *rows = report.intersection
    more = report.size - FIRST_ROWS
    return "\n".join(
        [
            "",
            f"{report.size} people are on both lists; the first of them:",
            f"    {head}",
            *(f"    {row}" for row in rows[:FIRST_ROWS]),
            *([f"    ... and {more} more"] if more > 0 else []),
            "",
            f"policy       {report.policy_digest}",
            f"program      {report.program_digest}",
            f"result       {report.result_digest}",
            f"measurement  {report.measurement.hex()}",
            f"{report.seconds:.2f} s in all",
        ]
    )


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Leave as on Ctrl-C, by the way that cleans up."""
    raise KeyboardInterrupt
