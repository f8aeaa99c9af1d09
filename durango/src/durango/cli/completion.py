"""`durango completion`: what makes a shell complete commands and options."""

from typing import Final

import click
from click.shell_completion import get_completion_class

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print what makes a shell complete the words of commands.

    For bash: durango completion bash > ~/.local/share/bash-completion/completions/durango
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has each of them
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "durango", "_DURANGO_COMPLETE").source())
