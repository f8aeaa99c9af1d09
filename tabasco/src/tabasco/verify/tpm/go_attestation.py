"""Quotes in the JSON of go-attestation: the key's attestation, a quote, registers and event log.

The key stands there as its TPM describes it (TPMT_PUBLIC), certified by nobody. The registers are
listed with the number of Go for their hash.
"""

import base64
from collections.abc import Mapping
from typing import Final

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.key_area import attestation_key
from tabasco.verify.tpm.quote_json import TpmEvidence
from tabasco.verify.tpm.structures import BANK_BYTES, parse_signature
from veracruz_utils.strict_json import JsonValue

MAX_EVIDENCE_BYTES: Final = 1024 * 1024
_BANKS: Final = {3: "sha1", 5: "sha256", 6: "sha384", 7: "sha512"}
_MAX_REGISTERS: Final = 4 * 32


def is_go_attestation(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return all(name in data for name in (b'"AK"', b'"Quote"', b'"Log"', b'"PCRs"'))


def parse_go_attestation(data: bytes) -> TpmEvidence:
    """The quote in it.

    Raises:
        EvidenceError: stage `format`; it is signed with an algorithm that is not accepted; or the
            key is none that attests.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data, max_bytes=MAX_EVIDENCE_BYTES)
    members = _object(document, "the evidence")
    quote = _object(members.get("Quote"), "Quote")
    signature = parse_signature(_octets(quote.get("Signature"), "the signature"))
    area = _octets(_object(members.get("AK"), "AK").get("Public"), "the key")
    return TpmEvidence(
        public_key=attestation_key(area).public_key,
        message=_octets(quote.get("Quote"), "the quote"),
        signature=signature,
        registers=_registers(_object(members.get("Log"), "Log").get("PCRs")),
    )


def _registers(value: JsonValue) -> dict[str, dict[int, bytes]]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_REGISTERS:
        raise malformed(f"PCRs is not a list of 1 to {_MAX_REGISTERS} registers")
    registers: dict[str, dict[int, bytes]] = {}
    for each in value:
        entry = _object(each, "a register")
        number, index = entry.get("DigestAlg"), entry.get("Index")
        # Not isinstance: JSON's true is an int to Python.
        if type(number) is not int or number not in _BANKS:
            raise malformed(f"a register is of hash {number!r:.20}, which is not known")
        bank = registers.setdefault(_BANKS[number], {})
        if type(index) is not int or not 0 <= index < 32 or index in bank:
            raise malformed(f"register {index!r:.20} is none, or there twice")
        bank[index] = _octets(entry.get("Digest"), f"register {index}")
        if len(bank[index]) != BANK_BYTES[_BANKS[number]]:
            raise malformed(f"register {index} has {len(bank[index])} bytes")
    return registers


def _octets(value: JsonValue, name: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "*", validate=True)
    except ValueError as error:
        raise malformed(f"{name} is not base64") from error


def _object(value: JsonValue, name: str) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise malformed(f"{name} is not an object")
    return value
