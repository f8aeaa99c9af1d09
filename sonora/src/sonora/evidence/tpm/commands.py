"""The commands of a TPM 2.0 that enrolment needs, by name (TCG, "TPM 2.0 Library", Part 3).

Passwords are empty: access to the device, and the sealing of it to Sonora's user, protect the use
of its keys.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sonora.evidence.base import EvidenceUnavailableError
from sonora.evidence.tpm.answers import TpmAnswer, sized, u16, u32
from sonora.evidence.tpm.transport import Exchange, patient

REGISTERS: Final = tuple(range(24))
ENDORSEMENT: Final = 0x4000000B
"""TPM_RH_ENDORSEMENT, the hierarchy whose seed the manufacturer has certified keys of."""

_NO_SESSIONS, _SESSIONS = 0x8001, 0x8002
_NULL_HANDLE, _PASSWORD_SESSION = 0x40000007, 0x40000009
_NULL, _SHA256 = 0x0010, 0x000B
_CREATE_PRIMARY, _ACTIVATE_CREDENTIAL, _POLICY_SECRET = 0x131, 0x147, 0x151
_NV_READ, _QUOTE, _FLUSH_CONTEXT, _NV_READ_PUBLIC = 0x14E, 0x158, 0x165, 0x169
_READ_PUBLIC, _START_AUTH_SESSION, _GET_CAPABILITY, _PCR_READ = 0x173, 0x176, 0x17A, 0x17E
_POLICY: Final = 1
_NONCE_BYTES: Final = 16
_PROPERTIES, _MANUFACTURER = 6, 0x105
# Every TPM gives as much at once (TPM_PT_NV_BUFFER_MAX of the PC Client profile).
_NV_PIECE_BYTES: Final = 512
_MAX_NV_BYTES: Final = 16 * 1024
_PASSWORD: Final = u32(_PASSWORD_SESSION) + u16(0) + b"\0" + u16(0)


class Tpm:
    """A TPM; every method raises `EvidenceUnavailableError`, of which `TpmError` has its code.

    Args:
        exchange: how it is asked.
        pause: waits for so many seconds before a command is sent again.
    """

    def __init__(self, exchange: Exchange, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._exchange = patient(exchange, pause=pause)

    def manufacturer(self) -> str:
        """The four letters of whoever made it."""
        body = u32(_PROPERTIES) + u32(_MANUFACTURER) + u32(1)
        answer = self._ask(_GET_CAPABILITY, (), body)
        answer.take(1 + 4 + 4 + 4)  # whether there is more, capability, count, property
        return answer.take(4).rstrip(b"\0 ").decode("ascii", "replace")

    def public_area(self, handle: int) -> bytes:
        """The TPMT_PUBLIC of a key."""
        return self._ask(_READ_PUBLIC, (handle,), b"").sized()

    @contextlib.contextmanager
    def primary(self, hierarchy: int, template: bytes) -> Iterator[tuple[int, bytes]]:
        """The handle and the TPMT_PUBLIC of the primary key that a template gives; while it lasts.

        The same seed and template give the same key, always.
        """
        # No password and no data; no data from outside; no registers at its creation.
        body = sized(sized(b"") + sized(b"")) + sized(template) + sized(b"") + u32(0)
        answer = self._ask(_CREATE_PRIMARY, (hierarchy,), body, [_PASSWORD], gives_handle=True)
        handle = answer.handle
        try:
            yield handle, answer.sized()
        finally:
            # What went wrong in between is what is told.
            with contextlib.suppress(EvidenceUnavailableError):
                self._ask(_FLUSH_CONTEXT, (), u32(handle))

    def activate_credential(self, key: int, endorsement: int, blob: bytes, secret: bytes) -> bytes:
        """The secret of a credential that was made for `key` and the endorsement key.

        Args:
            key: handle of the attestation key.
            endorsement: handle of the endorsement key, whose policy is that of TCG's profile.
            blob: TPM2B_ID_OBJECT without its size.
            secret: TPM2B_ENCRYPTED_SECRET without its size.
        """
        body = sized(bytes(_NONCE_BYTES)) + sized(b"") + bytes([_POLICY]) + u16(_NULL)
        body += u16(_SHA256)
        handles = (_NULL_HANDLE, _NULL_HANDLE)
        session = self._ask(_START_AUTH_SESSION, handles, body, gives_handle=True).handle
        try:
            # No nonce, no digest of parameters, no reference, no end.
            empty = sized(b"") + sized(b"") + sized(b"") + u32(0)
            self._ask(_POLICY_SECRET, (ENDORSEMENT, session), empty, [_PASSWORD])
            policy = u32(session) + u16(0) + b"\1" + u16(0)  # the session outlives the command
            answer = self._ask(
                _ACTIVATE_CREDENTIAL,
                (key, endorsement),
                sized(blob) + sized(secret),
                [_PASSWORD, policy],
            )
            return answer.sized()
        finally:
            with contextlib.suppress(EvidenceUnavailableError):
                self._ask(_FLUSH_CONTEXT, (), u32(session))

    def quote(self, key: int, extra_data: bytes) -> tuple[bytes, bytes]:
        """TPMS_ATTEST and TPMT_SIGNATURE over all registers of the SHA-256 bank."""
        # No scheme of ours: a restricted key signs by its own alone.
        body = sized(extra_data) + u16(_NULL) + _selection(REGISTERS)
        answer = self._ask(_QUOTE, (key,), body, [_PASSWORD])
        return answer.sized(), answer.rest_of_parameters()

    def registers(self) -> list[bytes]:
        """All values of the SHA-256 bank; a TPM gives at most eight at once."""
        values: dict[int, bytes] = {}
        while missing := [index for index in REGISTERS if index not in values]:
            answer = self._ask(_PCR_READ, (), _selection(missing))
            answer.take(4)  # the update counter
            given = _selected(answer)
            if answer.number(4) != len(given) or not given:
                raise EvidenceUnavailableError("the TPM did not return the requested registers")
            values |= {index: answer.sized() for index in given}
        return [values[index] for index in REGISTERS]

    def stored(self, index: int) -> bytes:
        """What is in the TPM's own memory under an index that everybody may read."""
        public = TpmAnswer(self._ask(_NV_READ_PUBLIC, (index,), b"").sized())
        public.take(4 + 2 + 4)  # index, name algorithm, attributes
        public.sized()  # policy
        size = public.number(2)
        if size > _MAX_NV_BYTES:
            raise EvidenceUnavailableError(
                f"index {index:#x} of the TPM has {size} bytes, at most {_MAX_NV_BYTES} are read"
            )
        data = b""
        while len(data) < size:
            wanted = min(_NV_PIECE_BYTES, size - len(data))
            body = u16(wanted) + u16(len(data))
            piece = self._ask(_NV_READ, (index, index), body, [_PASSWORD]).sized()
            if len(piece) != wanted:
                raise EvidenceUnavailableError("the TPM did not return the requested bytes")
            data += piece
        return data

    def _ask(
        self,
        command: int,
        handles: Sequence[int],
        body: bytes,
        authorisations: Sequence[bytes] = (),
        *,
        gives_handle: bool = False,
    ) -> "_TpmReply":
        sessions = b"".join(authorisations)
        if sessions:
            sessions = u32(len(sessions)) + sessions
        rest = u32(command) + b"".join(map(u32, handles)) + sessions + body
        tag = _SESSIONS if sessions else _NO_SESSIONS
        answer = _TpmReply(self._exchange(u16(tag) + u32(6 + len(rest)) + rest))
        answer.header()
        if gives_handle:
            answer.handle = answer.number(4)
        if sessions:
            answer.begin_parameters()
        return answer


class _TpmReply(TpmAnswer):
    """An answer that may begin with a handle."""

    handle: int


def _selection(registers: Sequence[int]) -> bytes:
    bits = sum(1 << index for index in registers)
    return u32(1) + u16(_SHA256) + b"\3" + bits.to_bytes(3, "little")


def _selected(answer: TpmAnswer) -> list[int]:
    """A TPML_PCR_SELECTION of one bank."""
    if answer.number(4) != 1 or answer.number(2) != _SHA256:
        raise EvidenceUnavailableError("the TPM returned no registers of the SHA-256 bank")
    bits = int.from_bytes(answer.take(answer.number(1)), "little")
    return [index for index in REGISTERS if bits >> index & 1]
