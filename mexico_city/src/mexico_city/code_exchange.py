"""Compiled code across computations: what the front process has to do with it.

Compiling can take longer than a computation. So Sonora keeps compiled code from one isolate of
this runtime to the next, without being able to read anything into it: code is as good as what a
front process says of it, with a key that Sonora gives to front processes alone.

    guest ──code──▶ front: authenticates ──code, tag──▶ Sonora
    Sonora ──key, code, tag──▶ front of a later isolate: checks ──code──▶ guest

What keeps one program from having a say in another: the key is derived from the program's digest,
so the front of one program cannot authenticate code for another; a guest process never has it; and
code is taken from a guest only in answer to `Load`, before any input was ever in its reach. What a
malicious program could do to its own compilation, it can do to its own compilation only. Code that
is not authentic, for whatever reason, is as good as absent.

Programs of one interpreter begin with the same core (`execution_engine.author_part`). Its code is
for all of them, so no front has a say in it: Sonora has it made by a process that has the core and
nothing else (`preparing`), and hands it to fronts, which take Sonora's word for whose it is.
"""

import contextlib
import fcntl
import hmac
import mmap
import os
import socket
from typing import Final

from colima import frame, isolate, read_frame
from colima.isolate import MAX_CORE_BYTES, TRAILER_BYTES
from execution_engine.author_part import Parts, parts_of
from execution_engine.code_tag import code_context, code_tag
from execution_engine.compiled_program import core_digest, settings_of
from execution_engine.reader import BinaryError
from execution_engine.static_limits import is_component
from execution_engine.strategy import EngineSettings
from mexico_city.content import Content, Sealing, anonymous_file, content_of, file_size
from mexico_city.errors import RuntimeFailure
from mexico_city.limits import engine_limits
from platform_services.descriptors import receive_descriptors, send_descriptors
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy
from veracruz_utils.secret import Secret

MAX_CODE_BYTES: Final = 256 * 1024 * 1024
MAX_CORES: Final = 4
"""Cores whose code an isolate is told of; each is a file."""
_NO_PROGRAM: Final = Digest(bytes(32))
_SEALED: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def engine_name(settings: EngineSettings) -> bytes:
    """What stands for the engine and its settings, 32 bytes, whatever it compiles."""
    return Digest.of(code_context(_NO_PROGRAM, settings)).value


