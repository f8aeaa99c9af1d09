"""Fixed, short certificate chains up to a pinned root, at a given time.

No path is searched for: the caller gives the chain in order, from the leaf to the root, and each
certificate has to be issued by the next. The root is trusted because its bytes are pinned by
digest, not because of its name or key. Every certificate is held to the same few rules:
algorithms from a closed list, positive serial numbers, validity at the time asked for, and
authorities that say so (RFC 5280 4.2.1.3, 4.2.1.9). Revocation is in `crl`.

Certificates come again and again. What is true of their bytes at any time, such
as who signed them, is remembered for the last few; times are compared anew, always.
"""

import binascii
import contextlib
import functools
import hashlib
import itertools
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import der
from tabasco.verify.x509.outline import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    CertificateOutline,
    authority,
    outline,
    usage,
)
from veracruz_utils.public_keys import KeyFormatError
from veracruz_utils.public_keys import p256_key as p256_key_in

MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MAX_CHAIN: Final = 8  # the longest that a vendor uses is AWS's, of five
# Bounded: evidence with ever new certificates must not fill the memory.
_REMEMBERED: Final = 128

_PSS_PARAMETERS: Final = (
    "a00f300d06096086480165030402020500"
    "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
RSA_PSS_SHA384: Final = frozenset(
    {
        bytes.fromhex("304106092a864886f70d01010a3034" + _PSS_PARAMETERS),
        bytes.fromhex("304606092a864886f70d01010a3039" + _PSS_PARAMETERS + "a303020101"),
    }
)
"""AlgorithmIdentifiers of RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt; the second
writes out the default of the trailer field, as AMD's authorities do."""

# Whole identifiers: RSA carries NULL as its parameters (RFC 4055 5), ECDSA none (RFC 5758 3.2).
_ALGORITHMS: Final = frozenset(
    RSA_PSS_SHA384
    | {
        bytes.fromhex("300a06082a8648ce3d040302"),  # ECDSA with SHA-256
        bytes.fromhex("300a06082a8648ce3d040303"),  # ECDSA with SHA-384
        bytes.fromhex("300a06082a8648ce3d040304"),  # ECDSA with SHA-512
        bytes.fromhex("300d06092a864886f70d01010b0500"),  # RSA PKCS #1 v1.5 with SHA-256
        bytes.fromhex("300d06092a864886f70d01010c0500"),  # RSA PKCS #1 v1.5 with SHA-384
        bytes.fromhex("300d06092a864886f70d01010d0500"),  # RSA PKCS #1 v1.5 with SHA-512
    }
)
# RFC 5280 4.2: a certificate with a critical extension that is not understood is refused.
_KNOWN_CRITICAL: Final = frozenset({BASIC_CONSTRAINTS, KEY_USAGE})
# Bits of a key usage (RFC 5280 4.2.1.3), counted from the highest of its first byte.
_DIGITAL_SIGNATURE, _CERTIFICATE_SIGN, _LIST_SIGN = 0, 5, 6
_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM_END: Final = b"-----END CERTIFICATE-----"


def load(encoded: bytes, *, stage: VerificationStage = VerificationStage.CHAIN) -> x509.Certificate:
    """A certificate from DER.

    Raises:
        EvidenceError: it is malformed, too large, or signed in a way that is not on our list.
    """
    if len(encoded) > MAX_CERTIFICATE_BYTES:
        raise EvidenceError(
            Fault.MALFORMED,
            stage,
            f"a certificate has {len(encoded)} bytes, at most {MAX_CERTIFICATE_BYTES} are read",
        )
    return _load(encoded, stage)


@functools.lru_cache(maxsize=_REMEMBERED)
def _load(encoded: bytes, stage: VerificationStage) -> x509.Certificate:
    # Before the library sees it, because the library merely warns about both of these.
    _check_outline(encoded, stage)
    try:
        certificate = x509.load_der_x509_certificate(encoded)
        # The library reads the key when it is asked: a malformed one is to fail here.
        certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceError(Fault.MALFORMED, stage, "a certificate cannot be read") from error
    return certificate


def load_pem(
    text: bytes,
    *,
    explained: bool = False,
    stage: VerificationStage = VerificationStage.CHAIN,
) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM text, in its order: at least one, at most `MAX_CHAIN`.

    Args:
        text: the PEM.
        explained: whether people may have written between certificates what they are (RFC 7468 2).
            Not in evidence of hardware, where nothing is open to change.
        stage: for the error: whose certificates they are.

    Raises:
        EvidenceError: as `load`, or something else than certificates and line ends is in it.
    """
    blocks = pem_blocks(text, explained=explained, stage=stage)
    return tuple(load(encoded, stage=stage) for encoded in blocks)


def as_pem(encoded: bytes) -> bytes:
    """A certificate in DER as PEM."""
    lines = (_PEM_BEGIN, binascii.b2a_base64(encoded, newline=False), _PEM_END, b"")
    return b"\n".join(lines)


def is_pem(data: bytes) -> bool:
    """Whether certificates are in PEM rather than in DER, which begins with a sequence."""
    return data[:1] != b"\x30" and _PEM_BEGIN in data


def pem_blocks(
    text: bytes,
    *,
    explained: bool = False,
    stage: VerificationStage = VerificationStage.CHAIN,
) -> list[bytes]:
    """The DER of each certificate in a PEM text, unread; see `load_pem`."""
    # Base64 with its line ends takes 4/3 of the DER: twice as much bounds it before it is split.
    if len(text) > 2 * MAX_CHAIN * MAX_CERTIFICATE_BYTES:
        raise EvidenceError(Fault.MALFORMED, stage, "a certificate chain is too large")
    blocks = (_without_explanations(text) if explained else text).split(_PEM_BEGIN)
    if blocks[0].strip(b"\r\n") or not 1 < len(blocks) <= MAX_CHAIN + 1:
        raise EvidenceError(
            Fault.MALFORMED, stage, f"not a PEM text of one to {MAX_CHAIN} certificates"
        )
    return [_pem_body(block, stage) for block in blocks[1:]]


def _without_explanations(text: bytes) -> bytes:
    kept: list[bytes] = []
    inside = False
    for line in text.splitlines(keepends=True):
        # A line with dashes is of a key or of something else: whoever splits the text refuses it.
        if inside or b"-----" in line:
            kept.append(line)
            inside = line.rfind(_PEM_BEGIN) > line.rfind(_PEM_END) or (
                inside and _PEM_END not in line
            )
    return b"".join(kept)


def _pem_body(block: bytes, stage: VerificationStage) -> bytes:
    body, end, rest = block.partition(_PEM_END)
    if not end or rest.strip(b"\r\n"):
        raise EvidenceError(Fault.MALFORMED, stage, "there is other text between PEM certificates")
    digits = body.replace(b"\r", b"").replace(b"\n", b"")
    try:
        encoded = binascii.a2b_base64(digits)
    except ValueError as error:
        raise EvidenceError(Fault.MALFORMED, stage, "a PEM certificate is not base64") from error
    # The one way to write it: no other characters, no bits behind the last byte.
    if binascii.b2a_base64(encoded, newline=False) != digits:
        raise EvidenceError(Fault.MALFORMED, stage, "a PEM certificate's base64 is not canonical")
    return encoded


def check_chain(
    chain: Sequence[x509.Certificate],
    *,
    roots: Collection[bytes],
    at: datetime,
    stage: VerificationStage = VerificationStage.CHAIN,
    purpose: Callable[[x509.Certificate], None] | None = None,
) -> datetime:
    """When the first certificate of a chain that holds at `at` ends.

    Args:
        chain: from the leaf, which is no authority, to the root; at least two.
        roots: SHA-256 digests of the DER of the roots that are trusted.
        at: with a time zone.
        stage: for the error: whose chain it is.
        purpose: refuses a leaf that is not for this; by default what signs no evidence.

    Raises:
        EvidenceError: `UNKNOWN_ROOT`, `CHAIN`, `NOT_YET_VALID`, `EXPIRED` or
            `UNSUPPORTED_ALGORITHM`.
    """
    if not 2 <= len(chain) <= MAX_CHAIN:
        raise EvidenceError(Fault.CHAIN, stage, f"a chain of {len(chain)} certificates")
    end = check_issuers(chain[1:], roots=roots, at=at, stage=stage)
    leaf = chain[0]
    if purpose is None:
        check_leaf(leaf, stage=stage)
    else:
        purpose(leaf)
    _check_issued(leaf, chain[1], stage)
    _check_time(leaf, at, stage)
    return min(end, leaf.not_valid_after_utc)


def check_issuers(
    chain: Sequence[x509.Certificate],
    *,
    roots: Collection[bytes],
    at: datetime,
    stage: VerificationStage = VerificationStage.CHAIN,
) -> datetime:
    """As `check_chain`, for the authorities alone: from the leaf's issuer to the root."""
    # Before anything is verified: names and keys of a root can be copied, its bytes cannot.
    if digest(chain[-1]) not in roots:
        raise EvidenceError(
            Fault.UNKNOWN_ROOT,
            stage,
            f"the chain ends in {name(chain[-1])}, sha256 {digest(chain[-1]).hex()}, not in a "
            "pinned root",
        )
    # Each by itself, so that a leaf that somebody was sold cannot issue further certificates.
    for depth, certificate in enumerate(chain):
        check_authority(certificate, authorities_below=depth, stage=stage)
    # Not the root by itself: its bytes are pinned, and its own signature would prove nothing more.
    for issued, issuing in itertools.pairwise(chain):
        _check_issued(issued, issuing, stage)
    for certificate in chain:
        _check_time(certificate, at, stage)
    return min(certificate.not_valid_after_utc for certificate in chain)


def chain_to_root(
    leaf: x509.Certificate,
    authorities: Sequence[x509.Certificate],
    *,
    trusted: Sequence[x509.Certificate],
) -> tuple[x509.Certificate, ...]:
    """The chain from `leaf` by way of `authorities`, in their order, to one that is trusted.

    The trusted one may be left out of `authorities`: then it is found by its name. Nothing is
    verified: that is for `check_chain`.

    Raises:
        EvidenceError: `UNKNOWN_ROOT`.
    """
    chain = (leaf, *authorities)
    last = chain[-1]
    if len(chain) > 1 and digest(last) in {digest(each) for each in trusted}:
        return chain
    issuer = outline_of(last).issuer.encoded
    named = [each for each in trusted if outline_of(each).subject.encoded == issuer]
    for root in named:  # a root that was renewed has the old one's name
        with contextlib.suppress(EvidenceError):
            _check_issued(last, root, VerificationStage.CHAIN)
            return (*chain, root)
    if named:
        return (*chain, named[-1])
    raise EvidenceError(
        Fault.UNKNOWN_ROOT,
        VerificationStage.CHAIN,
        f"{name(last)} is issued by {der.common_name(outline_of(last).issuer)[:64]!r}, "
        f"which is none of {len(trusted)} trusted roots: a certificate between them may be missing",
    )


def check_leaf(
    certificate: x509.Certificate,
    *,
    stage: VerificationStage = VerificationStage.CHAIN,
    understood: Collection[str] = (),
) -> None:
    """Refuse a leaf that is an authority, or says critical things that nobody reads.

    Args:
        certificate: the leaf.
        stage: for the error.
        understood: extensions that the caller reads.
    """
    found = check_end_entity(certificate, stage=stage, understood=understood)
    # A leaf that names no usage may sign (RFC 5280 4.2.1.3); an authority has to name its own.
    if usage(found, _DIGITAL_SIGNATURE) is False:
        raise EvidenceError(Fault.CHAIN, stage, f"{name(certificate)} is not for signatures")


def check_end_entity(
    certificate: x509.Certificate,
    *,
    stage: VerificationStage = VerificationStage.CHAIN,
    understood: Collection[str] = (),
) -> CertificateOutline:
    """The members of a leaf, which is no authority, whatever its key is for; see `check_leaf`."""
    found = _outline_of(certificate, stage, understood)
    if authority(found)[0]:
        raise EvidenceError(
            Fault.CHAIN, stage, f"{name(certificate)} is an authority, not a signer of evidence"
        )
    return found


def check_authority(
    certificate: x509.Certificate,
    *,
    authorities_below: int,
    stage: VerificationStage = VerificationStage.CHAIN,
) -> None:
    """Refuse what is not said to be an authority with so many authorities below it."""
    is_authority, most = _authority_of(certificate, stage)
    if not is_authority:
        raise EvidenceError(Fault.CHAIN, stage, f"{name(certificate)} is not an authority")
    if most is not None and authorities_below > most:
        raise EvidenceError(
            Fault.CHAIN,
            stage,
            f"{name(certificate)} allows {most} authorities below it, "
            f"there are {authorities_below}",
        )


def check_validity(
    start: datetime,
    end: datetime,
    *,
    at: datetime,
    what: str,
    stage: VerificationStage = VerificationStage.CHAIN,
) -> None:
    """Refuse what is not valid at `at`; both ends belong to the time of validity."""
    # RFC 5280 4.1.2.5: notBefore and notAfter are themselves within the time of validity.
    if at < start:
        raise EvidenceError(Fault.NOT_YET_VALID, stage, f"{what} is valid from {start}, it is {at}")
    if at > end:
        raise EvidenceError(Fault.EXPIRED, stage, f"{what} was valid until {end}, it is {at}")


def p256_key(
    certificate: x509.Certificate, *, stage: VerificationStage = VerificationStage.CHAIN
) -> ec.EllipticCurvePublicKey:
    """The certificate's key, which has to be on P-256."""
    try:
        return p256_key_in(certificate.public_key())
    except KeyFormatError as error:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, stage, f"the key of {name(certificate)} {error}"
        ) from error


