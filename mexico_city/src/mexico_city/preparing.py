"""A process that compiles a core ahead, for the isolates of all programs that begin with it.

It is walled in as a guest is, and has the core's bytes and nothing else: no channel, no key, no
author's part. What it leaves in its file is a function of the core and the engine's settings. A
core that took it over could leave any code, which runs for that core only: Sonora knows which one
it gave, and holds the file's trailer against it.
"""

import mmap
import os
from typing import Final

from colima.isolate import TRAILER_BYTES
from execution_engine.compiled_program import CompiledProgram, settings_of
from execution_engine.strategy import EngineSettings
from mexico_city.code_exchange import MAX_CODE_BYTES, engine_name
from mexico_city.guest import write_all
from mexico_city.limits import engine_limits
from mexico_city.sandbox import entry, limits
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Policy, Strategy

_NICENESS: Final = 10
"""What is computed now goes first."""
_FILES: Final = 64


def run(policy_bytes: bytes, *, core: int, size: int, code: int, parent: int) -> int:
    """Compile the core; the exit status to leave with.

    Args:
        policy_bytes: how an isolate of this policy would; empty for one that says nothing of it.
        core: the descriptor of the core.
        size: of the core, in bytes.
        code: the descriptor of an empty file for the code and its trailer.
        parent: the process id of the zygote.
    """
    os.nice(_NICENESS)
    entry.enter(keep={core, code}, parent=parent)
    entry.settle_in(keep={core, code})
    strategy, given, canonical_nans = Strategy.JIT, Limits(), False
    if policy_bytes:
        policy = Policy.parse(policy_bytes, at=None)
        strategy, given = policy.strategy, policy.limits
        canonical_nans = policy.conduct.canonical_nans
    limits.bound_files(files=_FILES, file_bytes=MAX_CODE_BYTES + TRAILER_BYTES)
    limits.bound_memory(given)
    limits.bound_addresses(mapped_bytes=size)
    if strategy is Strategy.INTERPRETATION:
        entry.settle_guest()
    with mmap.mmap(core, size, prot=mmap.PROT_READ) as mapping:
        component = bytes(mapping)
    bounds = engine_limits(given)
    kept = _Kept(code)
    CompiledProgram.load(
        component,
        strategy=strategy,
        limits=bounds,
        canonical_nans=canonical_nans,
        cache=kept,
        threads=True,
    )
    name = engine_name(settings_of(strategy, bounds, canonical_nans=canonical_nans))
    write_all(code, memoryview(Digest.of(component).value + name))
    return 0


class _Kept:
    """The file that the code goes to."""

    def __init__(self, file: int) -> None:
        self._file = file

    def find(self, program: Digest, settings: EngineSettings) -> bytes | None:
        del program, settings
        return None

    def keep(self, program: Digest, settings: EngineSettings, code: bytes | bytearray) -> None:
        del program, settings
        write_all(self._file, memoryview(code))
