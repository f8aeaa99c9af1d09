"""The members of a certificate, without understanding what is in them (RFC 5280 4.1).

The library reads keys, times and signatures for us. It also warns about serial numbers and names
that it finds odd, and means to refuse some of them: those, and extensions, we read ourselves.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tabasco.verify.x509 import der
from veracruz_utils.frozen import frozen

BASIC_CONSTRAINTS: Final = "2.5.29.19"
KEY_USAGE: Final = "2.5.29.15"

# Version to extensions; the unique identifiers between (RFC 5280 4.1.2.8) are nobody's: refused.
_MEMBERS: Final = (
    0xA0,
    der.INTEGER,
    der.SEQUENCE,
    der.SEQUENCE,
    der.SEQUENCE,
    der.SEQUENCE,
    der.SEQUENCE,
    0xA3,
)
_VERSION_3: Final = bytes.fromhex("a003020102")
# X.690 11.1: DER writes true in one way only.
_TRUE: Final = b"\xff"


@frozen
class Extension:
    """An extension's value, and whether it must be understood."""

    critical: bool
    value: bytes


@frozen
class CertificateOutline:
    """A certificate of version 3 with extensions, taken apart.

    Attributes:
        signed: the bytes that `signature` is over.
        algorithm: the AlgorithmIdentifier, the same inside and outside of what is signed.
        common_name: the subject's only one, or nothing.
        key: SubjectPublicKeyInfo.
        extensions: by identifier.
    """

    signed: bytes
    algorithm: bytes
    signature: bytes
    serial: int
    issuer: der.Element
    validity: der.Element
    subject: der.Element
    common_name: str
    key: bytes
    extensions: Mapping[str, Extension]


@functools.lru_cache(maxsize=128)  # authorities come again with every piece of evidence
def outline(encoded: bytes) -> CertificateOutline:
    """The members of a certificate in DER.

    Raises:
        EvidenceError: it has not the form of one.
    """
    body, algorithm, signature = der.signed(encoded)
    members = der.sequence(body, *_MEMBERS)
    version, serial, inner, issuer, validity, subject, key, tagged = members
    # Only the inner identifier is signed: whoever may change the outer one picks the algorithm.
    if version.encoded != _VERSION_3 or inner.encoded != algorithm.encoded:
        raise der.malformed(
            "a certificate is not of version 3, or its inner and outer signature algorithms differ"
        )
    return CertificateOutline(
        signed=body.encoded,
        algorithm=algorithm.encoded,
        signature=signature,
        serial=der.integer(serial),
        issuer=issuer,
        validity=validity,
        subject=subject,
        common_name=der.common_name(subject),
        key=key.encoded,
        extensions=extensions(tagged),
    )


def authority(found: CertificateOutline) -> tuple[bool, int | None]:
    """Whether it is said to be an authority, and how many authorities it may have below it."""
    if BASIC_CONSTRAINTS not in found.extensions:
        return False, None
    value = der.read(found.extensions[BASIC_CONSTRAINTS].value, der.SEQUENCE)
    members = list(der.children(value))
    is_authority = bool(members) and members[0].tag == der.BOOLEAN
    if is_authority and members.pop(0).content != _TRUE:  # false is the default: never written
        raise der.malformed("basic constraints are not in DER")
    # RFC 5280 4.2.1.9: a length of path stands only in the certificate of an authority.
    if len(members) > 1 or (members and not is_authority):
        raise der.malformed("basic constraints have more than they should")
    return is_authority, der.integer(members[0]) if members else None


def usage(found: CertificateOutline, bit: int) -> bool | None:
    """Whether its key is for this use (RFC 5280 4.2.1.3); None where it does not say."""
    if KEY_USAGE not in found.extensions:
        return None
    content = der.read(found.extensions[KEY_USAGE].value, der.BIT_STRING).content
    if not 2 <= len(content) <= 3 or content[0] > 7:
        raise der.malformed("a key usage is not well formed")
    bits = content[1:]
    # Unused bits count as not set, whatever stands there.
    return bit < 8 * len(bits) - content[0] and bool(bits[bit // 8] & 0x80 >> bit % 8)


def extensions(wrapper: der.Element) -> Mapping[str, Extension]:
    """The extensions inside their tagged wrapper, by identifier."""
    found: dict[str, Extension] = {}
    for extension in der.children(der.read(wrapper.content, der.SEQUENCE)):
        members = list(der.children(der.expect(extension, der.SEQUENCE)))
        critical = len(members) == 3
        # X.690 11.5: a default is never written, so `critical` is there only when it is true.
        if critical and der.expect(members.pop(1), der.BOOLEAN).content != _TRUE:
            raise der.malformed("an extension's `critical` is not in DER")
        if len(members) != 2:
            raise der.malformed("an extension is not well formed")
        identifier = der.object_identifier(members[0])
        if identifier in found:
            raise der.malformed(f"extension {identifier} is there twice")
        value = der.expect(members[1], der.OCTET_STRING).content
        found[identifier] = Extension(critical, value)
    return MappingProxyType(found)
