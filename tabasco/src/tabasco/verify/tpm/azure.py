"""Azure's confidential machines: a virtual TPM whose key the hardware's report vouches for.

The paravisor hands out a report (`HCLA`) that holds a hardware report and runtime data in JSON. The
first bytes of the hardware's report data are the hash of exactly these JSON bytes, and in them is
the TPM's attestation key. So: verify the hardware's evidence first, then `certify` the key by it,
then the quote by the key. For TDX the hardware's evidence is a quote that comes separately.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from psa_attestation.jose.base64url import from_base64url
from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven
from tabasco.verify.tpm.quote import CertifiedKey, usable_key
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonValue

MAX_REPORT_BYTES: Final = 16 * 1024

_MAGIC: Final = b"HCLA"
_VERSIONS: Final = frozenset({1, 2})
_USER_DATA_BYTES: Final = 64
_MAX_TEXT: Final = 256
_HEADER, _HARDWARE, _REQUEST = 32, 1184, 20
_ATTESTATION: Final = 2  # the header's request type
_KINDS: Final = {2: EvidenceKind.SEV_SNP, 4: EvidenceKind.TDX}
_HASHES: Final = {1: "sha256", 2: "sha384", 3: "sha512"}
_KEY_NAME: Final = "HCLAkPub"


@frozen
class HclReport:
    """A well-formed report; nothing in it is authentic before `certify`.

    Attributes:
        kind: of the hardware's evidence that vouches for it.
        hardware: 1184 bytes: the SEV-SNP report, or a padded TDREPORT.
        runtime_data: JSON, as it was hashed.
        hash_name: the `hashlib` name of that hash.
    """

    kind: EvidenceKind
    hardware: bytes
    runtime_data: bytes
    hash_name: str


def is_hcl_report(data: bytes) -> bool:
    """Whether some bytes are meant to be such a report."""
    return data[:4] == _MAGIC


def parse_hcl(data: bytes) -> HclReport:
    """The report that `data` is, padded with zeros.

    Raises:
        EvidenceError: stage `format`.
    """
    start = _HEADER + _HARDWARE + _REQUEST
    if not start < len(data) <= MAX_REPORT_BYTES:
        raise malformed(f"a report of {len(data)} bytes, {start} to {MAX_REPORT_BYTES} are read")
    if data[:4] != _MAGIC:
        raise malformed("the report does not start with HCLA")
    if (version := _number(data, 4)) not in _VERSIONS:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"a paravisor's report of version {version}, known are 1 and 2",
        )
    size, request = _number(data, 8), _number(data, 12)
    data_size, kind, hash_type, json_size = (
        _number(data, _HEADER + _HARDWARE + 4 * index) for index in (0, 2, 3, 4)
    )
    end = start + json_size
    if request != _ATTESTATION or size != end or data_size != _REQUEST + json_size:
        raise malformed("the report's sizes disagree, or it is not for attestation")
    if end > len(data) or any(data[end:]):
        raise malformed("the report is cut, or something follows its runtime data")
    if kind not in _KINDS or hash_type not in _HASHES:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"a report of type {kind}, hash {hash_type}",
        )
    hardware = data[_HEADER : _HEADER + _HARDWARE]
    return HclReport(_KINDS[kind], hardware, data[start:end], _HASHES[hash_type])


def certify(report: HclReport, hardware: Proven) -> CertifiedKey:
    """The TPM's attestation key, vouched for by verified evidence of the hardware.

    Args:
        report: with the runtime data that names the key.
        hardware: what the machine's SEV-SNP report or TDX quote proves. Whether its state is
            acceptable is for `appraise`, as ever.

    Raises:
        EvidenceError: the hardware does not vouch for this report.
    """
    if hardware.kind != report.kind:
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.BINDING,
            f"the report is of {report.kind}, the evidence of {hardware.kind}",
        )
    digest = hashlib.new(report.hash_name, report.runtime_data).digest()
    # All 64 bytes: what stands behind the digest must not be open to choice.
    if not hmac.compare_digest(hardware.report_data, digest.ljust(64, b"\0")):
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.BINDING,
            f"the hardware vouches for {hardware.report_data.hex()}, "
            f"the runtime data's hash is {digest.hex()}",
        )
    key = _attestation_key(runtime_claims(report))
    return CertifiedKey(key, f"the hardware's report ({hardware.kind})", hardware.valid_until)


def runtime_claims(report: HclReport) -> Mapping[str, JsonValue]:
    """What the runtime data says; authentic once `certify` has accepted the report.

    Raises:
        EvidenceError: it is no JSON object.
    """
    with as_evidence_error("the runtime data"):
        claims = decode_json(report.runtime_data)
    if not isinstance(claims, dict):
        raise malformed("the runtime data is not an object")
    return claims


def user_data(report: HclReport) -> bytes:
    """The 64 bytes that the machine had put into the report; none in older ones.

    Raises:
        EvidenceError: they are something else.
    """
    value = runtime_claims(report).get("user-data")
    if value is None:
        return b""
    try:
        found = bytes.fromhex(value) if isinstance(value, str) and value.isalnum() else b""
    except ValueError:
        found = b""
    if len(found) != _USER_DATA_BYTES:
        raise malformed(f"the user data are not {_USER_DATA_BYTES} bytes in hexadecimal")
    return found


def configuration(report: HclReport) -> dict[str, str]:
    """What the report says of the machine (`vm-configuration`), texts and truths, by name."""
    given = runtime_claims(report).get("vm-configuration")
    found = given.items() if isinstance(given, dict) else ()
    return {
        f"vm.{name}": str(value).lower() if isinstance(value, bool) else value
        for name, value in found
        if isinstance(value, str | bool) and len(str(value)) <= _MAX_TEXT
    }


def _attestation_key(claims: Mapping[str, JsonValue]) -> rsa.RSAPublicKey:
    keys = claims.get("keys")
    found = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("kid") == _KEY_NAME
    ]
    if len(found) != 1 or found[0].get("kty") != "RSA" or found[0].get("e") != "AQAB":
        raise malformed(f"the runtime data has not one RSA key named {_KEY_NAME}")
    modulus = found[0].get("n")
    if not isinstance(modulus, str) or len(modulus) > 1024:
        raise malformed("the modulus of the attestation key is missing")
    with as_evidence_error("the attestation key"):
        number = int.from_bytes(from_base64url(modulus, "its modulus"), "big")
    try:
        key = usable_key(rsa.RSAPublicNumbers(65537, number).public_key())
    except ValueError as error:
        raise malformed("the attestation key cannot be used") from error
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def _number(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")
