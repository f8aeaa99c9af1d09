"""Reads the subset of DER that certificates use: definite shortest lengths, exact ends.

Only for what `cryptography` does not read for us: the extensions of Intel and AMD, and AMD's
endorsement certificates, whose serial number is 0.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from veracruz_utils.frozen import frozen

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
IA5_STRING: Final = 0x16
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_COMMON_NAME: Final = "2.5.4.3"
_TEXTS: Final = frozenset({0x0C, 0x13})  # UTF8String, PrintableString
_MAX_INTEGER_BYTES: Final = 21  # a serial number: 20 bytes, and a zero before a high bit
_TIME_SIZES: Final = {UTC_TIME: 13, GENERALIZED_TIME: 15}


@frozen
class Element:
    """One value: its tag, its content, and both with the length as they were encoded."""

    tag: int
    content: bytes
    encoded: bytes


def read(data: bytes, tag: int) -> Element:
    """The one element that `data` is.

    Raises:
        EvidenceError: it is not DER, has another tag, or something follows it.
    """
    element, end = _read_at(data, 0)
    if end != len(data):
        raise malformed(f"{len(data) - end} bytes follow a DER value")
    return expect(element, tag)


def children(element: Element, *, limit: int = 64) -> tuple[Element, ...]:
    """The elements inside a sequence or set, at most `limit`."""
    found: list[Element] = []
    position = 0
    while position < len(element.content):
        # The longest sequence of Intel's has 18 members: 16 components, and the PCE and the CPU.
        if len(found) == limit:
            raise malformed(f"more than {limit} DER values in one")
        child, position = _read_at(element.content, position)
        found.append(child)
    return tuple(found)


def sequence(element: Element, *tags: int) -> tuple[Element, ...]:
    """The members of a sequence that has exactly these tags."""
    members = children(expect(element, SEQUENCE))
    if tuple(member.tag for member in members) != tags:
        raise malformed("a DER sequence has other members than it should")
    return members


def signed(encoded: bytes) -> tuple[Element, Element, bytes]:
    """What is signed, by which algorithm, and the signature (RFC 5280 4.1.1, 5.1.1)."""
    body, algorithm, signature = sequence(read(encoded, SEQUENCE), SEQUENCE, SEQUENCE, BIT_STRING)
    if signature.content[:1] != b"\0":  # a number of unused bits would be open to change
        raise malformed("a signature is not of whole bytes")
    return body, algorithm, signature.content[1:]


def common_name(name: Element) -> str:
    """The only common name in a distinguished name, or nothing."""
    found: list[str] = []
    for relative in children(expect(name, SEQUENCE)):
        for pair in children(expect(relative, SET)):
            named = attributes([pair]).get(_COMMON_NAME)
            if named is not None and named.tag in _TEXTS:
                found.append(named.content.decode("utf-8", "replace"))
    # Of two names, one would be checked here and the other shown to people elsewhere.
    return found[0] if len(found) == 1 else ""


def expect(element: Element, tag: int) -> Element:
    """The same element, if it has this tag."""
    if element.tag != tag:
        raise malformed(f"a DER value has tag {element.tag:#04x}, expected {tag:#04x}")
    return element


def integer(element: Element) -> int:
    """The value of an INTEGER or ENUMERATED that is not negative."""
    content = element.content
    if element.tag not in {INTEGER, ENUMERATED} or not 0 < len(content) <= _MAX_INTEGER_BYTES:
        raise malformed("a DER integer is missing or too long")
    if content[0] >= 0x80 or (content[0] == 0 and len(content) > 1 and content[1] < 0x80):
        raise malformed("a DER integer is negative or not in its shortest form")
    return int.from_bytes(content)


def object_identifier(element: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    content = expect(element, OBJECT_IDENTIFIER).content
    if not 0 < len(content) <= 32 or content[-1] >= 0x80:
        raise malformed("a DER object identifier is cut off or too long")
    arcs: list[int] = []
    value = 0
    for byte in content:
        if value == 0 and byte == 0x80:
            raise malformed("a DER object identifier is not in its shortest form")
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(value)
            value = 0
    # X.690 8.19.4: the first two arcs share a number; below 2 the second may be 40 and more.
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime, to the second, in UTC."""
    text = element.content
    if len(text) != _TIME_SIZES.get(element.tag) or not text[:-1].isdigit() or text[-1:] != b"Z":
        raise malformed("a DER time has not the form of one")
    digits = text.decode("ascii")
    if element.tag == UTC_TIME:  # RFC 5280 4.1.2.5.1: 50 to 99 are of the last century
        digits = ("19" if digits >= "50" else "20") + digits
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise malformed("a DER time is out of range") from error


def attributes(pairs: Sequence[Element]) -> dict[str, Element]:
    """Sequences of an identifier and a value, by identifier; one twice is refused."""
    found: dict[str, Element] = {}
    for pair in pairs:
        members = children(expect(pair, SEQUENCE))
        if len(members) != 2:
            raise malformed("a DER attribute is not a pair")
        name = object_identifier(members[0])
        if name in found:
            raise malformed(f"attribute {name} is there twice")
        found[name] = members[1]
    return found


def malformed(detail: str) -> EvidenceError:
    """The error of a certificate that is not well formed."""
    return EvidenceError(Fault.MALFORMED, VerificationStage.CHAIN, detail)


def _read_at(data: bytes, start: int) -> tuple[Element, int]:
    if len(data) - start < 2:
        raise malformed("a DER value is cut off")
    tag, size = data[start], data[start + 1]
    # Tags above 30 take more bytes; RFC 5280 has none of them.
    if tag & 0x1F == 0x1F:
        raise malformed("a DER value has a long tag")
    position = start + 2
    if size >= 0x80:
        count = size & 0x7F
        octets = data[position : position + count]
        # Three bytes of length are 16 MiB, more than any certificate or list that is read.
        if not 1 <= count <= 3 or len(octets) < count:
            raise malformed("a DER length is indefinite, too large or cut off")
        size = int.from_bytes(octets)
        if size < 0x80 or octets[0] == 0:
            raise malformed("a DER length is not in its shortest form")
        position += count
    end = position + size
    if end > len(data):
        raise malformed("a DER value is cut off")
    return Element(tag, data[position:end], data[start:end]), end
