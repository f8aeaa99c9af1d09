"""The command `durango`: parse, call the library, print.

Each command is a module of this package, which is loaded when the command is wanted.
"""

import os
from pathlib import Path
from typing import Final

import click

from veracruz_shells.console import CommandGroup, command_group
from veracruz_shells.trace_settings import are_traces_wanted

__all__ = ["main"]

_COMMANDS: Final = {
    "attest": (
        "durango.cli.attest:attest_command",
        "Check the isolate behind the bridge against your own copy of POLICY.",
    ),
    "completion": (
        "durango.cli.completion:completion",
        "Print what makes a shell complete the words of commands.",
    ),
    "data": ("durango.cli.sending:data", "Provide data."),
    "identity": ("durango.cli.identity:identity", "Make and show a principal's certificate."),
    "join": (
        "durango.cli.join:join",
        "Take part in the computation of POLICY: read it, check it, sign, attest, send, fetch.",
    ),
    "policy": ("durango.cli.policy:policy", "Write, explain, check, compare and sign policies."),
    "program": ("durango.cli.sending:program", "Provide the program."),
    "receipt": (
        "durango.cli.receipt:receipt",
        "Get the runtime's account of its runs, and check it.",
    ),
    "release": (
        "durango.cli.release:release",
        "Say which releases of the runtime you know, and whose.",
    ),
    "replay": (
        "durango.cli.replay:replay_command",
        "Do the run of a receipt in BUNDLE again on this machine, and compare the results.",
    ),
    "result": ("durango.cli.reading:result", "Have the program run and fetch the result."),
    "round": ("durango.cli.standing:round_group", "Begin another round."),
    "shutdown": (
        "durango.cli.standing:shutdown",
        "Ask for the end of the computation; the isolate ends when all readers have asked.",
    ),
    "status": (
        "durango.cli.standing:status",
        "Show where the computation of POLICY stands, and whose turn it is.",
    ),
    "stream": ("durango.cli.sending:stream", "Provide stream items."),
    "ui": (
        "durango.cli.ui:ui_command",
        "Show the computation of POLICY on a page in your browser: read, check, send, fetch.",
    ),
}


@command_group(
    "durango",
    distribution="veracruz-durango",
    help="Take part in a Veracruz computation: check the isolate, then send and fetch.",
)
@click.option(
    "--profile",
    metavar="NAME",
    envvar="DURANGO_PROFILE",
    help="Whose files and addresses are meant, of those in config.toml in ~/.config/durango or "
    "the folder that DURANGO_CONFIG names.",
)
@click.pass_context
def main(ctx: click.Context, *, profile: str | None) -> None:
    """The group."""
    assert ctx.invoked_subcommand is not None
    if are_traces_wanted(os.environ):
        from durango.traces import COMMAND  # noqa: PLC0415 - few want them
        from veracruz_shells.trace_export import Tracing  # noqa: PLC0415

        ctx.with_resource(Tracing(None, service="durango", announce=False))
        ctx.with_resource(COMMAND.span(method=ctx.invoked_subcommand))
    folder = Path(os.environ.get("DURANGO_CONFIG") or click.get_app_dir("durango"))
    if profile is None and not (folder / "config.toml").exists():
        return
    from durango.cli.profiles import defaults_of  # noqa: PLC0415 - few commands need it

    defaults = defaults_of(folder, profile)
    assert isinstance(ctx.command, CommandGroup)
    name = ctx.invoked_subcommand
    command = ctx.command.get_command(ctx, name)
    inside = command.list_commands(ctx) if isinstance(command, click.Group) else []
    # A command takes what it has parameters for, and leaves the rest.
    ctx.default_map = {name: dict.fromkeys(inside, defaults) if inside else defaults}


assert isinstance(main, CommandGroup)
main.elsewhere = _COMMANDS
