"""The core of programs in Python: CPython as a component, made once and kept.

It has no author's source in it, so one is enough for all programs; isolates keep its compiled code
for all of them. A build of it is not reproducible: the tool freezes an interpreter that has run,
with its hash seed and the times of files. So the core is a file to hand on: a program begins with
it, byte for byte, and who has one program builds others, and the same one again, on its core.
"""

import fcntl
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from execution_engine.author_part import NAME, parts_of
from execution_engine.errors import EngineError
from execution_engine.limits import EngineLimits
from execution_engine.reader import HEADER_BYTES, WasmReader, sections
from execution_engine.static_limits import is_component
from execution_engine.wasm.examination import check_module
from execution_engine.wit import wit
from sdk.errors import BuildError
from sdk.toolchains import python_trimming
from sdk.toolchains.core_store import keep_core, kept_core
from sdk.toolchains.made import Made, Tool, with_producers
from sdk.toolchains.scratch import build_folder
from sdk.toolchains.sources import source_folder
from sdk.toolchains.tool import refusal, run_tool
from sdk.wasm_writing import u32
from veracruz_shells.cache import own_folder, user_cache

COMPONENTIZE_VERSION: Final = "0.25.1"
BUILD_SECONDS: Final = 600
_CUSTOM, _COMPONENT, _INSTANCE, _EXPORT = 0, 4, 5, 11


def cache_folder() -> Path:
    """Where this user's core is, and compiled code of it; whoever else wrote there would be in it.

    Raises:
        VeracruzError: it is open to others, or cannot be made.
    """
    return own_folder(user_cache() / "python")


def make_core() -> bytes:
    """The core that this SDK makes: this user's, or a new one where there is none.

    Raises:
        BuildError: the toolchain is missing, or fails.
        VeracruzError: the core cannot be kept.
    """
    tool = _tool()
    folder, inputs = cache_folder(), _inputs_digest()
    with _alone(folder):
        if (kept := kept_core(folder, inputs)) is not None:
            return kept
        core = _build(tool)
        keep_core(folder, inputs, core)
        return core


def made_of(code: bytes, *, debug: bool = False) -> Made:
    """A core, or a program on one, with what repeats its build.

    Raises:
        BuildError: the toolchain is missing.
    """
    _tool()
    package = Path(str(files("componentize_py")))
    tool = Tool.of("componentize-py", COMPONENTIZE_VERSION, *sorted(package.glob("*.so")))
    return Made(code, "Python", (tool,), target="component", flags=("--stub-wasi",), debug=debug)


def core_in(program: bytes) -> bytes:
    """The core that a program in Python begins with; itself, if it is a core.

    Raises:
        BuildError: it is no component.
    """
    try:
        if not is_component(program):
            raise BuildError("it is no component: give a program in Python, or a core")
        return program[: parts_of(program).core_bytes]
    except EngineError as error:
        raise BuildError(f"it is no component: {error}") from None


def joined(core: bytes, author: bytes) -> bytes:
    """A program of a core and the author's part, see `execution_engine.author_part`."""
    content = u32(len(NAME)) + NAME + author
    return core + bytes([_CUSTOM]) + u32(len(content)) + content


def without_initialisation(code: bytes) -> bytes:
    """A component without what its tool needed to initialise it: the world wants `main` alone.

    The instance that exports the initialiser is the only one, and nothing refers to it.
    """
    return code[:HEADER_BYTES] + b"".join(_kept(code))


def _kept(code: bytes) -> Iterator[bytes]:
    whole = WasmReader(code, HEADER_BYTES, len(code))
    for _, section, content in sections(code, 0, len(code)):
        begin, whole.at = whole.at, content.end
        if section in (_CUSTOM, _COMPONENT, _INSTANCE):
            continue
        if section == _EXPORT and b"\x07exports\x05" in code[content.at : content.at + 16]:
            continue
        yield code[begin : content.end]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: others wait for the core, and do not make it as well."""
    try:
        lock = folder.joinpath("lock").open("w")
    except OSError as error:
        raise BuildError(f"cannot keep the core of Python in {folder}: {error.strerror}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _inputs_digest() -> str:
    """The digest of all that the core is made of."""
    folder = source_folder("python")
    digest = sha256(f"{COMPONENTIZE_VERSION}\n{wit()}\n".encode())
    sources = {
        str(file.relative_to(folder)): file
        for pattern in ("*.py", "*.so")
        for file in folder.rglob(pattern)
    }
    sources["trimming"] = Path(python_trimming.__file__)
    for name, file in sorted(sources.items()):
        content = file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _build(tool: Path) -> bytes:
    with build_folder() as folder:
        (folder / "world.wit").write_text(wit())
        ignored = shutil.ignore_patterns("__pycache__", "*.c", "*.h")
        shutil.copytree(source_folder("python"), folder, dirs_exist_ok=True, ignore=ignored)
        output = folder / "core.wasm"
        command = [
            str(tool), "--quiet", "-d", str(folder / "world.wit"), "-w", "guest",
            # An isolate offers no WASI: what CPython imports of it becomes a trap inside.
            "componentize", "--stub-wasi", "-p", str(folder), "veracruz_app", "-o", str(output),
        ]  # fmt: skip
        # Little of the user's: the interpreter that runs in there is frozen into what others get.
        environment = {
            # It looks for a Python there, and among what that has installed: there is none to find.
            "PATH": str(folder),
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
            raise refusal("componentize-py", "the core of Python", ran.words or ran.output.strip())
        core = with_producers(
            made_of(python_trimming.trimmed(without_initialisation(output.read_bytes())))
        ).code
    try:
        check_module(core, limits=EngineLimits())
    except EngineError as error:
        raise BuildError(f"the core of Python is one that isolates do not run: {error}") from None
    return core


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
