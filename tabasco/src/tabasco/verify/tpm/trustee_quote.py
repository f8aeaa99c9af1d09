"""A virtual TPM's quote in the forms of Azure's guest library, which Trustee and others pass on.

Signature (RSASSA with SHA-256, without TPM's header), TPMS_ATTEST, and the 24 registers of the
SHA-256 bank: as JSON with hexadecimal or with arrays of numbers, or as bincode (lengths of eight
bytes, little-endian). The key is not in it.
"""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote_json import TpmEvidence
from tabasco.verify.tpm.structures import MAX_ATTEST_BYTES, MAX_SIGNATURE_BYTES, QuoteSignature
from veracruz_utils.strict_json import JsonValue

_REGISTERS: Final = 24
_REGISTER_BYTES: Final = 32
_MEMBERS: Final = {"signature", "message", "pcrs"}
_MAGIC: Final = b"\xffTCG"
Octets = Callable[[JsonValue, str], bytes]
"""How bytes stand in JSON: the value, and what errors call it."""


def is_trustee_quote(data: bytes) -> bool:
    """Whether some bytes are meant to be this, alone."""
    if data.lstrip().startswith(b"{"):
        return all(b'"%s"' % name.encode() in data for name in _MEMBERS) and b'"ak_' not in data
    size = int.from_bytes(data[:8], "little")
    return size <= MAX_SIGNATURE_BYTES and data[size + 16 : size + 20] == _MAGIC


def parse_trustee_quote(data: bytes) -> TpmEvidence:
    """The quote that `data` is, of any form.

    Raises:
        EvidenceError: stage `format`.
    """
    if not data.lstrip().startswith(b"{"):
        return _bincode(data)
    with as_evidence_error("the quote"):
        document = decode_json(data)
    signature = document.get("signature") if isinstance(document, dict) else None
    return quote_in(document, hexadecimal if isinstance(signature, str) else numbers)


def quote_in(value: JsonValue, octets: Octets) -> TpmEvidence:
    """The quote that a JSON value is.

    Raises:
        EvidenceError: stage `format`.
    """
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise malformed("the quote is not an object of message, signature and pcrs")
    registers = value["pcrs"]
    if not isinstance(registers, list) or len(registers) != _REGISTERS:
        raise malformed(f"pcrs is not a list of {_REGISTERS} registers")
    return _evidence(
        octets(value["message"], "the quote"),
        octets(value["signature"], "the signature"),
        [octets(each, "a register") for each in registers],
    )


def hexadecimal(value: JsonValue, name: str) -> bytes:
    """Bytes as hexadecimal digits."""
    if not isinstance(value, str) or not value.isascii() or not value.isalnum():
        raise malformed(f"{name} is not hexadecimal")
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise malformed(f"{name} is not hexadecimal") from error


def numbers(value: JsonValue, name: str) -> bytes:
    """Bytes as an array of numbers."""
    if not isinstance(value, list):
        raise malformed(f"{name} is not an array of bytes")
    for each in value:
        # Not isinstance: JSON's true is an int to Python.
        if type(each) is not int or not 0 <= each < 256:
            raise malformed(f"{name} has something else than bytes in it")
    return bytes(each for each in value if isinstance(each, int))


def _bincode(data: bytes) -> TpmEvidence:
    position = 0

    def take(size: int, limit: int) -> bytes:
        nonlocal position
        # Before it is cut out: the lengths are the sender's.
        if size > limit or size > len(data) - position:
            raise malformed(f"the quote has a field of {size} bytes at {position}")
        position += size
        return data[position - size : position]

    def sized(limit: int) -> bytes:
        return take(int.from_bytes(take(8, 8), "little"), limit)

    signature, message = sized(MAX_SIGNATURE_BYTES), sized(MAX_ATTEST_BYTES)
    count = int.from_bytes(take(8, 8), "little")
    if count != _REGISTERS or len(data) - position != _REGISTERS * _REGISTER_BYTES:
        raise malformed(f"the quote does not end with {_REGISTERS} registers")
    registers = [take(_REGISTER_BYTES, _REGISTER_BYTES) for _ in range(_REGISTERS)]
    return _evidence(message, signature, registers)


def _evidence(message: bytes, signature: bytes, registers: list[bytes]) -> TpmEvidence:
    return TpmEvidence(
        message=message,
        signature=QuoteSignature("rsassa", hashes.SHA256(), signature),
        registers={"sha256": dict(enumerate(registers))},
    )
