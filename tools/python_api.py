"""Write the reference of the Python library from its docstrings.

python tools/python_api.py docs/reference/python-api.md
"""

import logging
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import griffe

import durango

ROOT: Final = Path(__file__).parent.parent
_HEAD = """# The Python library

Everything is imported from `durango`, as by `from durango import Principal, attest`. Names are
loaded when they are used, so that `import durango` takes no time to speak of. Whole programs are in
[how to use it](../how-to/use-the-library.md). `make python-api` writes this page from the
docstrings.

Times are in seconds and sizes in bytes; a `datetime` has a time zone. Values are frozen. Every
error derives from `VeracruzError`, whose `exit_code` is that of the command that does the same.
"""
_ROOMS: Final = (
    ("Policies", ("durango.policy", "veracruz_utils.policy", "veracruz_shells.policy_files")),
    ("Releases of the runtime", ("durango.releases",)),
    ("Identities and consents", ("durango.identity", "durango.consents")),
    (
        "Attestation",
        (
            "durango.attestation",
            "durango.chain",
            "durango.evidence",
            "durango.gate",
            "durango.tabasco_keys",
        ),
    ),
    ("Values as programs read them", ("durango.values",)),
    (
        "Sessions",
        (
            "durango.principal",
            "durango.ways",
            "durango.standing",
            "durango.halt",
            "colima.runtime",
        ),
    ),
    ("Sessions in an event loop", ("durango.aio",)),
    ("Receipts", ("durango.receipts", "durango.bundles", "psa_attestation.receipts")),
    ("Doing a run again", ("durango.replay",)),
    ("Small values", ("veracruz_utils",)),
    ("Errors", ()),
)


_INLINE: Final = 60
"""Characters of parameters that stand on one line."""


class _Strict(logging.Handler):
    """A docstring that cannot be read whole is an error: what it says would be missing."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            raise ValueError(record.getMessage())


def page() -> str:
    """The whole page."""
    logging.getLogger("griffe").handlers = [_Strict()]
    rooms: dict[str, list[str]] = {title: [] for title, _ in _ROOMS}
    found = list(objects())
    for name, documented in found:
        rooms[_room(documented)].append("\n".join(_entry(name, documented)))
    parts = [_HEAD]
    for title, entries in rooms.items():
        parts += [f"## {title}\n", *entries]
    return "\n".join(parts).rstrip() + "\n"


def objects() -> Iterator[tuple[str, griffe.Object]]:
    """Every public name with what is known of it, and those of `durango.aio`."""
    loader = griffe.GriffeLoader(search_paths=sorted(ROOT.glob("*/src")), docstring_parser="google")
    homes = {name: f"{durango._homes()[name]}.{name}" for name in durango.__all__}  # noqa: SLF001
    homes["aio.attest"] = "durango.aio.attest"
    for package in sorted({path.split(".")[0] for path in homes.values()}):
        loader.load(package)
    for name in sorted(homes, key=lambda each: (each.islower(), each)):
        found = loader.modules_collection[homes[name]]
        yield name, found.final_target if isinstance(found, griffe.Alias) else found


def members(kind: griffe.Object) -> Iterator[griffe.Object]:
    """The public methods and properties of a class, as they stand in it."""
    for name, member in kind.members.items():
        if not name.startswith("_") and (member.is_function or "property" in member.labels):
            assert isinstance(member, griffe.Object)
            yield member


def _room(documented: griffe.Object) -> str:
    if documented.name.endswith("Error"):
        return "Errors"
    path = documented.canonical_path
    return next(title for title, homes in _ROOMS if path.startswith(homes))


def _entry(name: str, documented: griffe.Object, *, level: int = 3) -> Iterator[str]:
    yield f"{'#' * level} {name}\n"
    if isinstance(documented, griffe.Function):
        yield f"```python\n{_signature(documented)}\n```\n"
    yield from _sections(documented)
    if not isinstance(documented, griffe.Class):
        return
    constants = [
        f"`{each.name}`" for each in documented.members.values() if "class-attribute" in each.labels
        and each.name.isupper()
    ]  # fmt: skip
    if constants:
        yield f"One of {', '.join(constants)}.\n"
    for member in members(documented):
        yield from _entry(f"{name}.{member.name}", member, level=level + 1)


def _signature(function: griffe.Function) -> str:
    """As it stands in the source, a parameter a line."""
    marks = {griffe.ParameterKind.keyword_only: "*"}
    lines, open_mark = [], False
    for each in function.parameters:
        if each.name in {"self", "cls"}:
            continue
        if each.kind in marks and not open_mark:
            lines.append("    *,")
            open_mark = True
        star = "*" if each.kind is griffe.ParameterKind.var_positional else ""
        open_mark |= bool(star)
        default = "" if each.default is None or star else f" = {each.default}"
        lines.append(f"    {star}{each.name}: {each.annotation}{default},")
    whole = ", ".join(line.strip().rstrip(",") for line in lines)
    begin = "async def" if "async" in function.labels else "def"
    parameters = "\n" + "\n".join(lines) + "\n" if len(whole) > _INLINE else whole
    returns = "" if function.returns is None else f" -> {str(function.returns).strip(chr(39))}"
    return f"{begin} {function.name}({parameters}){returns}"


def _sections(documented: griffe.Object) -> Iterator[str]:
    assert documented.docstring is not None, documented.path
    for section in documented.docstring.parsed:
        match section:
            case griffe.DocstringSectionText():
                yield f"{section.value}\n"
            case griffe.DocstringSectionParameters():
                yield _list((f"`{each.name}`", each.description) for each in section.value)
            case griffe.DocstringSectionAttributes():
                yield _list(
                    (_typed(documented, each.name), each.description) for each in section.value
                )
            case griffe.DocstringSectionRaises():
                yield "Raises:\n"
                yield _list((f"`{each.annotation}`", each.description) for each in section.value)
            case griffe.DocstringSectionReturns():
                yield "Returns:\n"
                yield "\n".join(f"{each.description}\n" for each in section.value)
            case _:
                raise ValueError(f"{documented.path}: nobody knows how to show {section.kind}")


def _typed(documented: griffe.Object, name: str) -> str:
    """An attribute with its type, if the class itself says it."""
    member = documented.members.get(name)
    annotation = member.annotation if isinstance(member, griffe.Attribute) else None
    return f"`{name}`" if annotation is None else f"`{name}` (`{str(annotation).strip(chr(34))}`)"


def _list(entries: Iterator[tuple[str, str]]) -> str:
    lines = (
        textwrap.fill(
            f"- {name}: {' '.join(text.split())}", 120, subsequent_indent="  ",
            break_long_words=False, break_on_hyphens=False,
        )
        for name, text in entries
    )  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
