"""`libveracruz.arrays` in this interpreter, on its own C code, compiled for this machine."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from sdk.toolchains.sources import source_folder
from sdk.toolchains.tool import run_tool

COMPILED = "veracruz_arrays"


def load_arrays(folder: Path) -> ModuleType:
    """The module; what it is compiled to is in a folder that stays, as what is loaded has to."""
    sources, output = source_folder("python"), folder / f"{COMPILED}.so"
    if not output.is_file():
        command = [
            sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O2", "-ffp-contract=off",
            "-fsanitize=undefined", "-fsanitize-trap=undefined",
            *map(str, sorted(sources.glob("arrays/*.c"))), "-o", str(output), "-lm",
        ]  # fmt: skip
        ran = run_tool(command, folder, name="the compiler", timeout_s=600)
        assert ran.succeeded, ran.output
    with patch.dict(sys.modules, {COMPILED: _loaded(COMPILED, output)}):
        return _loaded("arrays", sources / "libveracruz/arrays.py")


def _loaded(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
