"""How a service is set up here: what `serve --print-config` says, with its unit's words."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

from veracruz_utils.frozen import frozen

SERVICES: Final = ("tabasco", "sonora", "sinaloa")
_TIMEOUT_S: Final = 60.0
_COMMAND: Final = re.compile(r"^ExecStart=\S+ serve(.*)$", re.MULTILINE)


@frozen
class ServiceSettings:
    """What holds for a service.

    Attributes:
        file: the file of settings, if there is one.
        values: by the key that a file has.
        error: why they cannot be told, if they cannot.
    """

    file: str | None
    values: dict[str, Any]
    error: str = ""

    @classmethod
    def of(cls, name: str, unit: str | None) -> Self:
        """The settings of a service, of which `unit` is the text of its unit."""
        command = [sys.executable, "-m", name, "serve", *_words_of(unit)]
        done = subprocess.run(  # noqa: S603 - our own program
            [*command, "--print-config", "--json"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
        try:
            told = json.loads(done.stdout)
            values = {key: each["value"] for key, each in told["settings"].items()}
        except (ValueError, KeyError, TypeError):
            return cls("?", {}, " ".join(done.stderr.split())[-500:])
        return cls(told["file"], values)

    def path(self, key: str) -> Path | None:
        """The file or folder of this setting."""
        value = self.values.get(key)
        return Path(value) if isinstance(value, str) else None


def _words_of(unit: str | None) -> list[str]:
    found = _COMMAND.search(unit or "")
    try:
        return shlex.split(found[1]) if found else []
    except ValueError:
        return []
