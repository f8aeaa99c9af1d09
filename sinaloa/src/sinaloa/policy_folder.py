"""A folder of policies, and what became of it since it was last looked at.

A file that cannot be used is named once, and changes nothing: what was in it before is served on. A
policy is gone when no file has it: its file was removed, and still is at the next look, or holds
another one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from veracruz_shells.policy_files import read_policy
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

MOST_FILES: Final = 256


@dataclass(slots=True)
class _File:
    """What is known of a file."""

    stamp: tuple[int, int, int] | None = None
    policy: Digest | None = None
    missing: bool = False


@dataclass(slots=True)
class FolderChanges:
    """What became of the folder.

    Attributes:
        added: policies that are new, by the file they are in.
        removed: policies that are gone.
        complaints: what is wrong with files, a line each.
    """

    added: dict[Path, Policy] = field(default_factory=dict)
    removed: list[Digest] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class PolicyFolder:
    """The `*.json` of a folder."""

    def __init__(self, folder: Path, read: Callable[[Path], Policy] = read_policy) -> None:
        self._folder = folder
        self._read = read
        self._files: dict[Path, _File] = {}
        self._unreadable = False

    def look(self) -> FolderChanges:
        """What is different from the last time."""
        changes = FolderChanges()
        try:
            paths = policies_in(self._folder)
        except VeracruzError as error:
            if not self._unreadable:
                changes.complaints.append(str(error))
            self._unreadable = True
            return changes
        self._unreadable = False
        if len(paths) > MOST_FILES:
            changes.complaints.append(
                f"{self._folder}: {len(paths)} policies, of which the first {MOST_FILES} are served"
            )
        before = self._policies()
        for path in paths[:MOST_FILES]:
            self._look_at(path, changes)
        for path in self._files.keys() - set(paths):
            self._missed(path)
        changes.removed += sorted(before - self._policies(), key=str)
        return changes

    def refuse(self, policy: Digest) -> None:
        """Forget a policy that could not be served, until its file changes."""
        for each in self._files.values():
            if each.policy == policy:
                each.policy = None

    def _policies(self) -> set[Digest]:
        return {each.policy for each in self._files.values() if each.policy is not None}

    def _look_at(self, path: Path, changes: FolderChanges) -> None:
        known = self._files.setdefault(path, _File())
        known.missing = False
        try:
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if stamp == known.stamp:
                return
            known.stamp = stamp
            policy = self._read(path)
            policy.require_in_force(datetime.now(UTC))
        except OSError as error:
            changes.complaints.append(f"{path}: {error.strerror}")
        except VeracruzError as error:
            told = str(error)
            changes.complaints.append(told if str(path) in told else f"{path}: {told}")
        else:
            if policy.digest not in self._policies():
                changes.added[path] = policy
            known.policy = policy.digest

    def _missed(self, path: Path) -> None:
        known = self._files[path]
        if known.missing:
            del self._files[path]
        known.missing = True


def policies_in(folder: Path) -> list[Path]:
    """The files of a folder that should hold policies.

    Raises:
        VeracruzError: it cannot be read.
    """
    try:
        return sorted(each for each in folder.iterdir() if each.suffix == ".json")
    except OSError as error:
        raise VeracruzError(f"{folder}: {error.strerror}") from error
