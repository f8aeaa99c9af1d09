"""The bytes of a report of an NVIDIA device: SPDM's GET_MEASUREMENTS, and the answer to it.

Parsing proves nothing. The device signs request and answer together, so the nonce that it answers
is the request's. What NVIDIA adds, such as versions, is in the answer's opaque data: `opaque`.
Standard: DMTF DSP0274 1.1, tables "GET_MEASUREMENTS request message format", "Successful
MEASUREMENTS response message format" and "DMTF measurement specification format".
"""

from collections.abc import Mapping
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from veracruz_utils.frozen import frozen

MAX_REPORT_BYTES: Final = 32 * 1024
SIGNATURE_BYTES: Final = 96
"""ECDSA on P-384 with SHA-384: r and s, big-endian, which is what NVIDIA's devices negotiate."""
NONCE_BYTES: Final = 32

_VERSION_1_1: Final = 0x11
_GET_MEASUREMENTS, _MEASUREMENTS = 0xE0, 0x60
_REQUEST_BYTES: Final = 4 + NONCE_BYTES + 1
_SIGNATURE_WANTED: Final = 1
_ALL_MEASUREMENTS: Final = 0xFF
_SLOT: Final = 0x0F
_DMTF: Final = 1
_RAW: Final = 0x80
_INDICES: Final = range(1, 0xF0)
_DIGEST_SIZES: Final = (32, 48, 64)


@frozen
class SpdmReport:
    """A report taken apart.

    Attributes:
        nonce: what the device was asked with, 32 bytes.
        measurements: by NVIDIA's index, which counts from 0; SPDM's counts from 1.
        opaque: what the device's maker says besides, in a form of its own.
        signed: the bytes that the signature is over.
        signature: r and s.
    """

    nonce: bytes
    measurements: Mapping[int, bytes]
    opaque: bytes
    signed: bytes
    signature: bytes


def is_report(data: bytes) -> bool:
    """Whether some bytes are meant to be a report: they begin with a request for measurements."""
    return len(data) > _REQUEST_BYTES and data[0] >> 4 == 1 and data[1] == _GET_MEASUREMENTS


def parse_report(data: bytes) -> SpdmReport:
    """The parts of a report.

    Raises:
        EvidenceError: stage `format`.
    """
    if len(data) > MAX_REPORT_BYTES:
        raise malformed(f"a report of {len(data)} bytes, at most {MAX_REPORT_BYTES} are read")
    request = _Reader(data, "the request")
    _check_version(request.number(1))
    if request.number(1) != _GET_MEASUREMENTS:
        raise malformed("the report does not begin with a request for measurements")
    if not request.number(1) & _SIGNATURE_WANTED:
        raise EvidenceError(
            Fault.UNSIGNED, VerificationStage.FORMAT, "the request asks for no signature"
        )
    if (operation := request.number(1)) != _ALL_MEASUREMENTS:
        raise malformed(f"the request is for measurement {operation}, not for all of them")
    nonce, slot = request.take(NONCE_BYTES), request.number(1)
    answer = request.named("the answer")
    _check_version(answer.number(1))
    if answer.number(1) != _MEASUREMENTS:
        raise malformed("the answer is not one with measurements")
    answer.number(1)
    if answer.number(1) & _SLOT != slot & _SLOT:
        raise malformed("the answer is for another slot of certificates than the request")
    count = answer.number(1)
    record = answer.take(answer.number(3))
    answer.take(NONCE_BYTES)  # the device's own
    opaque = answer.take(answer.number(2))
    signed = data[: answer.position]
    signature = answer.take(SIGNATURE_BYTES)
    answer.end()
    return SpdmReport(nonce, _measurements(record, count), opaque, signed, signature)


def _check_version(version: int) -> None:
    # Since 1.2 something else is signed: a prefix and a purpose come before it.
    if version != _VERSION_1_1:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"SPDM {version >> 4}.{version & 15}, read is 1.1",
        )


def _measurements(record: bytes, count: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    blocks = _Reader(record, "the measurements")
    for _ in range(count):
        index, specification, size = blocks.number(1), blocks.number(1), blocks.number(2)
        block = _Reader(blocks.take(size), f"measurement block {index}")
        if specification != _DMTF or index not in _INDICES or index - 1 in found:
            raise malformed(f"measurement block {index} is there twice, or not in DMTF's form")
        kind, value = block.number(1), block.take(block.number(2))
        block.end()
        # A raw value is the device's to choose: it could be the digest of something else.
        if kind & _RAW or len(value) not in _DIGEST_SIZES:
            raise malformed(f"measurement block {index} is not a digest")
        found[index - 1] = value
    blocks.end()
    if not found:
        raise malformed("the report has no measurements")
    return found


class _Reader:
    """Takes bytes off the front; little-endian, and an error instead of less than was asked for."""

    def __init__(self, data: bytes, name: str, position: int = 0) -> None:
        self._data = data
        self._name = name
        self.position = position

    def named(self, name: str) -> "_Reader":
        """The rest, under another name."""
        return _Reader(self._data, name, self.position)

    def take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._data):
            raise malformed(
                f"{self._name}: {size} bytes are to follow at {self.position}, "
                f"there are {len(self._data) - self.position}"
            )
        found = self._data[self.position : end]
        self.position = end
        return found

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def end(self) -> None:
        rest = len(self._data) - self.position
        if rest:
            raise EvidenceError(
                Fault.TRAILING_BYTES, VerificationStage.FORMAT, f"{rest} bytes follow {self._name}"
            )
