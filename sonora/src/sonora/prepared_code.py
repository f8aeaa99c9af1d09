"""Compiled code of cores: interpreters that the programs of many people begin with.

Each core is compiled by a process that has it and nothing else, never by an isolate: what lies here
is a function of the core and the engine's settings, and goes to every isolate of these settings. So
no program, no principal and no isolate that was taken over has a say in another's code.
"""

import contextlib
import fcntl
import itertools
import logging
import mmap
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from colima.isolate import MAX_CORE_BYTES, TRAILER_BYTES
from veracruz_utils.digest import Digest

MAX_CORES: Final = 4
"""Known at a time; an interpreter's core is some 20 MB, its code twice as much."""
MAX_CODES: Final = 8
MAX_WISHES: Final = 8
"""That wait to be compiled: policies can have more settings than anybody could compile for."""
_MOST_ATTEMPTS: Final = 3
_FAILURES_KEPT: Final = 64
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
_DIGEST_BYTES: Final = 32

_LOG = logging.getLogger(__name__)

Compile = Callable[[bytes, int, int, int], bool]
"""Compiles a core: as for this policy, from a descriptor, of so many bytes, into a file."""
_ENDED, _SOON, _LATER = range(3)
"""What is taken from the queue first."""


@dataclass(slots=True)
class _Core:
    descriptor: int
    size: int
    stays: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    core: Digest
    policy: bytes
    engine: bytes
    later: bool = False


