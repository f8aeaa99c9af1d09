"""Compilers that the author installed: where they are, and whether they are new enough."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sdk.errors import BuildError
from sdk.toolchains.tool import run_tool
from veracruz_utils.frozen import frozen

_ASK_SECONDS: Final = 60
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")


@frozen
class WantedTool:
    """A compiler that a build needs.

    Attributes:
        name: for people.
        command: as it is called.
        variable: of the environment, that names another one.
        ask: what it is asked for its version by.
        least: the lowest version that will do.
        remedy: what gets it.
    """

    name: str
    command: str
    variable: str
    ask: tuple[str, ...]
    least: tuple[int, ...]
    remedy: str

    def find(self, *first: Path) -> "FoundTool":
        """The one that the environment names, or one of `first` that exists, or that of PATH.

        Raises:
            BuildError: there is none, or it is too old.
        """
        named = os.environ.get(self.variable)
        near = next((str(each) for each in first if each.is_file()), self.command)
        path = shutil.which(named or near)
        if path is None:
            where = f"{self.variable} names {named}, which is no program" if named else "is missing"
            raise BuildError(f"{self.name} {where}: {self.remedy}")
        version = self._version(path)
        if tuple(map(int, version.split("."))) < self.least:
            least = ".".join(map(str, self.least))
            raise BuildError(
                f"{self.name} {path} is version {version}, expected {least} or later: {self.remedy}"
            )
        return FoundTool(str(Path(path).absolute()), version)

    def _version(self, path: str) -> str:
        try:
            ran = run_tool([path, *self.ask], Path(), name=self.name, timeout_s=_ASK_SECONDS)
        except OSError as error:
            raise BuildError(f"cannot run {path}: {error.strerror}: {self.remedy}") from None
        said = _VERSION.search(ran.output) if ran.succeeded else None
        if said is None:
            words = (ran.words or ran.output.strip())[:200]
            raise BuildError(f"{path} does not tell its version: {words!r}: {self.remedy}")
        return said[0]


@frozen
class FoundTool:
    """A compiler that will do."""

    path: str
    version: str

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that gives it arguments."""
        return [self.path, *arguments]
