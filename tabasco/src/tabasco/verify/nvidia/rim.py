"""NVIDIA's reference values: integrity manifests (RIM) of a driver or a firmware, signed XML.

A manifest is a SWID tag by the TCG's model. It lists, by NVIDIA's index, what a device measures
when it runs this very version; a value that is not active says nothing. NVIDIA signs it under a
root of its own. Standard: TCG Reference Integrity Manifest Information Model; ISO/IEC 19770-2.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from cryptography import x509

from tabasco.verify import named
from tabasco.verify.errors import malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven
from tabasco.verify.x509 import certificates
from tabasco.verify.xml.signature import certificates_of, verify_document
from tabasco.verify.xml.tree import XmlElement, XmlName, parse
from veracruz_utils.frozen import frozen

NVIDIA_RIM_ROOT_SHA256: Final = bytes.fromhex(
    "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"
)
"""Digest of the certificate `NVIDIA CoRIM signing Root CA`, as NVIDIA's verifiers carry it."""

_SWID: Final = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_SHA384: Final = "http://www.w3.org/2001/04/xmlenc#sha384"
_INDICES: Final = range(256)
_ALTERNATIVES: Final = range(1, 33)
_DIGEST_BYTES: Final = 48
_ACTIVE: Final = {"true": True, "false": False}
_DIGITS: Final = re.compile(r"[0-9]{1,4}")
_TEXT: Final = re.compile(r"[\x20-\x7e]{1,128}")


@frozen
class ReferenceManifest:
    """Verified reference values.

    Attributes:
        product: the chip, such as `GH100`.
        version: of the driver or firmware.
        edition: `GPU` or `SWITCH`.
        tag_id: names this manifest.
        values: by index, what is accepted there; those that are active.
        valid_until: when the first certificate ends.
        signers: the certificates, from the signer's to the root.
    """

    product: str
    version: str
    edition: str
    tag_id: str
    values: Mapping[int, tuple[bytes, ...]]
    valid_until: datetime
    signers: tuple[x509.Certificate, ...]


def verify_manifest(
    data: bytes, *, at: datetime, roots: Collection[bytes] = (NVIDIA_RIM_ROOT_SHA256,)
) -> ReferenceManifest:
    """The reference values that NVIDIA signed.

    Args:
        data: XML of at most `tree.MAX_XML_BYTES`.
        at: the time at which its certificates have to be valid.
        roots: SHA-256 digests of the roots that are trusted.

    Raises:
        EvidenceError: they are not NVIDIA's, or not of this time.
    """
    root = parse(data)
    if root.name != XmlName(_SWID, "SoftwareIdentity"):
        raise malformed(f"the document is {root.name.written[:40]!r}, not a SoftwareIdentity")
    chain = certificates_of(root)
    end = certificates.check_chain(chain, roots=roots, at=at)
    verify_document(root, chain[0])
    meta = root.only(XmlName(_SWID, "Meta"))
    return ReferenceManifest(
        product=_text(meta, "product"),
        version=_text(meta, "colloquialVersion"),
        edition=_text(meta, "edition"),
        tag_id=_text(root, "tagId"),
        values=_values(root.only(XmlName(_SWID, "Payload"))),
        valid_until=end,
        signers=chain,
    )


def prove_manifest(
    data: bytes, *, at: datetime, roots: Collection[bytes] = (NVIDIA_RIM_ROOT_SHA256,)
) -> Proven:
    """What a manifest proves by itself, of kind `nvidia-rim`: who says what is in it."""
    manifest = verify_manifest(data, at=at, roots=roots)
    return Proven(
        kind=EvidenceKind.NVIDIA_RIM,
        measurements={},
        report_data=b"",
        debug=None,
        valid_until=manifest.valid_until,
        facts={
            "product": manifest.product,
            "version": manifest.version,
            "edition": manifest.edition,
            "tag-id": manifest.tag_id,
            "values": len(manifest.values),
        },
        named=tuple(named.certificates(manifest.signers)),
    )


def _values(payload: XmlElement) -> dict[int, tuple[bytes, ...]]:
    seen: set[int] = set()
    found: dict[int, tuple[bytes, ...]] = {}
    for resource in payload.elements:
        if resource.name != XmlName(_SWID, "Resource"):
            raise malformed(f"the payload has a {resource.name.written[:40]!r}")
        index = _number(resource, "index", _INDICES)
        if index in seen:
            raise malformed(f"measurement {index} is there twice")
        seen.add(index)
        active = _ACTIVE.get(resource.attribute("active").lower())
        if active is None or _number(resource, "size", range(65)) != _DIGEST_BYTES:
            raise malformed(f"measurement {index} is neither active nor not, or no SHA-384")
        count = _number(resource, "alternatives", _ALTERNATIVES)
        values = tuple(_digest(resource, f"Hash{number}") for number in range(count))
        if active:
            found[index] = values
    if not found:
        raise malformed("the manifest has no active measurement")
    return found


def _digest(resource: XmlElement, name: str) -> bytes:
    text = resource.attribute(name, _SHA384)
    try:
        value = bytes.fromhex(text) if text.isalnum() else b""
    except ValueError:
        value = b""
    if len(value) != _DIGEST_BYTES:
        raise malformed(f"{name} of a measurement is not {_DIGEST_BYTES} bytes in hexadecimal")
    return value


def _number(element: XmlElement, name: str, allowed: range) -> int:
    text = element.attribute(name)
    if not _DIGITS.fullmatch(text) or int(text) not in allowed:
        raise malformed(f"{name} is {text[:20]!r}, which is out of range")
    return int(text)


def _text(element: XmlElement, name: str) -> str:
    text = element.attribute(name)
    if not _TEXT.fullmatch(text):
        raise malformed(f"{name} is not a text of 1 to 128 characters")
    return text