@functools.lru_cache(maxsize=_REMEMBERED)
def digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's DER."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


@functools.lru_cache(maxsize=_REMEMBERED)
def outline_of(certificate: x509.Certificate) -> CertificateOutline:
    """The members of a certificate that has been loaded."""
    return outline(certificate.public_bytes(serialization.Encoding.DER))


@functools.lru_cache(maxsize=_REMEMBERED)
def may_sign_lists(certificate: x509.Certificate) -> bool:
    """Whether an authority's key is said to be for revocation lists."""
    return bool(usage(outline_of(certificate), _LIST_SIGN))


def common_name(certificate: x509.Certificate) -> str:
    """The subject's only common name, or nothing."""
    return outline_of(certificate).common_name


def name(certificate: x509.Certificate) -> str:
    """How errors call a certificate."""
    return repr(common_name(certificate)[:64])


def _check_time(certificate: x509.Certificate, at: datetime, stage: VerificationStage) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not start <= at <= end:  # so that a name is only read for an error
        check_validity(start, end, at=at, what=name(certificate), stage=stage)


def _check_outline(encoded: bytes, stage: VerificationStage) -> None:
    try:
        found = outline(encoded)
        authority(found)
        usage(found, _DIGITAL_SIGNATURE)
    except EvidenceError as error:
        raise EvidenceError(error.fault, stage, error.detail) from error
    # Two lists of revoked certificates could mean others by it; RFC 5280 4.1.2.2 forbids it.
    if found.serial == 0:
        raise EvidenceError(Fault.MALFORMED, stage, "a certificate has serial number 0")
    # A closed list: SHA-1, MD5 and parameters nobody looks at have forged certificates before.
    if found.algorithm not in _ALGORITHMS:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            stage,
            "a certificate is signed with an algorithm that is not accepted",
        )


