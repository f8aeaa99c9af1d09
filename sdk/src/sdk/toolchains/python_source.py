"""Which files a program in Python is, and what can be said of it before it is loaded."""

import ast
import symtable
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sdk.errors import BuildError

_RENAMED: Final = {"veracruz": "libveracruz", "veracruz_pinecone": "libveracruz.pinecone"}
"""The modules of the library by the names that they had, which programs may still import."""

# What Python refuses is for the interpreter to tell that the program begins with; ours can give up
# on how deep a source is nested.
_UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError)


def check_source(source: Path) -> None:
    """Check what this Python can tell of a program; it may be older than the one that runs it.

    Raises:
        BuildError: the source cannot be read, or has no `main`.
    """
    try:
        text = source.read_text()
        names = symtable.symtable(text, str(source), "exec").get_identifiers()
    except OSError as error:
        raise BuildError(f"cannot read {source}: {(error.strerror or '').lower()}") from None
    except _UNREADABLE:
        return
    if "main" not in names:
        raise BuildError(f"{source} has no function `main`: write `def main(inputs):`")


def sources_of(source: Path) -> dict[str, Path]:
    """The files of a program, by the names that they have in it: `main.py` and what it imports.

    A module of the author's is looked for beside `source`; of a package all modules are taken.

    Raises:
        BuildError: one of them imports the library by a name that it no longer has.
    """
    folder, waiting = source.resolve().parent, [source]
    found = {"main.py": source}
    while waiting:
        file = waiting.pop()
        for line, name in _imports(file):
            beside = {each.relative_to(folder).as_posix(): each for each in _modules(folder, name)}
            if name in _RENAMED and not beside:
                raise BuildError(
                    f"{file}, line {line}: the guest library is no longer called `{name}`: "
                    f"import `{_RENAMED[name]}` instead"
                )
            waiting += [each for key, each in beside.items() if key not in found]
            found |= {key: each for key, each in beside.items() if key not in found}
    return found


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """The first names of the modules that a file imports, with lines."""
    try:
        tree = ast.parse(file.read_text())
    except (OSError, *_UNREADABLE):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def _modules(folder: Path, name: str) -> Iterator[Path]:
    """The author's own files of a module or package, in order."""
    if folder.joinpath(f"{name}.py").is_file():
        yield folder / f"{name}.py"
    yield from sorted(folder.joinpath(name).rglob("*.py"))
