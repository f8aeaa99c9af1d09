"""The certificate of the key that signs a device's reports, and what it says of the device.

NVIDIA's boot ROM makes the key for the firmware that it measured, and certifies it with the digest
of that firmware: TCG's DICE extensions, of which Hopper has the older one and Blackwell the newer.
"""

from typing import Final

from cryptography import x509

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import certificates, der

_COMPOSITE_DEVICE_ID: Final = "2.23.133.5.4.1"
_TCB_INFO: Final = "2.23.133.5.4.1.1"
_FWIDS: Final = 0xA6  # [6] of DiceTcbInfo


def model_of(leaf: x509.Certificate) -> str:
    """The chip that a signing key's certificate names, such as `GH100`; without underscores."""
    return certificates.common_name(leaf).partition(" ")[0].replace("_", "")[:32]


def firmware_digests(leaf: x509.Certificate) -> tuple[bytes, ...]:
    """The digests of firmware that the key was made for; nothing where no extension says them.

    Raises:
        EvidenceError: stage `chain`: an extension is malformed.
    """
    found = certificates.outline_of(leaf).extensions
    try:
        if _TCB_INFO in found:
            members = der.children(der.read(found[_TCB_INFO].value, der.SEQUENCE))
            listed = [each for each in members if each.tag == _FWIDS]
            return tuple(_digest(each) for tagged in listed for each in der.children(tagged))
        if _COMPOSITE_DEVICE_ID in found:
            value = der.read(found[_COMPOSITE_DEVICE_ID].value, der.SEQUENCE)
            return (_digest(der.children(value)[-1]),)
    except EvidenceError as error:
        raise EvidenceError(error.fault, VerificationStage.CHAIN, error.detail) from error
    return ()


def check_firmware(leaf: x509.Certificate, reported: bytes) -> None:
    """Refuse a report that speaks of other firmware than its key was made for.

    Raises:
        EvidenceError: `CERTIFICATE_MISMATCH`.
    """
    digests = firmware_digests(leaf)
    if reported not in digests:
        certified = ", ".join(each.hex() for each in digests) or "none"
        raise EvidenceError(
            Fault.CERTIFICATE_MISMATCH,
            VerificationStage.BINDING,
            f"the report says firmware {reported.hex()}, the certificate is for {certified}",
        )


def _digest(element: der.Element) -> bytes:
    _, digest = der.sequence(element, der.OBJECT_IDENTIFIER, der.OCTET_STRING)
    return digest.content
