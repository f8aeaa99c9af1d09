"""The `veracruz` command: the newcomer's path."""

import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Final, NoReturn

import click

from veracruz.checkup import SERVICES, examine
from veracruz.demo import FIRST_ROWS, PROGRAM, Demo, DemoReport
from veracruz.deployment import write_units
from veracruz.monitoring import write_monitoring
from veracruz_shells.console import CommandGroup, command_group, emit, json_option, note

_SLICE_S: Final = 0.5
_NEXT: Final = """
Next, as root, with these files below /etc (a package has them below /usr/lib):
    systemd-sysusers && systemd-tmpfiles --create
    /etc/veracruz/tabasco.toml, sonora.toml, sinaloa.toml: the settings ([serve] listen = ... at
        least for sinaloa), readable by everybody; policies go into /etc/veracruz/policies
    setpriv --reuid veracruz-sonora --regid veracruz-sonora --clear-groups \\
        sonora init --state /var/lib/veracruz-sonora    (without hardware that vouches)
    systemctl daemon-reload
    systemctl enable --now veracruz-tabasco veracruz-sonora veracruz-sinaloa"""


@command_group(
    "veracruz",
    distribution="veracruz",
    help="Compute together without trusting each other.",
)
def main() -> None:
    """Be the group of the commands below."""


assert isinstance(main, CommandGroup)
main.elsewhere = {
    "simulate": (
        "veracruz.simulation.command:simulate",
        "Do the whole computation of POLICY on this machine, on made-up data, with real services.",
    ),
}


@main.command()
@click.option(
    "--ui",
    "shows",
    is_flag=True,
    help="Show a page for each principal in place of doing their parts: do them yourself, in your "
    "browser. Ctrl-C ends it.",
)
@json_option
def demo(*, shows: bool, as_json: bool) -> None:
    """Intersect two lists of people that neither owner shows, from end to end.

    Starts the attestation service, the root isolate and the bridge on this machine, each in a
    process of its own, and lets four principals compute: one provides the program, two a list each,
    one reads the result. Leaves nothing behind.
    """
    if shows and as_json:
        raise click.UsageError("--ui and --json exclude each other: with --ui nothing is computed")
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    if shows:
        _show()
        return
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


@main.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder that stands for /etc; it is made if it is missing.",
)
@click.option(
    "--prefix",
    type=click.Path(path_type=PurePosixPath),
    default=lambda: PurePosixPath(sys.prefix),
    show_default="this one",
    help="The installation that the services are started from, such as a virtual environment.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@json_option
def units(*, output: Path, prefix: PurePosixPath, force: bool, as_json: bool) -> None:
    """Write systemd units for tabasco, sonora and sinaloa, with their users and folders.

    Each service has a user of its own and no more of the machine than it needs. Nothing is started
    or enabled.
    """
    written = write_units(output, prefix=prefix, force=force)
    lines = "\n".join(map(str, written))
    emit({"files": written, "prefix": str(prefix)}, f"{lines}\n{_NEXT}", as_json=as_json)


@main.command()
@click.option(
    "--service",
    "services",
    type=click.Choice(SERVICES),
    multiple=True,
    help="Look at this service.  [default: those with a unit or a file of settings]",
)
@json_option
@click.pass_context
def doctor(context: click.Context, *, services: tuple[str, ...], as_json: bool) -> None:
    """Look at this host and at the services that are set up on it, and say what to mend.

    Of the host what isolates need. Of each service its settings and unit, its folders and their
    rights, room on its disk, the database and its revision, certificates and their end, and whether
    it, its peers and its metrics answer. Nothing is started or changed. Exit status 1 if something
    has to be mended.
    """
    checkup = examine(services)
    emit(checkup.as_json(), checkup.as_text(), as_json=as_json)
    context.exit(1 if checkup.wrong else 0)


@main.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write into; it is made if it is missing.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@json_option
def monitoring(*, output: Path, force: bool, as_json: bool) -> None:
    """Write a dashboard for Grafana and alerts for Prometheus, for services with --metrics.

    Jobs of Prometheus are to be named veracruz-NAME, such as veracruz-sonora.
    """
    written = write_monitoring(output, force=force)
    emit({"files": written}, "\n".join(map(str, written)), as_json=as_json)


def _show() -> None:
    def tell_link(name: str, link: str) -> None:
        click.echo(f"{name:>8}  {link}")

    # To be interrupted is how it ends.
    with (
        suppress(KeyboardInterrupt),
        Demo(_print_step) as demonstration,
        demonstration.show(tell_link) as files,
    ):
        click.echo("\nEach link opens the page of one principal, once. What there is to send:")
        for name, path in files.items():
            click.echo(f"{name:>8}  {path}")
        click.echo("Ctrl-C ends it, and nothing of it is left.")
        ended = threading.Event()
        # In slices: a signal that the kernel hands to another thread wakes nobody, and is acted on
        # when this one goes on.
        while not ended.wait(_SLICE_S):
            pass


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
