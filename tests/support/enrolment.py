"""Stand-ins for a software root and a root attester, made of the real minting functions."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from colima.tabasco import CompleteEnrolmentRequest
from psa_attestation.evidence.software import (
    ENROLMENT_AUDIENCE,
    LINUX_SOFTWARE_PLATFORM,
    enrolment_binding,
    mint_software_evidence,
)
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.runtime import mint_runtime_token


class Clock:
    """A clock that stands still until it is set; call it for the time."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        """Move on by a `timedelta` given by its keywords."""
        self.now += timedelta(**duration)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The 64 bytes r and s of `key` over `message`."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


@dataclass
class SoftwareRoot:
    """The software root of one machine."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def evidence(self, binding: bytes, *, version: str = "1.2.3") -> bytes:
        """Evidence that a root attester made `binding`."""
        return mint_software_evidence(
            root_key=self.key,
            measurement=hashlib.sha256(b"sonora").digest(),
            version=version,
            binding=binding,
        )


@dataclass
class RootAttester:
    """What Sonora does, as far as an attestation service can see."""

    root: SoftwareRoot
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @property
    def instance_id(self) -> bytes:
        """The id it enrols as."""
        return instance_id_of(self.key.public_key())

    def binding(
        self,
        challenge: bytes,
        *,
        platform: str = LINUX_SOFTWARE_PLATFORM,
        audience: str = ENROLMENT_AUDIENCE,
    ) -> bytes:
        """What its evidence and proof of possession are over."""
        return enrolment_binding(
            platform=platform, audience=audience, challenge=challenge, public_key=spki(self.key)
        )

    def enrolment(self, challenge: bytes) -> CompleteEnrolmentRequest:
        """The request that answers `challenge`."""
        binding = self.binding(challenge)
        return CompleteEnrolmentRequest(
            challenge=challenge,
            platform=LINUX_SOFTWARE_PLATFORM,
            evidence=self.root.evidence(binding),
            public_key=spki(self.key),
            proof_of_possession=es256(self.key, binding),
        )

    def token(self, challenge: bytes, *, platform: str = LINUX_SOFTWARE_PLATFORM) -> bytes:
        """A token about some runtime."""
        return mint_runtime_token(
            key=self.key,
            challenge=challenge,
            platform=platform,
            runtime_measurement=hashlib.sha256(b"runtime").digest(),
            runtime_version="4.5.6",
            certificate_digest=hashlib.sha256(b"certificate").digest(),
            policy_digest=hashlib.sha256(b"policy").digest(),
            isolation=frozenset(),
        )