class PreparedCode:
    """The code of the cores that are known, by engine and settings. Safe to share between threads.

    What was not asked for or seen for longest makes room, so that nobody who launches isolates can
    keep others from having theirs; an operator's cores stay.

    Args:
        compile_core: makes the code, which takes long; called in a thread of its own.
        hand_out: is given the descriptor of code that was made, and the name of its engine.
        keep_core: is given each core that an isolate has seen, once it could be compiled.
    """

    def __init__(
        self,
        compile_core: Compile,
        hand_out: Callable[[int, bytes], None],
        keep_core: Callable[[Digest, bytes], None] = lambda *_: None,
    ) -> None:
        self._keep_core = keep_core
        self._compile = compile_core
        self._hand_out = hand_out
        self._cores: OrderedDict[Digest, _Core] = OrderedDict()
        self._codes: OrderedDict[tuple[Digest, bytes], int] = OrderedDict()
        self._wished: set[tuple[Digest, bytes]] = set()
        self._failures: OrderedDict[tuple[Digest, bytes], int] = OrderedDict()
        self._queue: queue.PriorityQueue[tuple[int, int, _Wish | None]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many wishes wait to be fulfilled."""
        return self._queue.qsize()

    def add(
        self, core: bytes | memoryview, *, stays: bool = False, seen: bool = False
    ) -> Digest | None:
        """Know a core from now on, until others need the room, or if it `stays`, for good.

        With `seen` a program that begins with it was run. None when there is no room for it.

        Raises:
            OSError: there is no memory for it.
        """
        if not 0 < len(core) <= MAX_CORE_BYTES:
            return None
        digest = Digest.of(core)
        with self._lock:
            if digest in self._cores:
                self._cores.move_to_end(digest)
                self._cores[digest].seen |= seen
                return digest
            if len(self._cores) >= MAX_CORES:
                gone = next((each for each, of in self._cores.items() if not of.stays), None)
                if gone is None:
                    return None
                self._forget(gone)
            self._cores[digest] = _Core(_sealed_file(core), len(core), stays, seen)
        return digest

    def add_kept(self, digest: Digest, core: bytes) -> None:
        """Know a core of before a restart where there is room, and compile it as for most policies.

        That is done when nothing else waits, and not at all if it was wanted meanwhile.

        Raises:
            OSError: there is no memory for it.
        """
        with self._lock:
            if digest in self._cores or len(self._cores) >= MAX_CORES:
                return
            self._cores[digest] = _Core(_sealed_file(core), len(core))
            self._cores.move_to_end(digest, last=False)  # it makes room first
            self._start()
        self._put(_LATER, _Wish(digest, b"", b"", later=True))

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
                return self.add(core, seen=True)

    def want(self, policy: bytes, engine: bytes) -> None:
        """Have all cores compiled as isolates of this policy do, if they are not; the latest first.

        What failed a few times is not tried again, and more than a few do not wait: who asks again
        later may find that there is room.
        """
        with self._lock:
            missing = [
                key
                for key in ((core, engine) for core in reversed(self._cores))
                if key not in self._codes
                and key not in self._wished
                and self._failures.get(key, 0) < _MOST_ATTEMPTS
            ]
            missing = missing[: MAX_WISHES - len(self._wished)]
            self._wished.update(missing)
            if missing:
                self._start()
        for core, _ in missing:
            self._put(_SOON, _Wish(core, policy, engine))

    @contextlib.contextmanager
    def of_engine(self, engine: bytes) -> Iterator[list[int]]:
        """Descriptors of all code for an engine and settings, while the caller needs them."""
        with self._lock:
            keys = [key for key in self._codes if key[1] == engine]
            for key in keys:
                self._codes.move_to_end(key)
                self._cores.move_to_end(key[0])
            found = [os.dup(self._codes[key]) for key in keys]
        try:
            yield found
        finally:
            for descriptor in found:
                os.close(descriptor)

    def close(self) -> None:
        """Forget everything; what is being compiled is not waited for."""
        self._put(_ENDED, None)
        with self._lock:
            descriptors = [core.descriptor for core in self._cores.values()]
            descriptors += self._codes.values()
            self._cores.clear()
            self._codes.clear()
            for descriptor in descriptors:
                os.close(descriptor)

    def _start(self) -> None:
        """Have wishes fulfilled; the lock is held."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="preparing", daemon=True)
            self._worker.start()

    def _put(self, when: int, wish: _Wish | None) -> None:
        self._queue.put((when, next(self._order), wish))

    def _work(self) -> None:
        while (wish := self._queue.get()[2]) is not None:
            try:
                done = self._fulfil(wish)
            except OSError as error:  # it is of this wish, and no reason to grant no other
                _LOG.warning("a core was not compiled: %s", error.strerror)
                done = False
            key = wish.core, wish.engine
            with self._lock:
                self._wished.discard(key)
                if not done:
                    self._failures[key] = self._failures.pop(key, 0) + 1
                    if len(self._failures) > _FAILURES_KEPT:
                        self._failures.popitem(last=False)

    def _fulfil(self, wish: _Wish) -> bool:
        """Compile a core, if it is still known and wanted; False if that failed."""
        with self._lock:
            core = self._cores.get(wish.core)
            if core is None or (wish.core, wish.engine) in self._codes:
                return True
            if wish.later and any(each == wish.core for each, _ in self._codes):
                return True  # who came first has had it compiled
            descriptor = os.dup(core.descriptor)
        try:
            done = self._prepare(wish, descriptor, core.size)
            if done and core.seen and not core.stays:
                core.seen = False
                self._keep_core(wish.core, os.pread(descriptor, core.size, 0))
            return done
        finally:
            os.close(descriptor)

    def _prepare(self, wish: _Wish, core: int, size: int) -> bool:
        code = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        kept = False
        try:
            if self._compile(wish.policy, core, size, code):
                fcntl.fcntl(code, fcntl.F_ADD_SEALS, _SEALS | fcntl.F_SEAL_SEAL)
                kept = self._keep(wish.core, code)
        finally:
            if not kept:
                os.close(code)
        return kept

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
            # Once the lock is free it may have to make room, and its number be another file's.
            told = os.dup(code)
            while len(self._codes) >= MAX_CODES:
                os.close(self._codes.popitem(last=False)[1])
            self._codes[core, engine] = code
        _LOG.info("code of core %s prepared: %d bytes", core, size)
        try:
            self._hand_out(told, engine)
        finally:
            os.close(told)
        return True

    def _forget(self, core: Digest) -> None:
        """Forget a core and its code; the lock is held."""
        os.close(self._cores.pop(core).descriptor)
        for key in [key for key in self._codes if key[0] == core]:
            os.close(self._codes.pop(key))


def _sealed_file(content: bytes | memoryview) -> int:
    descriptor = os.memfd_create("core", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.close(descriptor)
        raise
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS | fcntl.F_SEAL_SEAL)
    return descriptor


def _is_sealed(descriptor: int) -> bool:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS
    except OSError:
        return False
