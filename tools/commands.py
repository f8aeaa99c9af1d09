"""Write the reference of every command from what its `--help` says.

python tools/commands.py docs/reference/commands.md
"""

import logging
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click

_PROGRAMS = (
    "durango", "sinaloa", "sonora", "tabasco", "tlaxcala", "veracruz-sdk",
    "freestanding-execution-engine", "veracruz", "veracruz-operator",
)  # fmt: skip
_WIDTH = 100
_HEAD = """# Commands

What every command's `--help` says. `make commands` writes this page.
"""


def page() -> str:
    """The whole page."""
    scripts = {each.name: each for each in entry_points(group="console_scripts")}
    parts = [_HEAD]
    for name in _PROGRAMS:
        for depth, path, text in _helps(scripts[name].load(), name, None):
            parts.append(f"{'#' * (depth + 2)} {path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[int, str, str]]:
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH
    )
    depth = 0 if parent is None else parent.command_path.count(" ") + 1
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield min(depth, 2), context.command_path, text
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            assert child is not None
            if not child.hidden:
                yield from _helps(child, each, context)


if __name__ == "__main__":
    logging.disable()  # commands set up their logging before they say what they are
    Path(sys.argv[1]).write_text(page())
