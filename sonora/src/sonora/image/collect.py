"""What the zygote loads: run in a process of its own, which becomes as the zygote is.

Every module by its file, whatever its `__spec__` says or lacks; every library that is mapped; every
file that Python opened, so that none is missed for what a module says of itself. It prints them as
one JSON object.
"""

import os
import sys
from typing import Final, NoReturn

_OURS: Final = {"__main__", "sonora.image", "sonora.image.collect"}
"""Loaded for this alone."""
_opened: set[str] = set()


def main() -> NoReturn:
    """Load what the zygote loads, and print what that was."""
    sys.addaudithook(_note_opened)
    from mexico_city import isolate  # noqa: PLC0415 - not before what it opens is noted
    from sonora import zygote  # noqa: F401, PLC0415

    isolate.warm_up()
    modules = {name: _file(name, each) for name, each in sys.modules.items() if name not in _OURS}
    found = {
        "modules": {name: file for name, file in modules.items() if file},
        "mapped": sorted(_mapped()),
        "opened": sorted(_opened),
        "interpreter": os.readlink("/proc/self/exe"),  # noqa: PTH115 - no module more
        "standard": os.path.dirname(os.__file__),  # noqa: PTH120
    }
    import json  # noqa: PLC0415 - the zygote may not need it

    sys.stdout.write(json.dumps(found))
    sys.exit(0)


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        _opened.add(arguments[0])


def _file(name: str, module: object) -> str | None:
    """Where the module comes from; None for a folder, and for what another file made."""
    spec = getattr(module, "__spec__", None)
    origin = spec.origin if spec is not None and spec.has_location else None
    file = origin or getattr(module, "__file__", None)
    if spec is not None and spec.origin in {"built-in", "frozen"}:
        # Python finds its other files by this one, though it has it inside.
        return str(file) if name == "os" else None
    return None if file is None else str(file)


def _mapped() -> set[str]:
    with open("/proc/self/maps", encoding="utf-8") as file:  # noqa: PTH123 - no module more
        fields = [line.split(maxsplit=5) for line in file]
    return {
        each[5].rstrip("\n")
        for each in fields
        if len(each) == 6 and "x" in each[1] and each[5].startswith("/")
    }
