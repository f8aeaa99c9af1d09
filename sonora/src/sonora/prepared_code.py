"""Compiled code of cores: interpreters that the programs of many people begin with.

Each core is compiled by a process that has it and nothing else, never by an isolate: what lies here
is a function of the core and the engine's settings, and goes to every isolate of these settings. So
no program, no principal and no isolate that was taken over has a say in another's code.
"""

import contextlib
import fcntl
import logging
import mmap
import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from colima.isolate import TRAILER_BYTES
from veracruz_utils.digest import Digest

MAX_CORES: Final = 4
"""Known at a time; an interpreter's core is some 20 MB, its code twice as much."""
MAX_CORE_BYTES: Final = 64 * 1024 * 1024
MAX_CODES: Final = 8
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
_DIGEST_BYTES: Final = 32

_LOG = logging.getLogger(__name__)

Compile = Callable[[bytes, int, int, int], bool]
"""Compiles a core: as for this policy, from a descriptor, of so many bytes, into a file."""


@dataclass(frozen=True, slots=True)
class _Core:
    descriptor: int
    size: int


@dataclass(frozen=True, slots=True)
class _Wish:
    core: Digest
    policy: bytes
    engine: bytes


class PreparedCode:
    """The code of the cores that are known, by engine and settings. Safe to share between threads.

    Args:
        compile_core: makes the code, which takes long; called in a thread of its own.
        hand_out: is given the descriptor of code that was made, and the name of its engine.
    """

    def __init__(self, compile_core: Compile, hand_out: Callable[[int, bytes], None]) -> None:
        self._compile = compile_core
        self._hand_out = hand_out
        self._cores: dict[Digest, _Core] = {}
        self._codes: dict[tuple[Digest, bytes], int] = {}
        self._wished: set[tuple[Digest, bytes]] = set()
        self._queue: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def add(self, core: bytes | memoryview) -> Digest | None:
        """Know a core from now on; None when there is no room for it."""
        if not 0 < len(core) <= MAX_CORE_BYTES:
            return None
        digest = Digest.of(core)
        with self._lock:
            if digest not in self._cores:
                if len(self._cores) >= MAX_CORES:
                    return None
                self._cores[digest] = _Core(_sealed_file(core), len(core))
        return digest

    def add_file(self, descriptor: int, size: int) -> Digest | None:
        """Know a core that an isolate has seen; its file becomes ours, and is looked at once."""
        with contextlib.closing(os.fdopen(descriptor, "rb")) as file:
            # Unsealed it could be cut while it is mapped, which would be our end.
            if not _is_sealed(descriptor) or os.fstat(descriptor).st_size != size:
                return None
            if not 0 < size <= MAX_CORE_BYTES:
                return None
            with (
                mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapping,
                memoryview(mapping) as core,
            ):
                return self.add(core)

    def want(self, policy: bytes, engine: bytes) -> None:
        """Have all cores compiled as isolates of this policy do, if they are not."""
        with self._lock:
            missing = [
                (core, engine)
                for core in self._cores
                if (core, engine) not in self._codes and (core, engine) not in self._wished
            ]
            self._wished.update(missing)
            if missing and self._worker is None:
                self._worker = threading.Thread(target=self._work, name="preparing", daemon=True)
                self._worker.start()
        for core, _ in missing:
            self._queue.put(_Wish(core, policy, engine))

    @contextlib.contextmanager
    def of_engine(self, engine: bytes) -> Iterator[list[int]]:
        """Descriptors of all code for an engine and settings, while the caller needs them."""
        with self._lock:
            found = [os.dup(file) for (_, name), file in self._codes.items() if name == engine]
        try:
            yield found
        finally:
            for descriptor in found:
                os.close(descriptor)

    def close(self) -> None:
        """Forget everything; what is being compiled is not waited for."""
        self._queue.put(None)
        with self._lock:
            descriptors = [core.descriptor for core in self._cores.values()]
            descriptors += self._codes.values()
            self._cores.clear()
            self._codes.clear()
            for descriptor in descriptors:
                os.close(descriptor)

    def _work(self) -> None:
        while (wish := self._queue.get()) is not None:
            with self._lock:
                there = (wish.core, wish.engine) in self._codes
                core = None if there else self._cores.get(wish.core)
                descriptor = -1 if core is None else os.dup(core.descriptor)
            if core is None:
                continue
            try:
                self._prepare(wish, descriptor, core.size)
            finally:
                os.close(descriptor)

    def _prepare(self, wish: _Wish, core: int, size: int) -> None:
        code = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        kept = False
        try:
            if self._compile(wish.policy, core, size, code):
                fcntl.fcntl(code, fcntl.F_ADD_SEALS, _SEALS | fcntl.F_SEAL_SEAL)
                kept = self._keep(wish.core, code)
        except OSError as error:
            _LOG.warning("a core was not compiled: %s", error.strerror)
        finally:
            if not kept:
                os.close(code)

    def _keep(self, core: Digest, code: int) -> bool:
        """Keep code and hand it out, if it says of itself what we know of it."""
        size = os.fstat(code).st_size - TRAILER_BYTES
        trailer = os.pread(code, TRAILER_BYTES, max(0, size))
        engine = trailer[_DIGEST_BYTES:]
        if size <= 0 or trailer[:_DIGEST_BYTES] != core.value:
            _LOG.warning("the process that compiled a core left no code of it")
            return False
        with self._lock:
            if core not in self._cores or (core, engine) in self._codes:
                return False
            while len(self._codes) >= MAX_CODES:
                os.close(self._codes.pop(next(iter(self._codes))))
            self._codes[core, engine] = code
        _LOG.info("code of core %s prepared: %d bytes", core, size)
        self._hand_out(code, engine)
        return True


def _sealed_file(content: bytes | memoryview) -> int:
    descriptor = os.memfd_create("core", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS | fcntl.F_SEAL_SEAL)
    return descriptor


def _is_sealed(descriptor: int) -> bool:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS
    except OSError:
        return False