def _outline_of(
    certificate: x509.Certificate, stage: VerificationStage, understood: Collection[str] = ()
) -> CertificateOutline:
    found = outline_of(certificate)
    for identifier, extension in found.extensions.items():
        known = identifier in _KNOWN_CRITICAL or identifier in understood
        if extension.critical and not known:
            raise EvidenceError(
                Fault.CHAIN,
                stage,
                f"{name(certificate)} has critical extension {identifier}, which is not known here",
            )
    return found


@functools.lru_cache(maxsize=_REMEMBERED)
def _authority_of(
    certificate: x509.Certificate, stage: VerificationStage
) -> tuple[bool, int | None]:
    found = _outline_of(certificate, stage)
    is_authority, most = authority(found)
    # RFC 5280 4.2.1.3: authorities have to carry a key usage, so one without is none.
    return is_authority and bool(usage(found, _CERTIFICATE_SIGN)), most


@functools.lru_cache(maxsize=_REMEMBERED)  # what fails is not remembered
def _check_issued(
    issued: x509.Certificate, issuing: x509.Certificate, stage: VerificationStage
) -> None:
    try:
        # It compares the names too; whether the issuer is an authority, or valid, it does not ask.
        issued.verify_directly_issued_by(issuing)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise EvidenceError(
            Fault.CHAIN, stage, f"{name(issued)} is not issued by {name(issuing)}"
        ) from error
