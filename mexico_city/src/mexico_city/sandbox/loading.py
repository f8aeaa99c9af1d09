"""No module is loaded once an isolate has begun."""

import sys
from typing import NoReturn


class _NothingElse:
    """A finder that refuses every module that is not loaded yet."""

    def find_spec(self, name: str, *_: object) -> NoReturn:
        """Refuse `name`."""
        raise ModuleNotFoundError(f"module {name} was not measured", name=name)


def refuse_modules() -> None:
    """Load nothing from here on."""
    sys.meta_path[:] = [_NothingElse()]
