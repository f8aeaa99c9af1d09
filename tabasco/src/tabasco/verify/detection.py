"""Which kind of evidence some bytes are, by their form alone; nothing here is verified.

Evidence travels as it is, or as text in hexadecimal or base64; both are taken off first.
"""

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.errors import AttestationError
from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.arm.cca_claims import PLATFORM_PROFILES
from tabasco.verify.aws.nitro import TPM_REGISTERS
from tabasco.verify.composite import is_composite
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import is_event_log
from tabasco.verify.google.confidential_space import ISSUER as GOOGLE_ISSUER
from tabasco.verify.hygon.csv import is_csv_evidence
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES, EvidenceKind
from tabasco.verify.microsoft.maa import ISSUER as MAA_ISSUER
from tabasco.verify.nvidia.evidence_json import is_device_list
from tabasco.verify.nvidia.nras import is_bundle
from tabasco.verify.nvidia.spdm import is_report
from tabasco.verify.tpm.azure import is_hcl_report
from tabasco.verify.tpm.azure_json import is_azure_evidence
from tabasco.verify.tpm.forms import is_quote
from tabasco.verify.tpm.vaportpm import has_document, is_cloud_quote
from tabasco.verify.unsigned import is_bare_eat

_HEX: Final = re.compile(rb"(?:0x)?(?:[0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}|[A-Za-z0-9_-]+={0,2}")
_JWS: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_SNP_BYTES: Final = 1184
_SNP_VERSIONS: Final = frozenset(range(2, 6))
_QUOTE_VERSIONS: Final = frozenset({3, 4, 5})
_TEE_OF_QUOTE: Final = {0: EvidenceKind.SGX, 0x81: EvidenceKind.TDX}
_COLLECTIONS: Final = frozenset({399, 907})
_CORIM: Final = 501
_SIGN1, _MAC0 = 18, 17
_CONTENT_TYPE: Final = 3
_PROFILE: Final = 265
_LIMITS: Final = DecodeLimits(
    max_bytes=MAX_EVIDENCE_BYTES,
    max_items=20_000,
    tags=frozenset({_SIGN1, _MAC0, _CORIM, *_COLLECTIONS}),
    allow_indefinite=True,
)


def plain(data: bytes) -> bytes:
    """The evidence without the hexadecimal, base64 or base64url that it may have travelled in."""
    text = b"".join(data.split())
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.removeprefix(b"0x").decode())
    if _BASE64.fullmatch(text):
        standard = text.rstrip(b"=").translate(_STANDARD)
        with contextlib.suppress(binascii.Error):
            return base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    return data


def kind_of(data: bytes) -> EvidenceKind:
    """The kind of evidence that `data` has the form of.

    Raises:
        EvidenceError: fault `unknown-kind`: of none that is verified here.
    """
    found = (
        _quote(data) or _report(data) or _spdm(data) or _text(data) or _cbor(data) or _other(data)
    )
    if found is None:
        kinds = ", ".join(EvidenceKind)
        raise EvidenceError(
            Fault.UNKNOWN_KIND,
            VerificationStage.FORMAT,
            f"{len(data)} bytes that have the form of none of {kinds}",
        )
    return found


def _quote(data: bytes) -> EvidenceKind | None:
    if len(data) < 48 or int.from_bytes(data[:2], "little") not in _QUOTE_VERSIONS:
        return None
    # The key type comes next; a report of SEV-SNP has zeros there.
    if data[2:4] == b"\0\0":
        return None
    version, tee = int.from_bytes(data[:2], "little"), int.from_bytes(data[4:8], "little")
    return EvidenceKind.SGX if version == 3 else _TEE_OF_QUOTE.get(tee)


def _report(data: bytes) -> EvidenceKind | None:
    version = int.from_bytes(data[:4], "little")
    return EvidenceKind.SEV_SNP if len(data) == _SNP_BYTES and version in _SNP_VERSIONS else None


def _spdm(data: bytes) -> EvidenceKind | None:
    return EvidenceKind.NVIDIA if is_report(data) else None


