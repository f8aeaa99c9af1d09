"""`libveracruz.arrays` in this interpreter, on its own C code, compiled for this machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from unittest.mock import patch

from sdk.toolchains.sources import source_folder
from sdk.toolchains.tool import run_tool

COMPILED = "veracruz_arrays"


@contextmanager
def loaded_arrays() -> Iterator[ModuleType]:
    """The module; what it is compiled to is gone when the block ends."""
    sources = source_folder("python")
    with TemporaryDirectory() as folder:
        output = Path(folder) / f"{COMPILED}.so"
        command = [
            sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O2", "-ffp-contract=off",
            "-fsanitize=undefined", "-fsanitize-trap=undefined",
            *map(str, sorted(sources.glob("arrays/*.c"))), "-o", str(output), "-lm",
        ]  # fmt: skip
        ran = run_tool(command, Path(folder), name="the compiler", timeout_s=600)
        assert ran.succeeded, ran.output
        compiled = _loaded(COMPILED, output)
        with patch.dict(sys.modules, {COMPILED: compiled}):
            yield _loaded("arrays", sources / "libveracruz/arrays.py")


def _loaded(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
