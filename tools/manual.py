"""Write the manual page of every command, from the same words as its `--help`.

python tools/manual.py

A program's pages are in the folder `man` of the component that has it, and travel in its wheel.
"""

import inspect
import logging
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
_HOMES: Final = {
    "durango": "durango",
    "freestanding-execution-engine": "sdk",
    "sinaloa": "sinaloa",
    "sonora": "sonora",
    "tabasco": "tabasco",
    "tlaxcala": "tlaxcala",
    "veracruz": "veracruz",
    "veracruz-operator": "sinaloa_operator",
    "veracruz-sdk": "sdk",
}
"""The component of each program."""

_STATUSES: Final = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage"),
    ("3", "refused by attestation or policy"),
    ("4", "peer unreachable"),
    ("130", "interrupted"),
)
_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class _Command:
    """A command, its context, and the names of the pages around its own."""

    command: click.Command
    context: click.Context
    near: tuple[str, ...]

    @property
    def page(self) -> str:
        return self.context.command_path.replace(" ", "-")


def pages() -> dict[Path, str]:
    """Every page, by where it is kept."""
    scripts = {each.name: each for each in entry_points(group="console_scripts")}
    found: dict[Path, str] = {}
    for program, home in _HOMES.items():
        script = scripts[program]
        assert script.dist is not None
        for each in _commands(script.load(), program, None):
            found[ROOT / home / "man" / f"{each.page}.1"] = _page(each, script.dist.version)
    return found


def write() -> None:
    """Write every page, and take away those of commands that are gone."""
    wanted = pages()
    for home in set(_HOMES.values()):
        folder = ROOT / home / "man"
        folder.mkdir(exist_ok=True)
        for there in folder.glob("*.1"):
            if there not in wanted:
                there.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="ascii")


def _commands(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[_Command]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    own = context.command_path.replace(" ", "-")
    above = () if parent is None else (parent.command_path.replace(" ", "-"),)
    inside: list[tuple[str, click.Command]] = []
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            child = command.get_command(context, word)
            assert child is not None
            if not child.hidden:
                inside.append((word, child))
    yield _Command(command, context, (*above, *(f"{own}-{word}" for word, _ in inside)))
    for word, child in inside:
        yield from _commands(child, word, context)


def _page(each: _Command, release: str) -> str:
    command, context = each.command, each.context
    usage = " ".join(_bold(word) for word in context.command_path.split())
    pieces = " ".join(map(_escaped, command.collect_usage_pieces(context)))
    lines = [
        f'.TH "{_escaped(each.page.upper())}" "1" "" "Veracruz {release}" "Veracruz"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(each.page)} \\- {_text(_summary(command))}",
        ".SH SYNOPSIS",
        f"{usage} {pieces}".rstrip(),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    if isinstance(command, click.Group):
        lines += [".SH COMMANDS", *_inside(command, context)]
    options = [
        record
        for each_of in command.get_params(context)
        if isinstance(each_of, click.Option)
        and (record := each_of.get_help_record(context)) is not None
    ]
    lines += [".SH OPTIONS"]
    for names, what in options:
        lines += [".TP", _option(names), *_paragraphs(what, next_by=".IP")]
    lines += [*_environment(command, context), ".SH EXIT STATUS"]
    for status, meaning in _STATUSES:
        lines += [".TP", _bold(status), meaning]
    if each.near:
        references = [f"{_bold(page)}(1)" for page in each.near]
        lines += [".SH SEE ALSO", *(f"{name}," for name in references[:-1]), references[-1]]
    return "\n".join(lines) + "\n"


def _summary(command: click.Command) -> str:
    first = inspect.cleandoc(command.help or command.short_help or "").split("\n\n")[0]
    sentence = re.split(r"(?<=[.;:])\s", " ".join(first.split()), maxsplit=1)[0]
    return sentence.rstrip(".;:")


def _inside(group: click.Group, context: click.Context) -> Iterator[str]:
    for word in group.list_commands(context):
        child = group.get_command(context, word)
        assert child is not None
        if not child.hidden:
            yield from (".TP", _bold(word), *_lines(_summary(child) + "."))


def _environment(command: click.Command, context: click.Context) -> Iterator[str]:
    """The names in the environment that stand for options and arguments."""
    named = []
    for param in command.get_params(context):
        if not isinstance(param, click.Option) or param.get_help_record(context) is None:
            continue
        names = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())
        prefix = context.auto_envvar_prefix if param.allow_from_autoenv else None
        if not names and prefix and not str(param.name).startswith("_"):
            word = "json" if param.name == "as_json" else str(param.name)
            names = [f"{prefix}_{word.upper()}"]
        named += [(name, max(param.opts, key=len)) for name in names]
    if named:
        yield ".SH ENVIRONMENT"
    for name, option in named:
        yield from (".TP", _bold(name), f"in place of {_bold(option)}")


def _option(names: str) -> str:
    """`--name WHAT` with the name in bold."""
    return re.sub(
        r"(?<![\w-])(--?[\w-]+)|([^-]+|-)",
        lambda match: _bold(match[1]) if match[1] else _escaped(match[2]),
        names,
    )


def _paragraphs(text: str, *, next_by: str = ".PP") -> Iterator[str]:
    """Paragraphs as click means them; one that begins with a backspace keeps its lines."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield next_by
        if paragraph.startswith("\b"):
            yield from (".nf", *map(_text, paragraph.removeprefix("\b\n").split("\n")), ".fi")
        else:
            yield from _lines(" ".join(paragraph.split()))


def _lines(text: str) -> Iterator[str]:
    wrapped = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    # Backticks are matched over the whole, and their content may be on two lines: so first marked.
    marked = _text("\n".join(wrapped))
    yield from marked.split("\n")


def _text(text: str) -> str:
    """Words with what is in backticks in bold; no line is taken for a request."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _guarded(_escaped(text))
    marked = [
        _escaped(part) if number % 2 == 0 else f"\\fB{_escaped(part)}\\fR"
        for number, part in enumerate(parts)
    ]
    return _guarded("".join(marked))


def _guarded(text: str) -> str:
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def _bold(text: str) -> str:
    return f"\\fB{_escaped(text)}\\fR"


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    plain = plain.replace("~", "\\(ti").replace("^", "\\(ha").replace('"', "\\(dq")
    plain = re.sub(r"(?<=\S)([|/])(?=\S)", r"\1\\:", plain)  # where a long word may be broken
    return "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in plain)


if __name__ == "__main__":
    logging.disable()  # commands set up their logging before they say what they are
    write()
