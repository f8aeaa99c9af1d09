"""What differs between two measurements: files added, removed and changed, by their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from sonora.errors import SonoraError
from veracruz_shells.files import read_file
from veracruz_utils.strict_json import JsonError, read_json

MAX_BYTES: Final = 16 * 1024 * 1024
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Listing(msgspec.Struct):
    """What `sonora measure --files --json` prints, as far as it counts here."""

    measurement: _Digest
    files: dict[str, _Digest]


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of files, sorted; false when nothing differs."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, object]:
        """The changes for programs."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
        }

    def as_text(self) -> str:
        """The changes for people, one on a line."""
        lines = [
            *(f"+ {name}" for name in self.added),
            *(f"- {name}" for name in self.removed),
            *(f"~ {name}" for name in self.changed),
        ]
        return "\n".join(lines) or "the same files, the same measurement"


def changes_since(earlier: Path, now: Mapping[str, str]) -> Changes:
    """What differs from a measurement that was printed to a file.

    Args:
        earlier: the output of `sonora measure --files --json`.
        now: the digests of files by name, in hexadecimal.

    Raises:
        SonoraError: the file is something else.
    """
    data = read_file(earlier, limit=MAX_BYTES, what="measurement")
    try:
        before = msgspec.convert(read_json(data, max_bytes=MAX_BYTES), _Listing).files
    except (JsonError, msgspec.ValidationError) as error:
        raise SonoraError(
            f"{earlier} is not the output of sonora measure --files --json: {error}"
        ) from None
    return Changes(
        added=tuple(sorted(now.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - now.keys())),
        changed=tuple(
            sorted(name for name in now.keys() & before.keys() if now[name] != before[name])
        ),
    )