class CodeExchange:
    """The compiled code of the policy's program: offered by Sonora, or made by the guest.

    Args:
        policy: which program, by which strategy, within which limits.
        sonora: the channel to Sonora.

    Attributes:
        name: what stands for this code, 32 bytes: the digest of program, engine and settings.
        engine_name: what stands for engine and settings alone.
    """

    def __init__(self, policy: Policy, sonora: socket.socket) -> None:
        settings = settings_of(
            policy.strategy,
            engine_limits(policy.limits),
            canonical_nans=policy.conduct.canonical_nans,
        )
        self._context = code_context(policy.program_digest, settings)
        self.name = Digest.of(self._context).value
        self.engine_name = engine_name(settings)
        self._prepared: dict[bytes, tuple[int, int]] = {}
        self._seen: tuple[Content, int] | None = None
        self._code: Content | None = None
        self._file = -1
        self._asked = False
        self._sonora = sonora
        self._key: Secret | None = None
        self._sealing: Sealing | None = None

    def for_guest(self, program: Content) -> tuple[int, int]:
        """Descriptor and size of the program's code; of an empty file and 0 for a guest to fill."""
        if self._code is not None:
            return self._code.descriptor, self._code.size
        core, size = _core_of(program)
        if core in self._prepared:
            return self._prepared[core]
        self._seen = (program, size) if core else None
        if self._file < 0:
            self._file = anonymous_file("code")
        return self._file, 0

    @property
    def busy(self) -> bool:
        """Whether there is something to `go_on` with."""
        return self._sealing is not None

    def receive_offer(self) -> None:
        """Take what Sonora has, once, at the start.

        Raises:
            VeracruzError: Sonora is gone.
        """
        payload = read_frame(self._sonora.recv)
        if payload is None:
            raise RuntimeFailure("sonora is gone")
        offer = isolate.TO_RUNTIME.decode(payload)
        if not isinstance(offer, isolate.CodeOffer):
            raise RuntimeFailure("sonora sent no offer of code")
        self._key = Secret(offer.key)
        if offer.size:
            (descriptor,) = receive_descriptors(self._sonora, 1)
            self._code = self._authentic(descriptor, offer)
            if self._code is None:
                os.close(descriptor)

    def take_prepared(self, descriptor: int) -> bool:
        """Take a core's code that Sonora hands over; False for a descriptor that is no file's.

        Code of another engine or other settings is of no use here.
        """
        try:
            size = file_size(descriptor) - TRAILER_BYTES
        except OSError:
            return False
        trailer = os.pread(descriptor, TRAILER_BYTES, max(0, size))
        core, engine = trailer[:32], trailer[32:]
        usable = 0 < size <= MAX_CODE_BYTES and engine == self.engine_name
        room = core not in self._prepared and len(self._prepared) < MAX_CORES
        if usable and room and _is_sealed(descriptor):
            self._prepared[core] = descriptor, size
        else:
            os.close(descriptor)
        return True

    def loading_ended(self, written: int) -> None:
        """A guest has seen the program, and wrote so many bytes of code before any input.

        Only the first one's is taken, and at no other time: with an input in reach a guest could
        put in what a later computation of the same program would then do.
        """
        file, self._file = self._file, -1
        first, self._asked = not self._asked, True
        if file < 0:
            return  # it was given code
        if not first or not written:
            os.close(file)
            return
        self._tell_of_core()
        with contextlib.suppress(RuntimeFailure):  # without the code the program runs all the same
            self._sealing = Sealing(file, size=written, limit=MAX_CODE_BYTES)

    def close(self) -> None:
        """Forget the code: no guest will be asked to load the program any more."""
        if self._code is not None:
            self._code.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        while self._prepared:
            os.close(self._prepared.popitem()[1][0])

    def go_on(self) -> None:
        """Do a part of reading the code that the guest made; in the end, give it to Sonora."""
        if self._sealing is None:
            return
        content = self._sealing.step()
        if content is not None:
            self._sealing = None
            self._give(content)

    def _give(self, content: Content) -> None:
        assert self._key is not None
        tag = code_tag(self._key, self._context, content.digest)
        made = isolate.FROM_RUNTIME.encode(isolate.CodeMade(tag, content.size))
        with contextlib.suppress(OSError):  # Sonora is gone, which the front notices by itself
            self._sonora.sendall(frame(made))
            send_descriptors(self._sonora, [content.descriptor])
        self._code = content  # for the next guest, if there is one

    def _tell_of_core(self) -> None:
        """Tell Sonora, which has it compiled for later programs that begin with it."""
        if self._seen is None:
            return
        (program, size), self._seen = self._seen, None
        with contextlib.suppress(OSError):
            # A copy: what the author wrote does not leave the isolate.
            with (
                mmap.mmap(program.descriptor, program.size, prot=mmap.PROT_READ) as mapping,
                memoryview(mapping) as code,
                code[:size] as core,
            ):
                content = content_of(core)
            with contextlib.closing(content):
                self._sonora.sendall(frame(isolate.FROM_RUNTIME.encode(isolate.CoreSeen(size))))
                send_descriptors(self._sonora, [content.descriptor])

    def _authentic(self, descriptor: int, offer: isolate.CodeOffer) -> Content | None:
        """The file if it is `size` bytes that cannot change, and a front process vouched for."""
        assert self._key is not None
        if offer.size > MAX_CODE_BYTES or file_size(descriptor) != offer.size:
            return None
        # Unsealed, it could change after the check, or be cut while it is mapped: that is a SIGBUS.
        if not _is_sealed(descriptor):
            return None
        with (
            mmap.mmap(descriptor, offer.size, prot=mmap.PROT_READ) as mapping,
            memoryview(mapping) as code,
        ):
            digest = Digest.of(code)
        if not hmac.compare_digest(code_tag(self._key, self._context, digest), offer.tag):
            return None
        return Content(descriptor, offer.size, digest)


def _is_sealed(descriptor: int) -> bool:
    return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALED == _SEALED


def _core_of(program: Content) -> tuple[bytes, int]:
    """Digest and size of the core that a program with an author's part begins with, or none."""
    if not program.size:
        return b"", 0
    with (
        mmap.mmap(program.descriptor, program.size, prot=mmap.PROT_READ) as mapping,
        memoryview(mapping) as code,
    ):
        parts = _parts_of(code)
        if parts is None or parts.core_bytes > MAX_CORE_BYTES:
            return b"", 0
        return core_digest(code, parts).value, parts.core_bytes


def _parts_of(code: memoryview) -> Parts | None:
    """Where its parts are; None of what is no component with an author's part."""
    if not is_component(bytes(code[:8])):
        return None
    try:
        parts = parts_of(code)
    except BinaryError:  # which its guest says
        return None
    return parts if parts.core_bytes < len(code) else None
