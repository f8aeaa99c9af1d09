"""The command `durango`: parse, call the library, print."""

import os
from pathlib import Path

import click

from durango.cli.attest import attest_command
from durango.cli.consent import COMMANDS as CONSENT_COMMANDS
from durango.cli.identity import identity
from durango.cli.policy import policy
from durango.cli.profiles import default_map, defaults_of
from durango.cli.reading import result, round_group, shutdown, status
from durango.cli.receipt import receipt
from durango.cli.release import release
from durango.cli.replay import replay_command
from durango.cli.sending import data, program, stream
from veracruz_shells.console import command_group

__all__ = ["main"]


@command_group(
    "durango",
    distribution="veracruz-durango",
    help="Take part in a Veracruz computation: check the isolate, then send and fetch.",
)
@click.option(
    "--profile",
    metavar="NAME",
    envvar="DURANGO_PROFILE",
    help="Whose files and addresses are meant, of those in config.toml in the folder of --config, "
    "~/.config/durango or DURANGO_CONFIG.",
)
@click.pass_context
def main(ctx: click.Context, *, profile: str | None) -> None:
    """The group; each command is a module of this package."""
    folder = os.environ.get("DURANGO_CONFIG") or click.get_app_dir("durango")
    ctx.default_map = default_map(ctx.command, defaults_of(Path(folder), profile))


for _command in CONSENT_COMMANDS:
    policy.add_command(_command)
for _command in (
    identity,
    policy,
    release,
    attest_command,
    program,
    data,
    stream,
    result,
    round_group,
    status,
    shutdown,
    receipt,
    replay_command,
):
    main.add_command(_command)
