"""A TPM's quote as JSON: `ak_public`, and `tpm_quote` with `message`, `signature` and `pcrs`.

The key (DER SubjectPublicKeyInfo), the TPMS_ATTEST and the TPMT_SIGNATURE are in base64, the 24
registers of the SHA-256 bank in hexadecimal. Nothing certifies the key: whoever relies on it has to
name it.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote import Registers
from tabasco.verify.tpm.structures import QuoteSignature, parse_signature
from veracruz_utils.strict_json import JsonValue

_REGISTERS: Final = 24
_REGISTER_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class TpmEvidence:
    """The parts, well-formed and not yet verified; `public_key` is DER."""

    public_key: bytes
    message: bytes
    signature: QuoteSignature
    registers: Registers


def is_tpm_evidence(data: bytes) -> bool:
    """Whether some JSON is meant to be this."""
    return b'"ak_public"' in data


def parse_tpm(data: bytes) -> TpmEvidence:
    """The evidence that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the evidence"):
        document = decode_json(data)
    if not isinstance(document, dict) or document.keys() != {"ak_public", "tpm_quote"}:
        raise malformed("the evidence is not an object of ak_public and tpm_quote")
    quote = document["tpm_quote"]
    if not isinstance(quote, dict) or quote.keys() != {"message", "signature", "pcrs"}:
        raise malformed("tpm_quote is not an object of message, signature and pcrs")
    return TpmEvidence(
        public_key=_base64(document["ak_public"], "ak_public"),
        message=_base64(quote["message"], "message"),
        signature=parse_signature(_base64(quote["signature"], "signature")),
        registers={"sha256": _registers(quote["pcrs"])},
    )


def _registers(value: JsonValue) -> dict[int, bytes]:
    if not isinstance(value, list) or len(value) != _REGISTERS:
        raise malformed(f"pcrs is not a list of {_REGISTERS} registers")
    return {index: _register(each) for index, each in enumerate(value)}


def _register(value: JsonValue) -> bytes:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != _REGISTER_BYTES:
        raise malformed("a register is not 32 bytes in hexadecimal")
    return found


def _base64(value: JsonValue, name: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "*", validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed(f"{name} is not base64") from error
