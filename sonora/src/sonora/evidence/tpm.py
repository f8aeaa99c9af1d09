"""Evidence from a TPM 2.0: a quote over the machine's platform configuration registers.

Commands go to the kernel's resource manager, /dev/tpmrm0, as the TPM takes them: no library is
needed for three commands. The attestation key has to be there already, persistent and restricted
to signing; whose it is the verifier has to know, because nothing here certifies it. (TCG, "TPM 2.0
Library", Part 3: ReadPublic 12.4, Quote 18.4, PCR_Read 22.4.)
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from psa_attestation.evidence.native import NativeEvidence
from sonora.evidence.base import EvidenceUnavailableError

DEVICE: Final = Path("/dev/tpmrm0")
# Beside 0x81010001, where TCG's provisioning guidance puts the endorsement key.
KEY_HANDLE: Final = 0x81010002
REGISTERS: Final = tuple(range(24))
_MAX_ANSWER_BYTES: Final = 4096
_NO_SESSIONS, _SESSIONS = 0x8001, 0x8002
_READ_PUBLIC, _QUOTE, _PCR_READ = 0x173, 0x158, 0x17E
_PASSWORD_SESSION: Final = 0x40000009
_SHA256, _NULL = 0x000B, 0x0010
_RSA, _ECC = 0x0001, 0x0023
_CURVES: Final = {3: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}
# A TPM writes 0 for it.
_DEFAULT_EXPONENT: Final = 65537
Exchange = Callable[[bytes], bytes]
"""A command of the TPM, and its answer."""


class TpmSource:
    """Evidence of the machine we run on, as far as its TPM measured it.

    Args:
        handle: of the persistent attestation key.
        exchange: how the TPM is asked; by default through /dev/tpmrm0.

    Raises:
        EvidenceUnavailableError: there is no TPM, or no key of this handle.
    """

    platform = "tpm"

    def __init__(self, handle: int = KEY_HANDLE, exchange: Exchange | None = None) -> None:
        self._handle = handle
        self._exchange = exchange or exchange_with(DEVICE)
        self._key = self._read_public()

    @property
    def key_digest(self) -> bytes:
        """SHA-256 of the attestation key (DER SubjectPublicKeyInfo), for verifiers to register."""
        return hashlib.sha256(self._key).digest()

    def evidence(self, binding: bytes) -> bytes:
        """A quote over `binding` and all registers of the SHA-256 bank.

        A TPM takes no more than its longest digest, so the binding stands by itself.

        Raises:
            EvidenceUnavailableError: the TPM gives none.
        """
        # It signs a digest of the registers; the values beside it are the verifier's to hash.
        message, signature = self._quote(binding)
        quote = {
            "message": base64.b64encode(message).decode(),
            "signature": base64.b64encode(signature).decode(),
            "pcrs": [value.hex() for value in self._registers()],
        }
        document = {"ak_public": base64.b64encode(self._key).decode(), "tpm_quote": quote}
        return NativeEvidence(self.platform, json.dumps(document).encode()).encode()

    def _quote(self, extra_data: bytes) -> tuple[bytes, bytes]:
        # No scheme of ours: a restricted key signs by its own alone.
        body = sized(extra_data) + _u16(_NULL) + _selection(REGISTERS)
        answer = self._ask(_QUOTE, _u32(self._handle), body, authorised=True)
        return answer.sized(), answer.rest_of_parameters()

    def _registers(self) -> list[bytes]:
        """All values; a TPM gives at most eight at once."""
        values: dict[int, bytes] = {}
        while missing := [index for index in REGISTERS if index not in values]:
            answer = self._ask(_PCR_READ, b"", _selection(missing))
            answer.take(4)  # the update counter
            given = answer.selection()
            if answer.number(4) != len(given) or not given:
                raise EvidenceUnavailableError("the TPM did not return the requested registers")
            values |= {index: answer.sized() for index in given}
        return [values[index] for index in REGISTERS]

    def _read_public(self) -> bytes:
        public = _Answer(self._ask(_READ_PUBLIC, _u32(self._handle), b"").sized())
        kind = public.number(2)
        public.take(2 + 4)  # name algorithm, attributes
        public.sized()  # policy
        public.symmetric()
        public.scheme()
        try:
            key = _rsa_key(public) if kind == _RSA else _ec_key(public, kind)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise EvidenceUnavailableError(
                f"no usable attestation key at handle {self._handle:#x}: {error}"
            ) from error
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _ask(
        self, command: int, handles: bytes, body: bytes, *, authorised: bool = False
    ) -> "_Answer":
        # An empty password: access to the device is what protects the key's use.
        authorisation = _u32(_PASSWORD_SESSION) + _u16(0) + b"\0" + _u16(0)
        sessions = _u32(len(authorisation)) + authorisation if authorised else b""
        rest = _u32(command) + handles + sessions + body
        tag = _SESSIONS if authorised else _NO_SESSIONS
        answer = _Answer(self._exchange(_u16(tag) + _u32(6 + len(rest)) + rest))
        answer.header()
        if authorised:
            answer.begin_parameters()
        return answer


class _Answer:
    """What a TPM said, read from the front; numbers are big-endian."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def header(self) -> None:
        """The tag, the size and the code, which has to be that of success."""
        self.take(2)
        if self.number(4) != len(self._data):
            raise EvidenceUnavailableError("the TPM's answer is too short")
        if (code := self.number(4)) != 0:
            raise EvidenceUnavailableError(f"the TPM answers with error {code:#x}")

    def begin_parameters(self) -> None:
        """The size of the parameters; sessions follow them."""
        self._end = self.number(4) + self._at

    def rest_of_parameters(self) -> bytes:
        return self.take(self._end - self._at)

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if size < 0 or len(taken) != size:
            raise EvidenceUnavailableError("the TPM's answer is too short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def sized(self) -> bytes:
        """A TPM2B."""
        return self.take(self.number(2))

    def selection(self) -> list[int]:
        """A TPML_PCR_SELECTION of one bank."""
        if self.number(4) != 1 or self.number(2) != _SHA256:
            raise EvidenceUnavailableError("the TPM returned no registers of the SHA-256 bank")
        bits = int.from_bytes(self.take(self.number(1)), "little")
        return [index for index in REGISTERS if bits >> index & 1]

    def symmetric(self) -> None:
        """A TPMT_SYM_DEF_OBJECT, which a signing key does not have."""
        if self.number(2) != _NULL:
            self.take(4)

    def scheme(self) -> None:
        """A TPMT scheme: nothing, or one with its hash."""
        if self.number(2) != _NULL:
            self.take(2)


def _rsa_key(public: _Answer) -> rsa.RSAPublicKey:
    public.take(2)  # bits
    exponent = public.number(4) or _DEFAULT_EXPONENT
    return rsa.RSAPublicNumbers(exponent, int.from_bytes(public.sized())).public_key()


def _ec_key(public: _Answer, kind: int) -> ec.EllipticCurvePublicKey:
    if kind != _ECC:
        raise EvidenceUnavailableError(
            f"the attestation key is of type {kind:#x}, expected RSA or ECC"
        )
    curve = _CURVES.get(public.number(2))
    public.scheme()  # the key derivation's
    if curve is None:
        raise EvidenceUnavailableError(
            "the attestation key is on an unsupported curve: expected P-256, P-384 or P-521"
        )
    x, y = int.from_bytes(public.sized()), int.from_bytes(public.sized())
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()


def exchange_with(device: Path) -> Exchange:
    """How the TPM behind a device of this path is asked.

    Raises:
        EvidenceUnavailableError: it cannot be opened.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error

    def exchange(command: bytes) -> bytes:
        try:
            # The device takes a whole command in one write and gives the answer to one read.
            os.write(descriptor, command)
            return os.read(descriptor, _MAX_ANSWER_BYTES)
        except OSError as error:
            raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error

    return exchange


def sized(data: bytes) -> bytes:
    """A TPM2B: two bytes of length before the bytes."""
    return _u16(len(data)) + data


def _selection(registers: "tuple[int, ...] | list[int]") -> bytes:
    bits = sum(1 << index for index in registers)
    return _u32(1) + _u16(_SHA256) + b"\3" + bits.to_bytes(3, "little")


def _u16(value: int) -> bytes:
    return value.to_bytes(2)


def _u32(value: int) -> bytes:
    return value.to_bytes(4)
