"""Keylime's quotes: `r`, then TPMS_ATTEST, TPMT_SIGNATURE and registers in base64, with colons.

The registers are as `tpm2_quote` writes them: a TPML_PCR_SELECTION and a list of TPML_DIGEST as
they lie in memory, little-endian and of fixed size, which is not how TPMs write them. The key is
not in it.
"""

import base64
import re
from collections.abc import Iterator
from typing import Final

from tabasco.verify.errors import malformed
from tabasco.verify.tpm.quote_json import TpmEvidence
from tabasco.verify.tpm.structures import BANK_BYTES, BANKS, parse_signature

MAX_QUOTE_BYTES: Final = 64 * 1024
_QUOTE: Final = re.compile(rb"r([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)")
_BANKS: Final = 16  # places in a TPML_PCR_SELECTION
_SELECTION_BYTES: Final = 8
_DIGESTS: Final = 8  # places in a TPML_DIGEST
_DIGEST_BYTES: Final = 2 + 64
_MAX_LISTS: Final = 64


def is_keylime_quote(data: bytes) -> bool:
    """Whether some bytes have this form."""
    return _QUOTE.fullmatch(data.strip()) is not None


def parse_keylime(data: bytes) -> TpmEvidence:
    """The quote that `data` is.

    Raises:
        EvidenceError: stage `format`; or it is signed with an algorithm that is not accepted.
    """
    if len(data) > MAX_QUOTE_BYTES:
        raise malformed(f"a quote of {len(data)} bytes, at most {MAX_QUOTE_BYTES} are read")
    found = _QUOTE.fullmatch(data.strip())
    if found is None:
        raise malformed("the quote is not r and three parts in base64")
    try:
        message, signature, blob = (
            base64.b64decode(part, validate=True) for part in found.groups()
        )
    except ValueError as error:
        raise malformed("a part of the quote is not base64") from error
    return TpmEvidence(
        message=message, signature=parse_signature(signature), registers=_registers(blob)
    )


def _registers(blob: bytes) -> dict[str, dict[int, bytes]]:
    start = 4 + _BANKS * _SELECTION_BYTES
    lists, rest = divmod(len(blob) - start - 4, 4 + _DIGESTS * _DIGEST_BYTES)
    if not 0 < lists <= _MAX_LISTS or rest or _number(blob, start, 4) != lists:
        raise malformed(f"the registers of the quote have {len(blob)} bytes")
    values = [value for index in range(lists) for value in _values(blob, start + 4, index)]
    selected = list(_selected(blob))
    if len(values) != len(selected):
        raise malformed(f"the quote has {len(values)} registers, it selects {len(selected)}")
    registers: dict[str, dict[int, bytes]] = {}
    for (bank, index), value in zip(selected, values, strict=True):
        if len(value) != BANK_BYTES[bank]:
            raise malformed(f"register {index} of {bank} has {len(value)} bytes")
        registers.setdefault(bank, {})[index] = value
    return registers


def _selected(blob: bytes) -> Iterator[tuple[str, int]]:
    count = _number(blob, 0, 4)
    if not 0 < count <= _BANKS:
        raise malformed(f"the quote is over {count} banks, 1 to {_BANKS} are read")
    seen: set[str] = set()
    for place in range(count):
        at = 4 + place * _SELECTION_BYTES
        bank, size = BANKS.get(_number(blob, at, 2)), blob[at + 2]
        if bank is None or bank in seen or size > 4:
            raise malformed("the quote is over a bank that is not known, or over one twice")
        seen.add(bank)
        bits = _number(blob, at + 3, size)
        yield from ((bank, index) for index in range(8 * size) if bits >> index & 1)


def _values(blob: bytes, start: int, index: int) -> Iterator[bytes]:
    at = start + index * (4 + _DIGESTS * _DIGEST_BYTES)
    count = _number(blob, at, 4)
    if count > _DIGESTS:
        raise malformed(f"a list of {count} registers, at most {_DIGESTS} are in one")
    for place in range(count):
        digest = at + 4 + place * _DIGEST_BYTES
        size = _number(blob, digest, 2)
        yield blob[digest + 2 : digest + 2 + min(size, _DIGEST_BYTES - 2)]


def _number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")
