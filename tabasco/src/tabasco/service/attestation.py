"""The attestation service without its network: requests in, answers or errors out."""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from colima.tabasco import (
    BeginEnrolmentRequest,
    BeginEnrolmentResponse,
    CompleteEnrolmentRequest,
    CompleteEnrolmentResponse,
    DescribeServiceRequest,
    DescribeServiceResponse,
    RequestCredentialRequest,
    RequestCredentialResponse,
    VerifyTokenRequest,
    VerifyTokenResponse,
)
from psa_attestation.evidence.native import NativeEvidence
from psa_attestation.results.ear_claims import VerifierId
from tabasco.appraisal.inspection import Inspection
from tabasco.errors import RefusalError, RejectionReason, TabascoError
from tabasco.metrics import ACCEPTED, ATTESTATIONS, EVIDENCE
from tabasco.registry import audit
from tabasco.registry.challenges import Challenges
from tabasco.registry.database import Database
from tabasco.registry.health import DatabaseHealth
from tabasco.registry.instances import Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.registry.policies import Policies
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.registry.roots import Roots
from tabasco.service.credentials import Credentials
from tabasco.service.enrolment import Enrolments
from tabasco.service.explanation import explain
from tabasco.service.hardware_root import APPRAISED, MEASURED, HardwareRoot
from tabasco.service.refusals import RefusalKind, Refusals
from tabasco.service.results import Results
from tabasco.service.sessions import Sessions, Submission
from tabasco.service.software_root import LinuxSoftwareRoot
from tabasco.verify.means import CollateralSource
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import der_of
from veracruz_utils.secret import Secret

DEVELOPER: Final = "veracruz-tabasco"

_log = logging.getLogger(__name__)


@frozen
class Settings:
    """How long things are good for, and how many may be open.

    Attributes:
        challenge_validity: of an enrolment challenge.
        enrolment_validity: of an enrolment; after it the instance has to enrol again.
        result_validity: of an attestation result.
        max_challenges: that were answered and have not expired; half of it for refused answers.
    """

    challenge_validity: timedelta = timedelta(seconds=120)
    enrolment_validity: timedelta = timedelta(hours=24)
    result_validity: timedelta = timedelta(minutes=5)
    max_challenges: int = 32768


