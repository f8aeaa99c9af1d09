"""A principal's library: identity, consent, attestation, sending and fetching, receipts.

policy = Policy.parse(Path("policy.json").read_bytes(), at=datetime.now(UTC))
identity = Identity.load("alice.cert.pem", "alice.key.pem")
attestation = attest(policy)
with Principal.connect(policy, identity, attestation) as principal:
principal.send_data(0, Path("people.csv"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durango.attestation import attest
    from durango.attestation_files import SavedAttestation
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
        TabascoKeyError,
        WrongInputError,
    )
    from durango.evidence import Attestation, Evidence, GateCheck, Passed
    from durango.gate import judge
    from durango.identity import Identity, load_certificate
    from durango.principal import FetchedResult, Principal
    from durango.receipts import CommitmentOpening, verify_receipt
    from durango.refusals import RequestFailedError, RequestRefusedError
    from durango.tabasco_keys import parse_tabasco_key, pinned_key

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

# Loaded when it is asked for: a command that sends nothing should not wait for TLS and gRPC.
_HOMES: Final = {
    name: module
    for module, names in {
        "durango.attestation": ("attest",),
        "durango.attestation_files": ("SavedAttestation",),
        "durango.bundles": (
            "ReceiptBundle",
            "VerifiedBundle",
            "verify_bundle",
        ),
        "durango.consents": (
            "sign_policy",
            "signer_of",
        ),
        "durango.errors": (
            "AttestationFileError",
            "ConsentError",
            "ContentError",
            "DurangoError",
            "GateError",
            "IdentityError",
            "NotAuthorisedError",
            "PolicyExpiredError",
            "ProgramFailedError",
            "ProtocolError",
            "ReceiptError",
            "TabascoKeyError",
            "WrongInputError",
        ),
        "durango.evidence": (
            "Attestation",
            "Evidence",
            "GateCheck",
            "Passed",
        ),
        "durango.gate": ("judge",),
        "durango.identity": (
            "Identity",
            "load_certificate",
        ),
        "durango.principal": (
            "FetchedResult",
            "Principal",
        ),
        "durango.receipts": (
            "CommitmentOpening",
            "verify_receipt",
        ),
        "durango.refusals": (
            "RequestFailedError",
            "RequestRefusedError",
        ),
        "durango.tabasco_keys": (
            "parse_tabasco_key",
            "pinned_key",
        ),
    }.items()
    for name in names
}


def __getattr__(name: str) -> object:
    """A public name, from the module where it lives (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'durango' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
