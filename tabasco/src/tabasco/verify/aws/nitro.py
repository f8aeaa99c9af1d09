"""AWS Nitro Enclaves attestation documents.

A document is an untagged COSE_Sign1 (ES384) around a CBOR map. Its certificate lives about three
hours and is issued under the bundle it carries, whose first entry has to *be* the pinned root: the
bundle offers a path, it never says whom to trust. Recent firmware writes the map with an indefinite
length, so lengths are read leniently here; repeated keys are refused all the same.
"""

import hmac
from collections.abc import Collection, Container, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits, decode
from psa_attestation.cbor.values import Key, Value
from psa_attestation.cose.messages import CoseKind, Message
from psa_attestation.cose.signing import ALG
from tabasco.verify import named
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.members import array, integer, mapping, octets, text
from tabasco.verify.proven import Proven
from tabasco.verify.x509 import certificates
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import P384, KeyFormatError, ec_key

AWS_NITRO_ROOT_SHA256: Final = bytes.fromhex(
    "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
)
"""Digest of the root certificate `aws.nitro-enclaves` G1, as AWS publishes it."""

ENCLAVE_REGISTERS: Final = "pcrs"
TPM_REGISTERS: Final = "nitrotpm_pcrs"
MAX_DOCUMENT_BYTES: Final = 16 * 1024
_ES384: Final = -35
_ENVELOPE: Final = DecodeLimits(
    max_bytes=MAX_DOCUMENT_BYTES, max_items=64, max_depth=4, allow_indefinite=True
)
_PAYLOAD: Final = DecodeLimits(
    max_bytes=MAX_DOCUMENT_BYTES, max_items=1024, max_depth=8, allow_indefinite=True, tags=ANY_TAG
)
_PCR_SIZES: Final = (48,)
_PCRS: Final = range(32)
_IMAGE_PCRS: Final = (0, 1, 2)
_BUNDLE_SIZES: Final = range(1, certificates.MAX_CHAIN)
_CERTIFICATE_SIZES: Final = range(1, 1025)
_TIMES_MS: Final = range(1, 253_402_300_800_000)  # up to the year 10000


@frozen
class NitroDocument:
    """A well-formed document; nothing in it is authentic before `verify_nitro`.

    Attributes:
        module_id: of the enclave.
        timestamp: when the hypervisor made the document.
        pcrs: by index, 48 bytes each.
        certificate: of the signing key, DER.
        cabundle: DER certificates from the root down to the certificate's issuer.
        public_key: at most 1024 bytes of the enclave's choice; so `user_data` and `nonce`, at most
            512 bytes each.
    """

    module_id: str
    timestamp: datetime
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    message: Message

    @property
    def debug(self) -> bool:
        """Whether a measurement of the image is zero, as they all are in debug mode."""
        return any(not any(self.pcrs[index]) for index in _IMAGE_PCRS)


def parse_nitro(data: bytes, *, registers: str = ENCLAVE_REGISTERS) -> NitroDocument:
    """The document that `data` is.

    Args:
        data: a document.
        registers: the member that has them: an instance's TPM calls them otherwise than an enclave.

    Raises:
        EvidenceError: stage `format`.
    """
    with as_evidence_error("the document"):
        message = _message(decode(data, _ENVELOPE))
        content = decode(message.payload, _PAYLOAD)
    members = mapping(content, "the document's content")
    if members.get("digest") != "SHA384":
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            "the document's digest is not SHA384",
        )
    return NitroDocument(
        module_id=text(members.get("module_id"), "module_id", range(1, 129)),
        timestamp=_timestamp(members.get("timestamp")),
        pcrs=_pcrs(members.get(registers), registers),
        certificate=octets(members.get("certificate"), "certificate", _CERTIFICATE_SIZES),
        cabundle=_bundle(members.get("cabundle")),
        public_key=_optional(members, "public_key", range(1025)),
        user_data=_optional(members, "user_data", range(513)),
        nonce=_optional(members, "nonce", range(513)),
        message=message,
    )


def verify_nitro(
    data: bytes,
    *,
    at: datetime,
    nonce: bytes | None = None,
    max_age: timedelta = timedelta(minutes=5),
    clock_skew: timedelta = timedelta(minutes=1),
    roots: Collection[bytes] = (AWS_NITRO_ROOT_SHA256,),
) -> Proven:
    """What an authentic document proves; `report_data` is its `user_data`.

    Args:
        data: the document as the device gave it.
        at: the time of verification; certificates have to be valid then and at the document's time.
        nonce: what the document has to answer; None leaves it to the caller.
        max_age: of the document at `at`, where no nonce is expected.
        clock_skew: by how much the document may be of the future.
        roots: SHA-256 digests of the root certificates that are trusted.

    Raises:
        EvidenceError: for anything that is not authentic; a debuggable enclave is reported instead.
    """
    document = parse_nitro(data)
    chain, valid_until = verify_document(
        document, at=at, nonce=nonce, max_age=max_age, clock_skew=clock_skew, roots=roots
    )
    return Proven(
        kind=EvidenceKind.NITRO,
        measurements={f"pcr{index}": value for index, value in sorted(document.pcrs.items())},
        report_data=document.user_data or b"",
        debug=document.debug,
        valid_until=valid_until,
        facts=facts_of(document),
        named=tuple(named.certificates(chain)),
    )