class AttestationService:
    """Enrols root attestation isolates and answers for their tokens; safe to share by threads.

    Args:
        database: open; the caller closes it.
        key_ring: signs results.
        build: our version, as results name it.
        now: the current time, aware.
        settings: how long things are good for.
        source: of collateral of hardware.
        challenge_key: shared by services that accept each other's challenges and share no
            database; None for a key in the database.
        roots: SHA-256 digests of hardware roots to trust instead of the vendors'.
    """

    def __init__(
        self,
        *,
        database: Database,
        key_ring: KeyRing,
        build: str,
        now: Callable[[], datetime],
        settings: Settings,
        source: CollateralSource,
        challenge_key: Secret | None = None,
        roots: Collection[bytes] | None = None,
    ) -> None:
        self._now = now
        self._settings = settings
        self._verifier = VerifierId(DEVELOPER, build)
        self._key_ring = key_ring
        instances = Instances(database)
        revocations = Revocations(database)
        self._database = database
        self._health = DatabaseHealth(database)
        self._refusals = Refusals(database)
        self._source = source
        self._roots = roots
        challenges = Challenges(
            database,
            validity=settings.challenge_validity,
            limit=settings.max_challenges,
            key=challenge_key,
        )
        self._credentials = Credentials(
            challenges=challenges,
            roots=Roots(database),
            key=challenges.key,
        )
        hardware = _hardware(database, source, roots, self._credentials)
        self._enrolments = Enrolments(
            challenges=challenges,
            instances=instances,
            verifiers=(
                LinuxSoftwareRoot(Roots(database)),
                *(hardware[kind.value] for kind in MEASURED),
            ),
            validity=settings.enrolment_validity,
        )
        self._sessions = Sessions(
            database=database,
            challenges=challenges,
            verifiers=hardware,
            key_ring=key_ring,
            verifier=self._verifier,
            validity=settings.result_validity,
            revocations=revocations,
            refusals=self._refusals,
        )
        self._results = Results(
            instances=instances,
            key_ring=key_ring,
            verifier=self._verifier,
            validity=settings.result_validity,
            revocations=revocations,
        )

    def describe(self, _: DescribeServiceRequest) -> DescribeServiceResponse:
        """Who we are and which platforms we verify."""
        return DescribeServiceResponse(
            verifier=f"{self._verifier.developer} {self._verifier.build}",
            public_key=der_of(self._key_ring.in_use(self._now())[0].public),
            platforms=self._enrolments.platforms,
        )

    def begin_enrolment(self, request: BeginEnrolmentRequest) -> BeginEnrolmentResponse:
        """A challenge for one enrolment.

        Raises:
            RefusalError, BusyError: see `Enrolments.begin`.
        """
        challenge = self._enrolments.begin(request.platform, at=self._now())
        _log.debug("enrolment begun")
        return BeginEnrolmentResponse(challenge, _seconds(self._settings.challenge_validity))

    def request_credential(self, request: RequestCredentialRequest) -> RequestCredentialResponse:
        """A credential for the attestation key of a TPM that wants to enrol.

        Raises:
            RefusalError: see `Credentials.give`.
        """
        made = self._credentials.give(request, at=self._now())
        return RequestCredentialResponse(made.blob, made.encrypted_secret)

    def complete_enrolment(self, request: CompleteEnrolmentRequest) -> CompleteEnrolmentResponse:
        """The acknowledgement of an enrolment that is on disk.

        Raises:
            RefusalError: see `Enrolments.complete`.
        """
        now = self._now()
        try:
            enrolment = self._enrolments.complete(request, at=now)
        except RefusalError as error:
            self._record_refusal(request.platform, error)
            raise
        ATTESTATIONS.add(action="enrol", outcome=ACCEPTED)
        EVIDENCE.add(platform=enrolment.platform, accepted="yes")
        _log.info(
            "instance enrolled: %s on %s until %s",
            enrolment.instance_id.hex(),
            enrolment.platform,
            enrolment.expires_at.isoformat(),
        )
        # Not what was configured: it may end sooner, with what it was accepted by.
        validity = _seconds(enrolment.expires_at - now)
        return CompleteEnrolmentResponse(enrolment.instance_id, validity)

    def _record_refusal(self, platform: str, error: RefusalError, *, action: str = "enrol") -> None:
        # What strangers call a platform does not get into the log.
        known = error.reason is not RejectionReason.PLATFORM_UNKNOWN
        refused = RefusalKind(action, platform if known else "another platform", error.reason.value)
        ATTESTATIONS.add(action=action, outcome=error.reason.value)
        EVIDENCE.add(platform=platform, accepted="no")
        self._refusals.add(refused, at=self._now())

    def write_counts(self, *, all_of_them: bool = False) -> None:
        """Have refusals that were counted come into the audit log; to be called now and then.

        Args:
            all_of_them: before the end, those of periods that are not over as well.
        """
        self._refusals.write_counts(at=self._now(), all_of_them=all_of_them)

    def verify_token(self, request: VerifyTokenRequest) -> VerifyTokenResponse:
        """A signed result about the token.

        Raises:
            RefusalError: see `Results.about`.
        """
        try:
            result = self._results.about(
                request.token,
                request.challenge,
                at=self._now(),
                pinned_key=request.pinned_key,
                as_jwt=request.as_jwt,
            )
        except RefusalError as error:
            ATTESTATIONS.add(action="verify-token", outcome=error.reason.value)
            raise
        ATTESTATIONS.add(action="verify-token", outcome=ACCEPTED)
        _log.info("token verified: instance %s", result.claims.instance_id.hex())
        return VerifyTokenResponse(result.signed)

    def open_session(self, kind: str) -> tuple[bytes, int]:
        """A nonce for evidence of this kind, and for how many seconds it is good.

        Raises:
            RefusalError, BusyError: see `Sessions.open`.
        """
        nonce = self._sessions.open(kind, at=self._now())
        return nonce, _seconds(self._settings.challenge_validity)

    def submit_evidence(
        self, submission: Submission, *, pinned_key: bytes = b"", as_jwt: bool = False
    ) -> bytes:
        """A signed result about the attester.

        Raises:
            RefusalError: see `Sessions.submit`.
        """
        now = self._now()
        try:
            return self._sessions.submit(submission, at=now, pinned_key=pinned_key, as_jwt=as_jwt)
        except RefusalError as error:
            self._record_refusal(submission.kind, error, action="appraise")
            raise

    def explain(
        self, native: NativeEvidence, *, document: bytes = b"", at: datetime | None = None
    ) -> Inspection:
        """What would come of this evidence, check by check; see `explanation.explain`."""
        return explain(
            native,
            database=self._database,
            source=self._source,
            roots=self._roots,
            at=at or self._now(),
            document=document,
        )

    def check_ready(self) -> None:
        """Return if the database answers in time and there is a key to sign results with.

        Raises:
            TabascoError: one of them is missing, or the clock went back; the message names no
                place.
        """
        self._health.check()
        now = self._now()
        try:
            self._key_ring.in_use(now)
        except TabascoError as error:
            _log.error("no result key: %s", error)
            raise TabascoError("there is no result key to sign with") from error

    def key_set(self) -> bytes:
        """The result keys in use, as a JSON Web Key Set."""
        return self._key_ring.key_set(self._now())

    def signed_head(self) -> tuple[audit.Head, bytes]:
        """Where the audit log is, and that under the current result key (COSE_Sign1)."""
        head = audit.AuditLog(self._database).head()
        return head, head.sign(self._key_ring.in_use(self._now())[0].private)


def _hardware(
    database: Database,
    source: CollateralSource,
    roots: Collection[bytes] | None,
    credentials: Credentials,
) -> dict[str, HardwareRoot]:
    return {
        kind.value: HardwareRoot(
            kind,
            policies=Policies(database),
            references=ReferenceValues(database),
            source=source,
            platform_keys=PlatformKeys(database),
            roots=roots,
            registered_roots=Roots(database),
            credentials=credentials,
        )
        for kind in sorted(APPRAISED)
    }


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
