"""Signatures over whole XML documents that are in them (XMLDSig, enveloped), of one closed form.

One reference, to the document; two transforms: leave the signature out, make the rest canonical;
ECDSA on P-384 with SHA-384. A signature that is anything else is refused: whoever writes a document
picks none of it. So what is read is what is signed: the root that comes back, and no other.
Standard: W3C XML Signature 1.1; RFC 9231 for the algorithms' names.
"""

import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography import x509

from psa_attestation.cose.verification import verify_signature
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.x509 import certificates
from tabasco.verify.xml.canonical import canonical
from tabasco.verify.xml.tree import XmlElement, XmlName
from veracruz_utils.public_keys import P384, KeyFormatError, ec_key

_DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_CANONICAL: Final = frozenset(
    {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    }
)
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_ECDSA_SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
_SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#sha384"


def certificates_of(root: XmlElement) -> tuple[x509.Certificate, ...]:
    """The certificates that come with a document's signature, the signer's first.

    Raises:
        EvidenceError: there are none, or something that is none.
    """
    data = _only(_only(_signature(root), "KeyInfo"), "X509Data")
    encoded = [_base64(each) for each in _all(data, "X509Certificate")]
    if not 1 <= len(encoded) <= certificates.MAX_CHAIN:
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"a signature with {len(encoded)} certificates, 1 to {certificates.MAX_CHAIN} are read",
        )
    return tuple(map(certificates.load, encoded))


def verify_document(root: XmlElement, signer: x509.Certificate) -> None:
    """Return if `signer` signed the whole document of `root`.

    Raises:
        EvidenceError: it did not, or the signature is of another form.
    """
    signature = _signature(root)
    described = _only(signature, "SignedInfo")
    _check_form(described)
    reference = _only(described, "Reference")
    found = hashlib.sha384(canonical(root, without=signature)).digest()
    stated = _base64(_only(reference, "DigestValue"))
    if not hmac.compare_digest(found, stated):
        raise EvidenceError(
            Fault.SIGNATURE,
            VerificationStage.SIGNATURE,
            f"the document's digest is {found.hex()}, its signature is over {stated.hex()[:128]}",
        )
    try:
        key = ec_key(signer.public_key(), P384)
    except KeyFormatError as error:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN, f"the signer's key {error}"
        ) from error
    with as_evidence_error("the document's signature"):
        value = _base64(_only(signature, "SignatureValue"))
        verify_signature(key, value, canonical(described))


def _signature(root: XmlElement) -> XmlElement:
    found = _all(root, "Signature")
    if not found:
        raise EvidenceError(Fault.UNSIGNED, VerificationStage.FORMAT, "the document is not signed")
    if len(found) > 1:
        raise malformed(f"the document has {len(found)} signatures")
    return found[0]


def _check_form(described: XmlElement) -> None:
    reference = _only(described, "Reference")
    transforms = [each.attribute("Algorithm") for each in _only(reference, "Transforms").elements]
    if reference.attribute("URI") or transforms[:1] != [_ENVELOPED] or len(transforms) != 2:
        raise malformed("the signature is not over the document without it, and that alone")
    methods = {
        "transform": (transforms[1], _CANONICAL),
        "canonicalization": (_algorithm(described, "CanonicalizationMethod"), _CANONICAL),
        "signature": (_algorithm(described, "SignatureMethod"), {_ECDSA_SHA384}),
        "digest": (_algorithm(reference, "DigestMethod"), {_SHA384}),
    }
    for what, (found, known) in methods.items():
        if found not in known:
            raise EvidenceError(
                Fault.UNSUPPORTED_ALGORITHM,
                VerificationStage.FORMAT,
                f"{what} {found[:80]!r}, read is {' or '.join(sorted(known))}",
            )


def _algorithm(element: XmlElement, name: str) -> str:
    return _only(element, name).attribute("Algorithm")


def _only(element: XmlElement, name: str) -> XmlElement:
    return element.only(XmlName(_DSIG, name))


def _all(element: XmlElement, name: str) -> Sequence[XmlElement]:
    return [each for each in element.elements if each.name == XmlName(_DSIG, name)]


def _base64(element: XmlElement) -> bytes:
    digits = "".join(element.text.split())
    try:
        return binascii.a2b_base64(digits, strict_mode=True)
    except ValueError as error:
        raise malformed(f"{element.name.local} is not base64") from error
