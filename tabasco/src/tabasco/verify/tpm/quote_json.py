"""A TPM's quote as JSON: `ak_public`, and `tpm_quote` with `message`, `signature` and `pcrs`.

The key (DER SubjectPublicKeyInfo), the TPMS_ATTEST and the TPMT_SIGNATURE are in base64, registers
in hexadecimal: a list of all 24 of the SHA-256 bank; or an object of those that the quote covers,
by their numbers, of that bank, or by the names of banks. Nothing here certifies the key.
"""

import base64
import binascii
import re
from typing import Final

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote import Registers
from tabasco.verify.tpm.structures import BANK_BYTES, QuoteSignature, parse_signature
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

_REGISTERS: Final = 24
_BANK: Final = "sha256"
_INDEX: Final = re.compile(r"0|[1-9][0-9]?")


@frozen
class TpmEvidence:
    """The parts of a quote in whatever form, well-formed and not yet verified.

    Attributes:
        message: the TPMS_ATTEST.
        signature: over it.
        registers: that it is over.
        public_key: of who is said to have signed (DER SubjectPublicKeyInfo); empty where the
            form has none.
        certificates: of that key and who issued it (PEM), where they come along.
    """

    message: bytes
    signature: QuoteSignature
    registers: Registers
    public_key: bytes = b""
    certificates: bytes = b""


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
        registers=parse_registers(quote["pcrs"]),
    )


def parse_registers(value: JsonValue) -> Registers:
    """The registers of a list of 24, or of an object as above.

    Raises:
        EvidenceError: stage `format`.
    """
    if isinstance(value, list):
        if len(value) != _REGISTERS:
            raise malformed(f"pcrs is a list of {len(value)} registers, one has {_REGISTERS}")
        return {_BANK: {index: _register(each, _BANK) for index, each in enumerate(value)}}
    if not isinstance(value, dict) or not value:
        raise malformed("pcrs is neither a list of registers nor an object of them")
    if not value.keys() <= BANK_BYTES.keys():
        return {_BANK: _by_number(value, _BANK)}
    return {bank: _by_number(registers, bank) for bank, registers in value.items()}


def _by_number(value: JsonValue, bank: str) -> dict[int, bytes]:
    if not isinstance(value, dict) or not value:
        raise malformed(f"the registers of {bank} are not an object of values by number")
    for name in value:
        # The usual digits, so that no register has two names.
        if not _INDEX.fullmatch(name):
            raise malformed(f"{name[:16]!r} is not the number of a register")
    return {int(name): _register(value[name], bank) for name in sorted(value, key=int)}


def _register(value: JsonValue, bank: str) -> bytes:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        found = b""
    if len(found) != BANK_BYTES[bank]:
        raise malformed(f"a register of {bank} is not {BANK_BYTES[bank]} bytes in hexadecimal")
    return found


def _base64(value: JsonValue, name: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "*", validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed(f"{name} is not base64") from error
