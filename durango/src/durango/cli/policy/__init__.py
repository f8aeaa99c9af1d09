"""`durango policy`: the contract of a computation, from its writing to its signing."""

import click

from durango.cli.policy.meaning import check, diff, explain, show
from durango.cli.policy.new import new
from durango.cli.policy.text import build, convert, schema


@click.group("policy", help="Write, explain, check and compare policies.")
def policy() -> None:
    """The group."""


for _command in (build, check, convert, diff, explain, new, schema, show):
    policy.add_command(_command)
