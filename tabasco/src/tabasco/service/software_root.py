"""Native verifiers: does this evidence prove what vouches for a key, on one kind of platform?

Each kind is one class behind `NativeVerifier`. The Linux software root is the only kind today: an
ordinary key that somebody registered, with no hardware behind it, and its platform's name says so.
"""

from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.errors import AttestationError, ErrorCode
from psa_attestation.evidence.software import verify_software_evidence
from tabasco.errors import RefusalError, RejectionReason
from tabasco.registry.models import NAME_CHARS
from tabasco.registry.roots import Root, Roots
from tabasco.verify import named
from tabasco.verify.named import Named, Subject, measurements_of
from tabasco.verify.proven import Proven
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import LINUX_SOFTWARE
from veracruz_utils.public_keys import p256_key_of_der


@frozen
class NativeResult:
    """What verified evidence proves about a root attestation isolate.

    `version` is for people: printable, at most 64 characters. `root_number` is the row of the
    registered root that signed, or that certified the TPM; None where the hardware's vendor did.
    `named` is all that a revocation can name; `proven` is what hardware proved, None where a root
    vouched.
    """

    measurement: bytes
    version: str
    root_number: int | None
    named: tuple[Named, ...]
    proven: Proven | None = None


class NativeVerifier(Protocol):
    """Verifies the evidence of one platform; thread-safe."""

    platform: str

    def verify(
        self, evidence: bytes, *, binding: bytes, challenge: bytes, at: datetime
    ) -> NativeResult:
        """What `evidence` proves, given that it is about `binding` (32 bytes) and valid at `at`.

        Args:
            evidence: of the platform.
            binding: what it has to be about.
            challenge: of the enrolment, used up; the binding depends on it.
            at: the time to verify for.

        Raises:
            RefusalError: it proves nothing to us.
        """
        ...


class LinuxSoftwareRoot:
    """Evidence of the Linux software root: a token signed by a registered root's key.

    It proves that whoever holds that key says so. Nothing about hardware follows from it.
    """

    platform = LINUX_SOFTWARE

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def verify(
        self,
        evidence: bytes,
        *,
        binding: bytes,
        challenge: bytes,  # noqa: ARG002 - it is in the binding
        at: datetime,  # noqa: ARG002 - a root's key has no dates
    ) -> NativeResult:
        """What a registered root says about the isolate that `binding` is about.

        Raises:
            RefusalError: `ROOT_UNKNOWN`, `EVIDENCE_REFUSED`.
        """
        signers: list[Root] = []

        def key_for(instance_id: bytes) -> ec.EllipticCurvePublicKey | None:
            root = self._roots.find(instance_id)
            if root is None:
                return None
            signers.append(root)
            return p256_key_of_der(root.public_key)

        try:
            proven = verify_software_evidence(evidence, key_for=key_for, binding=binding)
        except AttestationError as error:
            unknown = error.code is ErrorCode.UNKNOWN_INSTANCE
            reason = RejectionReason.ROOT_UNKNOWN if unknown else RejectionReason.EVIDENCE_REFUSED
            raise RefusalError(reason, error.code) from error
        # It is shown on terminals later: no control characters from somebody else.
        if len(proven.version) > NAME_CHARS or not proven.version.isprintable():
            raise RefusalError(RejectionReason.EVIDENCE_REFUSED, "version")
        (signer,) = signers
        return NativeResult(
            measurement=proven.measurement,
            version=proven.version,
            root_number=signer.number,
            named=(
                *measurements_of([("root-attester", proven.measurement)]),
                named.key("root's key", p256_key_of_der(signer.public_key)),
                Named(Subject.INSTANCE, "root", signer.instance_id),
            ),
        )
