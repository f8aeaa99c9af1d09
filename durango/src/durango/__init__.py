"""A principal's library: identity, consent, attestation, sending and fetching, receipts.

policy = Policy.parse(Path("policy.json").read_bytes(), at=datetime.now(UTC))
identity = Identity.load("alice.cert.pem", "alice.key.pem")
attestation = attest(policy)
with Principal.connect(policy, identity, attestation) as principal:
principal.send_data(0, Path("people.csv"))
"""

from durango.attestation import (
    SavedAttestation,
    attest,
    parse_tabasco_key,
    pinned_key,
)
from durango.bundles import ReceiptBundle, VerifiedBundle, verify_bundle
from durango.consents import sign_policy, signer_of
from durango.errors import (
    AttestationFileError,
    ConsentError,
    ContentError,
    DurangoError,
    GateError,
    IdentityError,
    NotAuthorisedError,
    PolicyExpiredError,
    ProgramFailedError,
    ProtocolError,
    ReceiptError,
    RequestFailedError,
    RequestRefusedError,
    TabascoKeyError,
    WrongInputError,
)
from durango.evidence import Attestation, Evidence, GateCheck, Passed
from durango.gate import judge
from durango.identity import Identity, load_certificate
from durango.principal import FetchedResult, Principal
from durango.receipts import CommitmentOpening, verify_receipt

__all__ = [
    "Attestation",
    "AttestationFileError",
    "CommitmentOpening",
    "ConsentError",
    "ContentError",
    "DurangoError",
    "Evidence",
    "FetchedResult",
    "GateCheck",
    "GateError",
    "Identity",
    "IdentityError",
    "NotAuthorisedError",
    "Passed",
    "PolicyExpiredError",
    "Principal",
    "ProgramFailedError",
    "ProtocolError",
    "ReceiptBundle",
    "ReceiptError",
    "RequestFailedError",
    "RequestRefusedError",
    "SavedAttestation",
    "TabascoKeyError",
    "VerifiedBundle",
    "WrongInputError",
    "attest",
    "judge",
    "load_certificate",
    "parse_tabasco_key",
    "pinned_key",
    "sign_policy",
    "signer_of",
    "verify_bundle",
    "verify_receipt",
]
