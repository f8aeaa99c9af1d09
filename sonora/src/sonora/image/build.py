"""Building an image out of the installation that runs this.

Two builds from the same files are the same bytes, wherever they are made: nothing in an image
depends on a time, an order, a user or a path outside it.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import source_from_cache
from pathlib import Path, PurePosixPath
from typing import Final, Self

from sonora.errors import SonoraError
from sonora.image.contents import packages_of, require_locked
from sonora.image.elf import MAGIC, NativeFile
from sonora.image.layout import LIBRARIES
from sonora.image.processes import run_apart, search_path
from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder
from veracruz_utils.frozen import frozen

_VERSION: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PYTHON: Final = f"usr/bin/{_VERSION}"
_STANDARD: Final = f"usr/{sys.platlibdir}/{_VERSION}"
_PACKAGES: Final = f"{_STANDARD}/site-packages"


STEPS: Final = 4


def build_image(
    folder: Path, *, lock: Path | None = None, on_step: Callable[[], None] = lambda: None
) -> list[Path]:
    """Make an image out of the installation that runs this, in a folder that is not there yet.

    Args:
        folder: where it will be; the folder that this is in exists.
        lock: a lock of pip; packages in other versions are refused.
        on_step: called after each of its `STEPS`.

    Returns:
        The files of the installation that it is made of.

    Raises:
        SonoraError: it cannot be made; then there is no folder.
    """
    if os.path.lexists(folder):
        raise SonoraError(f"{folder} exists already: choose another name, or remove it")
    try:
        # Beside it: a folder gets its name in one step within one file system only.
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as draft:
            made = Path(draft) / "image"
            sources = _build(made, lock, on_step)
            made.rename(folder)
    except OSError as error:
        where = error.filename or folder
        raise SonoraError(f"cannot build the image: {where}: {error.strerror}") from error
    return sources


@frozen
class _Loaded:
    """What the zygote loads: files by the place each has in an image."""

    files: dict[str, Path]
    interpreter: Path

    @classmethod
    def collect(cls) -> Self:
        found = json.loads(run_apart("collect"))
        places = _Places(found["standard"])
        modules = {os.path.realpath(file) for file in found["modules"].values()}
        files: dict[str, Path] = {}
        for file in found["modules"].values():
            _add(files, places.of_module(file), Path(file))
        for file in places.installed(found["opened"]):
            _add(files, places.of_module(file), Path(file))
        interpreter = Path(found["interpreter"])
        _add(files, _PYTHON, interpreter)
        loader = NativeFile.parse(interpreter.read_bytes()).interpreter
        _add(files, _loader(loader), Path(os.path.realpath(loader)))
        known = modules | {os.path.realpath(each) for each in (interpreter, loader)}
        for file in found["mapped"]:
            if os.path.realpath(file) not in known:
                _add(files, places.of_library(file), Path(file))
        return cls(files, interpreter)


def _add(files: dict[str, Path], place: str, file: Path) -> None:
    there = files.setdefault(place, file)
    if not there.samefile(file):
        raise SonoraError(f"{there} and {file} have one place in an image, {place}: remove one")


class _Places:
    """Which place in an image a file of the installation has."""

    def __init__(self, standard: str) -> None:
        self._standard = standard
        entries = {path.rstrip("/") for path in search_path()}
        # The longest first: site-packages lies within the standard library.
        self._entries = sorted(
            (each for each in entries if Path(each).is_dir()), key=len, reverse=True
        )

    def of_module(self, file: str) -> str:
        entry = self._entry(file)
        if entry is None:
            raise SonoraError(f"{file} is in no folder that modules are looked for in")
        if entry == self._standard or entry.startswith(f"{self._standard}/lib-dynload"):
            return f"{_STANDARD}/{os.path.relpath(file, self._standard)}"
        return f"{_PACKAGES}/{os.path.relpath(file, entry)}"

    def of_library(self, file: str) -> str:
        entry = self._entry(file)
        if entry is not None and entry != self._standard:
            return self.of_module(file)
        name = NativeFile.parse(Path(file).read_bytes()).name
        return f"{LIBRARIES}/{name or PurePosixPath(file).name}"

    def installed(self, opened: Iterable[str]) -> set[str]:
        """The files of the installation among these: modules that hid themselves, and data."""
        files = set()
        for file in opened:
            if self._entry(file) is not None and Path(file).is_file():
                files.add(source_from_cache(file) if file.endswith(".pyc") else file)
        return files

    def _entry(self, file: str) -> str | None:
        return next((each for each in self._entries if file.startswith(f"{each}/")), None)


def _build(folder: Path, lock: Path | None, on_step: Callable[[], None]) -> list[Path]:
    loaded = _Loaded.collect()
    if lock is not None:
        require_locked(packages_of(loaded.files.values()), lock)
    on_step()
    root = folder.absolute() / ROOT  # the compiling process has another working folder
    native = {}
    for place, file in sorted(loaded.files.items()):
        content = file.read_bytes()
        if content.startswith(MAGIC):
            native[place] = NativeFile.parse(content)
            content = native[place].plain
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    _require_libraries(native)
    on_step()
    run_apart("compiling", str(root), environment={"PYTHONHASHSEED": "0"})
    on_step()
    loader = native[_PYTHON].interpreter
    _set_modes(root, [_PYTHON, _loader(loader)])
    _link_loader(root, loader)
    with open_folder(root) as opened:
        manifest = Manifest.of(found_in(opened))
    (folder / MANIFEST).write_bytes(manifest.text)
    on_step()
    return list(loaded.files.values())


def _require_libraries(native: dict[str, NativeFile]) -> None:
    """Refuse an image in which a library would be looked for outside."""
    for place, file in native.items():
        own = str(PurePosixPath(place).parent)
        folders = [each.replace("$ORIGIN", own).replace("${ORIGIN}", own) for each in file.search]
        for name in file.needed:
            places = [os.path.normpath(f"{each}/{name}") for each in [*folders, LIBRARIES]]
            if not set(places) & native.keys():
                raise SonoraError(f"{place} needs {name}, which is not loaded and not in the image")


def _loader(named: str) -> str:
    """The place of the dynamic loader, by where the interpreter looks for it."""
    return f"{LIBRARIES}/{PurePosixPath(named).name}"


def _set_modes(root: Path, programs: Iterable[str]) -> None:
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for program in programs:
        (root / program).chmod(0o755)


def _link_loader(root: Path, named: str) -> None:
    """Put a link where the interpreter itself looks, for who starts it by its name."""
    place = root / named.lstrip("/")
    if place != root / _loader(named):
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(root / _loader(named), place.parent))
