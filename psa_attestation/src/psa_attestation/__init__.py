"""Strict CBOR, COSE, PSA attestation tokens, attestation results and receipts."""

from psa_attestation.algorithms import MacAlgorithm, MacKey
from psa_attestation.appraisal import Appraisal, Tier, TrustVector, tier_of
from psa_attestation.binding import binding_digest
from psa_attestation.cbor import DecodeLimits, Tag, decode, encode
from psa_attestation.claims import Claims, Profile, SoftwareComponent
from psa_attestation.corim import Corim, read_comid, read_unsigned_corim, verify_corim
from psa_attestation.corim_comid import (
    AttestKeys,
    Comid,
    Environment,
    Measurement,
    ReferenceValues,
)
from psa_attestation.cose import mac0, sign1, verify1
from psa_attestation.ear import sign_ear, verify_ear
from psa_attestation.ear_claims import EAR_PROFILE, Ear, EarProfile, VerifierId
from psa_attestation.ear_jwt import sign_ear_jwt, verify_ear_jwt
from psa_attestation.errors import AttestationError, Code, Stage
from psa_attestation.evidence import (
    ENROLMENT_AUDIENCE,
    ENROLMENT_LABEL,
    LINUX_SOFTWARE_PLATFORM,
    SoftwareEvidence,
    enrolment_binding,
    implementation_id_of,
    mint_software_evidence,
    verify_software_evidence,
)
from psa_attestation.jwk import decode_key_set, encode_key_set, jwk_of, public_key_of
from psa_attestation.lifecycle import Lifecycle, lifecycle_of
from psa_attestation.native_evidence import NativeEvidence, report_data_of
from psa_attestation.receipt import (
    InputCommitment,
    Receipt,
    commit,
    sign_receipt,
    verify_receipt,
)
from psa_attestation.runtime_token import RuntimeClaims, mint_runtime_token
from psa_attestation.token import (
    MAX_TOKEN_BYTES,
    KeyLookup,
    mint_token,
    read_unverified_claims,
    verify_token,
)
from psa_attestation.ueid import INSTANCE_ID_BYTES, instance_id_of
from psa_attestation.veracruz_2021 import Claims2021, parse_2021_payload

__all__ = [
    "EAR_PROFILE",
    "ENROLMENT_AUDIENCE",
    "ENROLMENT_LABEL",
    "INSTANCE_ID_BYTES",
    "LINUX_SOFTWARE_PLATFORM",
    "MAX_TOKEN_BYTES",
    "Appraisal",
    "AttestKeys",
    "AttestationError",
    "Claims",
    "Claims2021",
    "Code",
    "Comid",
    "Corim",
    "DecodeLimits",
    "Ear",
    "EarProfile",
    "Environment",
    "InputCommitment",
    "KeyLookup",
    "Lifecycle",
    "MacAlgorithm",
    "MacKey",
    "Measurement",
    "NativeEvidence",
    "Profile",
    "Receipt",
    "ReferenceValues",
    "RuntimeClaims",
    "SoftwareComponent",
    "SoftwareEvidence",
    "Stage",
    "Tag",
    "Tier",
    "TrustVector",
    "VerifierId",
    "binding_digest",
    "commit",
    "decode",
    "decode_key_set",
    "encode",
    "encode_key_set",
    "enrolment_binding",
    "implementation_id_of",
    "instance_id_of",
    "jwk_of",
    "lifecycle_of",
    "mac0",
    "mint_runtime_token",
    "mint_software_evidence",
    "mint_token",
    "parse_2021_payload",
    "public_key_of",
    "read_comid",
    "read_unsigned_corim",
    "read_unverified_claims",
    "report_data_of",
    "sign1",
    "sign_ear",
    "sign_ear_jwt",
    "sign_receipt",
    "tier_of",
    "verify1",
    "verify_corim",
    "verify_ear",
    "verify_ear_jwt",
    "verify_receipt",
    "verify_software_evidence",
    "verify_token",
]
