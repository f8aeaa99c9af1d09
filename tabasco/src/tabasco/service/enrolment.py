"""Enrolment: how a root attestation isolate comes into the register.

Theory of operation. The isolate asks for a challenge, makes a key, and sends native evidence and a
proof of possession, both over one binding: a digest of the label, the platform, ourselves as the
audience, the challenge and the key. So neither can be used for another service, key or time, and
nobody enrols a key that is somebody else's. A challenge is used up before anything is verified, as
far as there is room for what strangers use up, and in any case before an enrolment is written.
The answer leaves only after the row is on disk; a service that dies in between has acknowledged
nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from colima.tabasco import CompleteEnrolmentRequest
from psa_attestation.evidence.software import ENROLMENT_AUDIENCE, enrolment_binding
from psa_attestation.tokens.instance_id import instance_id_of
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.challenges import Challenges
from tabasco.registry.instances import OWN, Enrolment, Instances
from tabasco.service.software_root import NativeVerifier
from tabasco.verify import named
from tabasco.verify.named import Named, Subject
from veracruz_utils.public_keys import KeyFormatError, p256_key_of_der


class Enrolments:
    """Enrols isolates whose evidence one of `verifiers` accepts, for `validity` at most."""

    def __init__(
        self,
        *,
        challenges: Challenges,
        instances: Instances,
        verifiers: Iterable[NativeVerifier],
        validity: timedelta,
    ) -> None:
        self._challenges = challenges
        self._instances = instances
        self._verifiers = {verifier.platform: verifier for verifier in verifiers}
        self._validity = validity

    @property
    def platforms(self) -> tuple[str, ...]:
        """The names of the platforms whose evidence we verify, sorted."""
        return tuple(sorted(self._verifiers))

    def begin(self, platform: str, *, at: datetime) -> bytes:
        """A challenge for one enrolment on `platform`.

        Raises:
            RefusalError: `PLATFORM_UNKNOWN`.
        """
        self._verifier(platform)
        return self._challenges.issue(platform, at=at)

    def complete(self, request: CompleteEnrolmentRequest, *, at: datetime) -> Enrolment:
        """The enrolment, written to disk.

        Raises:
            RefusalError: the challenge, the key, the proof or the evidence is not what it must be;
                the challenge is used up all the same.
            BusyError: too many challenges were answered lately.
        """
        verifier = self._verifier(request.platform)
        # (1) the challenge is ours, live, and nobody else's from now on
        taken = self._challenges.use(request.challenge, request.platform, at=at)
        # (2) the key is one we can enrol, and the caller holds it
        try:
            key = p256_key_of_der(request.public_key)
        except KeyFormatError:
            raise RefusalError(RejectionReason.KEY_UNSUITABLE) from None
        binding = enrolment_binding(
            platform=request.platform,
            audience=ENROLMENT_AUDIENCE,
            challenge=request.challenge,
            public_key=request.public_key,
        )
        _verify_possession(request.proof_of_possession, key, binding)
        own = (
            named.key(OWN, key),
            Named(Subject.INSTANCE, OWN, instance_id_of(key)),
        )
        # After the proof: only who holds the key learns that it is revoked.
        self._instances.refuse_revoked(own)
        # (3) something we trust vouches for what holds it
        # Costly, and so behind a challenge that was used up and a proof that holds.
        proven = verifier.verify(
            request.evidence, binding=binding, challenge=request.challenge, at=at
        )
        # (4) on disk, if at that moment nothing of it is revoked and the policy still accepts it
        enrolment = Enrolment(
            instance_id=instance_id_of(key),
            public_key=request.public_key,
            platform=request.platform,
            measurement=proven.measurement,
            version=proven.version,
            root_number=proven.root_number,
            enrolled_at=at,
            expires_at=at + self._validity,
            named=(*own, *proven.named),
            proven=proven.proven,
        )
        self._challenges.settle(taken, at=at)
        return self._instances.enrol(enrolment)

    def _verifier(self, platform: str) -> NativeVerifier:
        try:
            return self._verifiers[platform]
        except KeyError:
            raise RefusalError(RejectionReason.PLATFORM_UNKNOWN) from None


def _verify_possession(proof: bytes, key: ec.EllipticCurvePublicKey, binding: bytes) -> None:
    """Refuse unless `proof` is the ES256 signature (r and s, 32 bytes each) by `key`."""
    r, s = int.from_bytes(proof[:32]), int.from_bytes(proof[32:])
    try:
        key.verify(encode_dss_signature(r, s), binding, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise RefusalError(RejectionReason.POSSESSION_UNPROVEN) from None
