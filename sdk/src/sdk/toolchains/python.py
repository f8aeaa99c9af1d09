"""Builds guests in Python: a component of CPython and the author's module, with `componentize-py`.

A build is not reproducible: the tool freezes an interpreter that has run, with its hash seed and
addresses. So a policy names the component that was built, and who wants to check it against its
source has to trust its builder, or build it and have everyone use that.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from execution_engine.errors import ModuleRefusedError
from execution_engine.limits import EngineLimits
from execution_engine.reader import WasmReader
from execution_engine.wasm.examination import check_module
from execution_engine.wit import wit
from sdk.errors import BuildError
from sdk.toolchains.made import Made, Tool
from sdk.toolchains.python_source import check_source
from sdk.toolchains.sources import source_folder
from sdk.toolchains.tool import refusal, run_tool

COMPONENTIZE_VERSION: Final = "0.25.1"
BUILD_SECONDS: Final = 600
# What a policy's `program_bytes` must be raised to: a component of CPython is 18 MB large.
PROGRAM_BYTES: Final = 64 * 1024 * 1024

_HEADER_BYTES: Final = 8
_CUSTOM, _COMPONENT, _INSTANCE, _EXPORT = 0, 4, 5, 11
_AUTHOR: Final = "veracruz_author.py"


def compile_python(source: Path) -> bytes:
    """The component that a module in Python builds.

    Modules beside it may be imported; their folder comes first in the path.

    Raises:
        BuildError: the toolchain is missing, or refuses the source.
    """
    tool = _tool()
    check_source(source)
    with tempfile.TemporaryDirectory(prefix="veracruz-build-") as name:
        folder = Path(name)
        (folder / "world.wit").write_text(wit())
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source_folder("python"), folder, dirs_exist_ok=True, ignore=ignored)
        shutil.copyfile(source, folder / _AUTHOR)
        output = folder / "program.wasm"
        command = [
            str(tool), "--quiet", "-d", str(folder / "world.wit"), "-w", "guest",
            # An isolate offers no WASI: what CPython imports of it becomes a trap inside.
            "componentize", "--stub-wasi", "-p", str(folder), "-p", str(source.resolve().parent),
            "veracruz_app", "-o", str(output),
        ]  # fmt: skip
        _run(command, folder, source)
        code = without_initialisation(output.read_bytes())
    try:
        # The author learns it now: the isolate would refuse it with all parties waiting.
        check_module(code, limits=EngineLimits(module_bytes=PROGRAM_BYTES))
    except ModuleRefusedError as error:
        raise BuildError(f"{source} builds a component that isolates do not run: {error}") from None
    return code


def made_by_python(code: bytes, *, debug: bool = False) -> Made:
    """What `compile_python` built, with what repeats it.

    Raises:
        BuildError: it is not installed.
    """
    _tool()
    package = Path(str(files("componentize_py")))
    tool = Tool.of("componentize-py", COMPONENTIZE_VERSION, *sorted(package.glob("*.so")))
    return Made(code, "Python", (tool,), target="component", flags=("--stub-wasi",), debug=debug)


def without_initialisation(code: bytes) -> bytes:
    """A component without what its tool needed to initialise it: the world wants `main` alone.

    The instance that exports the initialiser is the only one, and nothing refers to it.
    """
    return code[:_HEADER_BYTES] + b"".join(_kept(code))


def _kept(code: bytes) -> Iterator[bytes]:
    whole = WasmReader(code, _HEADER_BYTES, len(code))
    while whole.at < whole.end:
        begin, section = whole.at, whole.byte()
        size = whole.u32()
        start = whole.skip(size)
        if section in (_CUSTOM, _COMPONENT, _INSTANCE):
            continue
        if section == _EXPORT and b"\x07exports\x05" in code[start : start + 16]:
            continue
        yield code[begin : whole.at]


def _run(command: list[str], folder: Path, source: Path) -> None:
    # Little of the user's: the interpreter that runs in there is frozen into what others get.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    ran = run_tool(
        command,
        folder,
        name="componentize-py",
        timeout_s=BUILD_SECONDS,
        environment=environment,
    )
    if not ran.succeeded:
        said = ran.words or ran.output.strip()
        for each in (str(folder / _AUTHOR), f"/0/{_AUTHOR}"):  # as it is, and as the tool mounts it
            said = said.replace(each, str(source))
        raise refusal("componentize-py", source, said[-8000:])


def _tool() -> Path:
    remedy = f"pip install componentize-py=={COMPONENTIZE_VERSION}, or install veracruz-sdk[python]"
    try:
        found = version("componentize-py")
    except PackageNotFoundError:
        raise BuildError(f"the toolchain for Python is missing: {remedy}") from None
    if found != COMPONENTIZE_VERSION:
        raise BuildError(
            f"componentize-py is version {found}, expected {COMPONENTIZE_VERSION}: {remedy}"
        )
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        if (tool := Path(folder, "componentize-py")).is_file():
            return tool
    raise BuildError(f"componentize-py is installed without its command: {remedy}")
