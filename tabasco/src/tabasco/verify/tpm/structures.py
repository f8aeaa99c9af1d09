"""The TPM 2.0 structures of a quote, read from their big-endian form (TPM 2.0 Library, part 2).

Only what a quote consists of: TPMS_ATTEST with TPMS_QUOTE_INFO, and TPMT_SIGNATURE.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from veracruz_utils.frozen import frozen

MAX_ATTEST_BYTES: Final = 1024
MAX_SIGNATURE_BYTES: Final = 1100

_GENERATED: Final = 0xFF544347  # TPM_GENERATED_VALUE: made inside, not signed for somebody
_QUOTE: Final = 0x8018
_RSASSA, _RSAPSS, _ECDSA = 0x0014, 0x0016, 0x0018
_MAX_BANKS: Final = 8
_HASHES: Final = {
    0x000B: hashes.SHA256(),
    0x000C: hashes.SHA384(),
    0x000D: hashes.SHA512(),
}
BANKS: Final = {0x0004: "sha1"} | {number: each.name for number, each in _HASHES.items()}
BANK_BYTES: Final = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

AttestationKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@frozen
class Selection:
    """The registers of one bank that a quote covers, in ascending order."""

    bank: str
    registers: tuple[int, ...]


@frozen
class TpmQuote:
    """What a TPM says about its registers.

    Attributes:
        extra_data: at most 64 bytes of the challenger's choice.
        reset_count: how often the TPM was reset; with `restart_count` it tells boots apart.
        clock_safe: whether the clock has never gone back.
        selections: which registers, bank by bank.
        digest: over their values.
    """

    qualified_signer: bytes
    extra_data: bytes
    clock: int
    reset_count: int
    restart_count: int
    clock_safe: bool
    firmware_version: int
    selections: tuple[Selection, ...]
    digest: bytes


@frozen
class QuoteSignature:
    """A signature, its scheme (`rsassa`, `rsapss`, `ecdsa`) and its hash."""

    scheme: str
    algorithm: hashes.HashAlgorithm
    value: bytes

    def verify(self, key: AttestationKey, data: bytes) -> None:
        """Nothing, if this is `key`'s signature over `data`.

        Raises:
            EvidenceError: it is not, or is made for another kind of key.
        """
        if (self.scheme == "ecdsa") != isinstance(key, ec.EllipticCurvePublicKey):
            raise EvidenceError(
                Fault.UNSUPPORTED_ALGORITHM,
                VerificationStage.SIGNATURE,
                f"the quote is signed with {self.scheme}, the key is of another kind",
            )
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(self.value, data, ec.ECDSA(self.algorithm))
            else:
                key.verify(self.value, data, self._padding(), self.algorithm)
        except InvalidSignature as error:
            raise EvidenceError(
                Fault.SIGNATURE, VerificationStage.SIGNATURE, "the quote is not signed by this key"
            ) from error

    def _padding(self) -> padding.AsymmetricPadding:
        if self.scheme == "rsassa":
            return padding.PKCS1v15()
        # TPMs differ in the length of the salt they use, so it is taken from the signature.
        return padding.PSS(padding.MGF1(self.algorithm), padding.PSS.AUTO)


class TpmReader:
    """A structure of a TPM, read from the front; numbers are big-endian.

    Every method raises `EvidenceError`, of stage `format`, where the bytes are not what they should
    be; `name` is what the error calls them.
    """

    __slots__ = ("_data", "_name", "_position")

    def __init__(self, data: bytes, name: str, limit: int) -> None:
        if len(data) > limit:
            raise malformed(f"{name} has {len(data)} bytes, at most {limit} are read")
        self._data, self._name, self._position = data, name, 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        end = self._position + size
        if end > len(self._data):
            raise malformed(f"{self._name} is cut at {len(self._data)} bytes")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def sized(self, limit: int) -> bytes:
        """A TPM2B: two bytes of length, then so many bytes."""
        size = self.number(2)
        if size > limit:
            raise malformed(f"{self._name} has a field of {size} bytes, at most {limit} are read")
        return self.take(size)

    def end(self) -> None:
        """Nothing, if nothing follows."""
        rest = len(self._data) - self._position
        if rest:
            raise EvidenceError(
                Fault.TRAILING_BYTES, VerificationStage.FORMAT, f"{rest} bytes follow {self._name}"
            )


def parse_quote(data: bytes) -> TpmQuote:
    """The quote in a TPMS_ATTEST.

    Raises:
        EvidenceError: it is malformed, or attests something else.
    """
    reader = TpmReader(data, "the quote", MAX_ATTEST_BYTES)
    if reader.number(4) != _GENERATED:
        raise malformed("the quote's magic is not that of a structure a TPM made")
    kind = reader.number(2)
    if kind != _QUOTE:
        raise malformed(f"the TPM attests type {kind:#06x}, a quote has {_QUOTE:#06x}")
    qualified_signer, extra_data = reader.sized(66), reader.sized(64)
    clock, reset_count, restart_count = reader.number(8), reader.number(4), reader.number(4)
    safe = reader.number(1)
    if safe not in (0, 1):
        raise malformed(f"the quote's clock is {safe}, neither safe nor not")
    quote = TpmQuote(
        qualified_signer=qualified_signer,
        extra_data=extra_data,
        clock=clock,
        reset_count=reset_count,
        restart_count=restart_count,
        clock_safe=bool(safe),
        firmware_version=reader.number(8),
        selections=_selections(reader),
        digest=reader.sized(64),
    )
    reader.end()
    return quote


def parse_signature(data: bytes) -> QuoteSignature:
    """The signature in a TPMT_SIGNATURE.

    Raises:
        EvidenceError: it is malformed or of an algorithm that is not accepted.
    """
    reader = TpmReader(data, "the signature", MAX_SIGNATURE_BYTES)
    scheme, number = reader.number(2), reader.number(2)
    if number not in _HASHES:
        raise _unsupported(f"the quote is signed over hash {number:#06x}")
    if scheme in (_RSASSA, _RSAPSS):
        value = reader.sized(512)
    elif scheme == _ECDSA:
        r, s = reader.sized(66), reader.sized(66)
        value = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    else:
        raise _unsupported(f"the quote is signed with scheme {scheme:#06x}")
    reader.end()
    name = {_RSASSA: "rsassa", _RSAPSS: "rsapss", _ECDSA: "ecdsa"}[scheme]
    return QuoteSignature(name, _HASHES[number], value)


def _selections(reader: TpmReader) -> tuple[Selection, ...]:
    count = reader.number(4)
    if not 0 < count <= _MAX_BANKS:
        raise malformed(f"the quote covers {count} banks, 1 to {_MAX_BANKS} are read")
    selections = tuple(_selection(reader) for _ in range(count))
    if len({each.bank for each in selections}) != count:
        raise malformed("the quote covers a bank twice")
    return selections


def _selection(reader: TpmReader) -> Selection:
    number, size = reader.number(2), reader.number(1)
    if number not in BANKS or not 0 < size <= 4:
        raise malformed(f"the quote covers bank {number:#06x} with {size} bytes of registers")
    bits = int.from_bytes(reader.take(size), "little")
    # TPM 2.0 part 2, TPMS_PCR_SELECTION: register 0 is the lowest bit of the first byte.
    registers = tuple(index for index in range(8 * size) if bits >> index & 1)
    return Selection(BANKS[number], registers)


def _unsupported(detail: str) -> EvidenceError:
    return EvidenceError(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT, detail)
