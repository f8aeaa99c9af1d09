"""The three files of `tpm2_quote`: its message (`-m`), signature (`-s`) and registers (`-o`).

The registers are in JSON as in `quote_json`, or as the tool writes them: one value behind another
in the order of the quote (`-F values`), or (`-F serialized`, its default) the structures
TPML_PCR_SELECTION, a number, and so many TPML_DIGEST as they lie in memory, little-endian. The
selection is not read: that of the quote counts, which is signed.
"""

import base64
import json
from typing import Final

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote import Registers
from tabasco.verify.tpm.quote_json import parse_registers
from tabasco.verify.tpm.structures import BANK_BYTES, Selection, TpmQuote, parse_quote

MAX_REGISTERS_BYTES: Final = 64 * 1024
_ATTEST: Final = bytes.fromhex("ff5443478018")
_SELECTIONS_BYTES: Final = 4 + 16 * 8
_DIGESTS_BYTES: Final = 4 + 8 * (2 + 64)
_DIGEST_BYTES: Final = 2 + 64


def is_message(data: bytes) -> bool:
    """Whether some bytes are a quote's message alone."""
    return data.startswith(_ATTEST)


def document_of(message: bytes, signature: bytes, registers: bytes) -> bytes:
    """The quote of three files as one JSON document, without a key.

    Raises:
        EvidenceError: the registers are not those of the message, or malformed.
    """
    found = _registers(registers, parse_quote(message))
    quote = {
        "message": base64.b64encode(message).decode(),
        "signature": base64.b64encode(signature).decode(),
        "pcrs": {
            bank: {str(index): value.hex() for index, value in values.items()}
            for bank, values in found.items()
        },
    }
    return json.dumps({"ak_public": "", "tpm_quote": quote}).encode()


def _registers(data: bytes, quote: TpmQuote) -> Registers:
    wanted = sum(BANK_BYTES[each.bank] * len(each.registers) for each in quote.selections)
    # By size first: values may begin with any byte, and in JSON they have twice as many.
    if len(data) != wanted:
        if data.lstrip().startswith((b"{", b"[")):
            with as_evidence_error("the registers"):
                return parse_registers(decode_json(data))
        data = _deserialized(data)
    if len(data) != wanted:
        raise malformed(
            f"{len(data)} bytes of registers, those that the quote covers have {wanted}"
        )
    return _in_order(data, quote.selections)


def _in_order(data: bytes, selections: tuple[Selection, ...]) -> Registers:
    found: dict[str, dict[int, bytes]] = {}
    at = 0
    for each in selections:
        size = BANK_BYTES[each.bank]
        found[each.bank] = {}
        for index in each.registers:
            found[each.bank][index] = data[at : at + size]
            at += size
    return found


def _deserialized(data: bytes) -> bytes:
    """The values behind one another."""
    lists = _number(data, _SELECTIONS_BYTES, 4)
    start = _SELECTIONS_BYTES + 4
    if len(data) > MAX_REGISTERS_BYTES or len(data) != start + lists * _DIGESTS_BYTES:
        raise malformed(f"{len(data)} bytes of registers are in none of the forms of tpm2_quote")
    values = b""
    for at in range(start, len(data), _DIGESTS_BYTES):
        count = _number(data, at, 4)
        if count > 8:
            raise malformed(f"a list of {count} registers, a TPM gives at most 8")
        for position in range(count):
            value = at + 4 + position * _DIGEST_BYTES
            size = _number(data, value, 2)
            if size > _DIGEST_BYTES - 2:
                raise malformed(f"a register of {size} bytes")
            values += data[value + 2 : value + 2 + size]
    return values


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
