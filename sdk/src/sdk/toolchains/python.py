"""Builds programs in Python: a core that all of them share, and the author's sources.

The same sources on the same core are the same bytes, wherever they are built.
"""

import json
import tokenize
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from execution_engine.code_cache import CodeCache
from execution_engine.errors import EngineError
from execution_engine.limits import EngineLimits
from execution_engine.program import TimedProgram
from execution_engine.run import RunInputs
from platform_services import LinuxRandomSource
from sdk.errors import BuildError
from sdk.toolchains.made import Made
from sdk.toolchains.python_core import cache_folder, joined, made_of, make_core
from sdk.toolchains.python_source import check_source, sources_of
from sdk.toolchains.tool import refusal
from veracruz_utils.policy import Strategy

_MAIN: Final = "main"
_WHO: Final = "Python"
TRY_SECONDS: Final = 60
"""What a program may take to be imported."""


def compile_python(source: Path, *, core: bytes | None = None) -> bytes:
    """The program that a module in Python is, with the modules beside it that it imports.

    Args:
        source: the module; it is `main.py` in the program, whatever it is called.
        core: which core it begins with; without one, this user's, which is made if need be.

    Raises:
        BuildError: the toolchain is missing, or Python refuses the source.
    """
    check_source(source)
    files = {name: _text(file) for name, file in sources_of(source).items()}
    core = make_core() if core is None else core
    _try(joined(core, _part(files, check=True)), source)
    return joined(core, _part(files))


def _part(files: Mapping[str, str], **more: object) -> bytes:
    part = {"main": _MAIN, "files": files, **more}
    return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _text(file: Path) -> str:
    try:
        with tokenize.open(file) as opened:
            return opened.read()
    except OSError as error:
        raise BuildError(f"cannot read {file}: {(error.strerror or '').lower()}") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BuildError(f"{file}: {error}") from None


def made_by_python(code: bytes, *, debug: bool = False) -> Made:
    """What `compile_python` built, with what repeats it.

    Raises:
        BuildError: the toolchain is not installed.
    """
    return made_of(code, debug=debug)


def _try(program: bytes, source: Path) -> None:
    """Have the interpreter load the program, which tells the author what it does not take.

    The first time that this user does it, the core is compiled.
    """
    try:
        cache = CodeCache.in_directory(cache_folder() / "code")
        limits = EngineLimits(run_seconds=TRY_SECONDS)
        with TimedProgram.load(
            program, strategy=Strategy.JIT, limits=limits, cache=cache, threads=True
        ) as loaded:
            outcome = loaded.run(RunInputs(), random=LinuxRandomSource())
    except EngineError as error:
        raise BuildError(f"{source} builds a program that isolates do not run: {error}") from None
    if outcome.return_code:
        said = outcome.message.replace(f'"{_MAIN}.py"', f'"{source}"')
        raise refusal(_WHO, source, said.strip())
