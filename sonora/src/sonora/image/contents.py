"""Whose files an image is made of: packages in their versions, the interpreter, libraries."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sonora.errors import SonoraError
from veracruz_shells.files import read_file

_OURS: Final = "veracruz"
"""What the names of our own distributions begin with: a lock has none of them."""
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_MAX_LOCK_BYTES: Final = 4 * 1024 * 1024


def packages_of(sources: Iterable[Path]) -> dict[str, Distribution]:
    """The installed distributions that some of these files belong to, by name, sorted."""
    wanted = {path.resolve() for path in sources}
    found = {}
    for distribution in distributions():
        if any(_owns(distribution, wanted)):
            found[normalised(distribution.name)] = distribution
    return dict(sorted(found.items()))


def require_locked(packages: Mapping[str, Distribution], lock: Path) -> None:
    """Refuse an installation whose versions are not those of a lock.

    Raises:
        SonoraError: a package that is not ours is not in the lock, or in another version.
    """
    text = read_file(lock, limit=_MAX_LOCK_BYTES, what="lock").decode("utf-8", "replace")
    pins = {normalised(name): version for name, version in _PIN.findall(text)}
    for name, distribution in packages.items():
        if not name.startswith(_OURS) and pins.get(name) != distribution.version:
            raise SonoraError(
                f"{name} is installed in version {distribution.version}, {lock} has "
                f"{pins.get(name, 'none')}: install what is locked, or lock what is installed"
            )


def normalised(name: str) -> str:
    """A distribution's name as locks and indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _owns(distribution: Distribution, wanted: set[Path]) -> Iterable[bool]:
    editable = _source_folder(distribution)
    if editable is not None:
        yield any(path.is_relative_to(editable) for path in wanted)
    for file in distribution.files or ():
        yield Path(str(distribution.locate_file(file))).resolve() in wanted


def _source_folder(distribution: Distribution) -> Path | None:
    """Where the files of a package are that is installed from its sources, to be edited."""
    text = distribution.read_text("direct_url.json")
    if text is None:
        return None
    origin = json.loads(text)
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path)).resolve()