def verify_document(
    document: NitroDocument,
    *,
    at: datetime,
    nonce: bytes | None,
    max_age: timedelta,
    clock_skew: timedelta,
    roots: Collection[bytes],
) -> tuple[list[x509.Certificate], datetime]:
    """The certificates of an authentic and fresh document, and when the first of them ends.

    Raises:
        EvidenceError: it is not authentic, or it is of another time or for another challenge.
    """
    # (1) the path, from the pinned root to the certificate, at both times
    chain, key, valid_until = _verify_path(document, at, roots)
    # (2) the signature, by the certificate's key
    _verify_signature(document, key)
    # (3) freshness: a nonce that the caller chose bounds the age better than any clock
    _check_nonce(document.nonce, nonce)
    _check_age(document.timestamp, at, max_age if nonce is None else None, clock_skew)
    return chain, valid_until


def _message(value: Value) -> Message:
    # No tag, although RFC 9052 has one: decode lets none through.
    if not isinstance(value, list) or len(value) != 4:
        raise malformed("a document is an array of four elements")
    protected, unprotected, payload, signature = value
    if not (
        isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)
    ):
        raise malformed("protected header, payload and signature are byte strings")
    # The signature does not cover it (RFC 9052 4.4), so nothing may stand there.
    if unprotected != {}:
        raise malformed("the unprotected header is not an empty map")
    # Of definite length here: only the payload and its envelope come otherwise from AWS.
    headers = decode(protected, DecodeLimits(max_bytes=64, max_items=8, max_depth=2))
    algorithm = headers.get(ALG) if isinstance(headers, dict) and len(headers) == 1 else None
    if type(algorithm) is not int or algorithm != _ES384:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            "the protected header is not just ES384",
        )
    return Message(CoseKind.SIGN1, protected, algorithm, {}, payload, signature)


def _verify_path(
    document: NitroDocument, at: datetime, roots: Collection[bytes]
) -> tuple[list[x509.Certificate], ec.EllipticCurvePublicKey, datetime]:
    chain = [certificates.load(der) for der in (document.certificate, *reversed(document.cabundle))]
    # At the document's time too: a signer whose time had not come could not have made it.
    for time in (document.timestamp, at):
        valid_until = certificates.check_chain(chain, roots=roots, at=time)
    try:
        return chain, ec_key(chain[0].public_key(), P384), valid_until
    except KeyFormatError as error:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN, f"the signer's key {error}"
        ) from error


def _verify_signature(document: NitroDocument, key: ec.EllipticCurvePublicKey) -> None:
    with as_evidence_error("the document's signature"):
        document.message.verify(key)


def _timestamp(value: Value) -> datetime:
    milliseconds = integer(value, "timestamp", _TIMES_MS)
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _pcrs(value: Value, registers: str) -> dict[int, bytes]:
    pcrs = {
        integer(index, "a PCR's index", _PCRS): octets(digest, f"PCR{index!r:.8}", _PCR_SIZES)
        for index, digest in mapping(value, registers).items()
    }
    # `debug` is read from these three, so a document without them would hide it.
    if not pcrs.keys() >= set(_IMAGE_PCRS):
        raise malformed("PCR0, PCR1 or PCR2 is missing")
    return pcrs


def _bundle(value: Value) -> tuple[bytes, ...]:
    entries = array(value, "cabundle", _BUNDLE_SIZES)
    return tuple(octets(entry, "a cabundle entry", _CERTIFICATE_SIZES) for entry in entries)


def _optional(members: Mapping[Key, Value], name: str, sizes: Container[int]) -> bytes | None:
    value = members.get(name)
    return None if value is None else octets(value, name, sizes)


def _check_age(
    made: datetime, at: datetime, max_age: timedelta | None, clock_skew: timedelta
) -> None:
    if max_age is not None and at - made > max_age:
        raise EvidenceError(
            Fault.EXPIRED,
            VerificationStage.APPRAISAL,
            f"the document is of {made}, it is {at}: at most {max_age} are allowed where no nonce "
            "is expected",
            remedy="expect the nonce that you sent: --nonce; without one a greater age is allowed "
            "by --max-age MINUTES",
        )
    if made - at > clock_skew:
        raise EvidenceError(
            Fault.NOT_YET_VALID,
            VerificationStage.APPRAISAL,
            f"the document is of {made}, it is {at}",
        )


def _check_nonce(found: bytes | None, expected: bytes | None) -> None:
    if expected is not None and not hmac.compare_digest(found or b"", expected):
        raise EvidenceError(
            Fault.NONCE,
            VerificationStage.BINDING,
            f"the document answers nonce {(found or b'').hex()[:128]}, expected {expected.hex()}",
        )


def facts_of(document: NitroDocument) -> dict[str, str]:
    """What a policy may ask of a document beside its registers."""
    facts = {"module-id": document.module_id, "timestamp": document.timestamp.isoformat()}
    for name, value in (("public-key", document.public_key), ("nonce", document.nonce)):
        if value is not None:
            facts[name] = value.hex()
    return facts