def _text(data: bytes) -> EvidenceKind | None:
    text = data.strip()
    if text.startswith(b"<"):
        return EvidenceKind.NVIDIA_RIM if b"SoftwareIdentity" in text else None
    if text.startswith((b"{", b"[")):
        return next((kind for fits, kind in _JSON if fits(text)), None)
    if not _JWS.fullmatch(text):
        return None
    try:
        claims = decode_json(from_base64url(text.split(b".")[1].decode(), "the claims"))
    except AttestationError:
        return EvidenceKind.EAR
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    if isinstance(issuer, str) and MAA_ISSUER.fullmatch(issuer):
        return EvidenceKind.MAA
    return EvidenceKind.CONFIDENTIAL_SPACE if issuer == GOOGLE_ISSUER else EvidenceKind.EAR


def _other(data: bytes) -> EvidenceKind | None:
    if is_hcl_report(data):
        return EvidenceKind.TPM_AZURE
    if is_quote(data):
        return EvidenceKind.TPM
    return EvidenceKind.EVENT_LOG if is_event_log(data) else None


def _is_document_with_quote(text: bytes) -> bool:
    return is_cloud_quote(text) and has_document(text)


_JSON: Final[tuple[tuple[Callable[[bytes], bool], EvidenceKind], ...]] = (
    (is_bare_eat, EvidenceKind.EAT),
    (is_composite, EvidenceKind.COMPOSITE),  # early, as members of it may be of the others
    (is_device_list, EvidenceKind.NVIDIA),
    (is_bundle, EvidenceKind.NVIDIA_NRAS),
    (_is_document_with_quote, EvidenceKind.NITRO_TPM),
    (is_azure_evidence, EvidenceKind.TPM_AZURE),
    (is_quote, EvidenceKind.TPM),
    (is_csv_evidence, EvidenceKind.CSV),
)


def _cbor(data: bytes) -> EvidenceKind | None:
    try:
        value = decode(data, _LIMITS)
    except AttestationError:
        return _damaged(data)
    if isinstance(value, list):
        return EvidenceKind.NITRO_TPM if TPM_REGISTERS.encode() in data else EvidenceKind.NITRO
    if not isinstance(value, Tag):
        return None
    if value.number in _COLLECTIONS:
        return EvidenceKind.ARM_CCA
    if value.number == _CORIM:
        return EvidenceKind.CORIM
    return _signed(value.value)


def _damaged(data: bytes) -> EvidenceKind | None:
    """What it would be if it were not damaged, so that its verifier says what is wrong."""
    for start, kind in _BEGINNINGS.items():
        if data.startswith(start):
            is_tpm = kind is EvidenceKind.NITRO and TPM_REGISTERS.encode() in data
            return EvidenceKind.NITRO_TPM if is_tpm else kind
    return None


_BEGINNINGS: Final = {
    b"\x84\x44": EvidenceKind.NITRO,
    b"\x84\x46": EvidenceKind.NITRO,
    b"\x9f\x44": EvidenceKind.NITRO,
    b"\xd9\x01\x8f": EvidenceKind.ARM_CCA,
    b"\xd9\x03\x8b": EvidenceKind.ARM_CCA,
    b"\xd9\x01\xf5": EvidenceKind.CORIM,
    b"\xd1": EvidenceKind.PSA,
    b"\xd2": EvidenceKind.PSA,
    b"\xd8\x3d": EvidenceKind.PSA,
}


def _signed(value: Value) -> EvidenceKind:
    if not isinstance(value, list) or len(value) != 4:
        return EvidenceKind.PSA
    if _CONTENT_TYPE in _inner_map(value[0]):
        return EvidenceKind.CORIM
    profile = _inner_map(value[2]).get(_PROFILE)
    if not isinstance(profile, str):
        return EvidenceKind.PSA
    if profile in PLATFORM_PROFILES:
        return EvidenceKind.ARM_CCA
    return EvidenceKind.EAR if "ear" in profile else EvidenceKind.PSA


def _inner_map(value: Value) -> Mapping[Key, Value]:
    if not isinstance(value, bytes):
        return {}
    try:
        found = decode(value, _LIMITS)
    except AttestationError:
        return {}
    return found if isinstance(found, dict) else {}
