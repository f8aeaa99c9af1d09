"""What can be said of a program in Python before `componentize-py` is asked, which takes long."""

import ast
import symtable
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sdk.errors import BuildError

_RENAMED: Final = {"veracruz": "libveracruz", "veracruz_pinecone": "libveracruz.pinecone"}
"""The modules of the library by the names that they had, which programs may still import."""


def check_source(source: Path) -> None:
    """Check what this Python can tell of a program; it may be older than the one that runs it.

    Raises:
        BuildError: the source cannot be read, has no `main`, or imports the library by a name that
            it no longer has; the modules beside it that it imports are looked at, too.
    """
    try:
        text = source.read_text()
        names = symtable.symtable(text, str(source), "exec").get_identifiers()
    except OSError as error:
        raise BuildError(f"cannot read {source}: {(error.strerror or '').lower()}") from None
    except (SyntaxError, ValueError):
        return
    if "main" not in names:
        raise BuildError(f"{source} has no function `main`: write `def main(inputs):`")
    _check_imports(source)


def _check_imports(source: Path) -> None:
    folder, seen, waiting = source.resolve().parent, {source}, [source]
    while waiting:
        file = waiting.pop()
        for line, name in _imports(file):
            beside = set(_modules(folder, name))
            if name in _RENAMED and not beside:
                raise BuildError(
                    f"{file}, line {line}: the guest library is no longer called `{name}`: "
                    f"import `{_RENAMED[name]}` instead"
                )
            waiting += beside - seen
            seen |= beside


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """The first names of the modules that a file imports, with lines."""
    try:
        tree = ast.parse(file.read_text())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.split(".")[0]


def _modules(folder: Path, name: str) -> Iterator[Path]:
    """The author's own files of a module or package."""
    if folder.joinpath(f"{name}.py").is_file():
        yield folder / f"{name}.py"
    yield from folder.joinpath(name).rglob("*.py")
