"""Whether Tabasco still believes us, asked now and then as a principal would.

Theory of operation. Tabasco revokes, forgets and ends enrolments without a word to us, so we ask:
every `interval_s` we sign a token as for an isolate, over a fresh challenge, and have Tabasco
verify it. If it refuses the instance, the key signs nothing any more, another enrolment is asked
for at once, and the log says so; isolates go on, and are vouched for by the new key. A refusal for
any other reason, such as a revoked runtime, no enrolment mends: it is said once. Where Tabasco
cannot be reached nothing follows from that. The same turn renews an enrolment that is due.
"""

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from colima import encode, tabasco
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.runtime import mint_runtime_token
from sonora.enrolled_key import EnrolledKey
from sonora.enrolment import Call
from sonora.metrics import ENROLMENT_CHECKS
from veracruz_utils.errors import RefusedError, UnreachableError, VeracruzError

CHECK_INTERVAL_S: Final = 30
"""Between two questions: so long, and as long as a call takes, we may not know of a revocation."""

_LOG: Final = logging.getLogger(__name__)
_GONE: Final = ("instance-unknown", "instance-expired", "instance-revoked")
# No certificate and no policy has this digest, so nobody takes such a token for one of an isolate.
_NOBODY: Final = hashlib.sha256(b"veracruz-sonora-enrolment-check").digest()


class EnrolmentWatch:
    """Asks in a thread of its own, between `start` and `stop`.

    Args:
        enrolled: the key that is asked about, and enrolled anew.
        ask: has Tabasco verify a token by a key; see `question`.
        interval_s: between two questions, in seconds.
    """

    def __init__(
        self,
        enrolled: EnrolledKey,
        ask: Callable[[ec.EllipticCurvePrivateKey], None],
        *,
        interval_s: float = CHECK_INTERVAL_S,
    ) -> None:
        self._enrolled = enrolled
        self._ask = ask
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._said: str | None = None
        self._thread = threading.Thread(target=self._run, name="enrolment", daemon=True)

    def start(self) -> None:
        """Ask for the first time now: an enrolment that outlived a restart may be gone."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; a question that is out may still be answered."""
        self._stopping.set()

    def check(self) -> None:
        """Ask once, and do what follows."""
        asked = b""
        try:
            key = self._enrolled.key()
            asked = instance_id_of(key.public_key())
            self._ask(key)
        except RefusedError as error:
            ENROLMENT_CHECKS.add(outcome="refused")
            if not _is_gone(error):
                self._say("tabasco refuses this machine: %s", error)
                return
            _LOG.warning("tabasco believes this enrolment no more, enrolling anew: %s", error)
            self._enrolled.refused(asked)
            self._enrol_anew()
            return
        except VeracruzError as error:
            away = isinstance(error, UnreachableError)
            ENROLMENT_CHECKS.add(outcome="unreachable" if away else "failed")
            # Nothing is known of us then; that Tabasco is away is said where somebody needs it.
            if not away:
                self._say("tabasco was not asked about this enrolment: %s", error)
            return
        ENROLMENT_CHECKS.add(outcome="believed")
        if self._said is not None:
            _LOG.warning("tabasco believes this machine again, as instance %s", asked.hex())
        self._said = None

    def _enrol_anew(self) -> None:
        try:
            self._enrolled.key()
        except VeracruzError as error:
            self._say("not enrolled anew, and no isolate is vouched for until then: %s", error)
            return
        _LOG.warning("enrolled anew, as instance %s", self._enrolled.instance_id.hex())

    def _say(self, text: str, error: VeracruzError) -> None:
        """Once for each reason in a row: the same is found again at every turn."""
        if self._said != str(error):
            _LOG.error(text, error)
        self._said = str(error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.check()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn is to come
                _LOG.error("the enrolment was not looked at: %s", type(error).__name__)
            self._stopping.wait(self._interval_s)


def question(
    call: Call, *, platform: str, measurement: bytes, version: str
) -> Callable[[ec.EllipticCurvePrivateKey], None]:
    """How Tabasco is asked to verify a token by a key, about the runtime that is launched here."""

    def ask(key: ec.EllipticCurvePrivateKey) -> None:
        challenge = secrets.token_bytes(tabasco.CHALLENGE_BYTES)
        token = mint_runtime_token(
            key=key,
            challenge=challenge,
            platform=platform,
            runtime_measurement=measurement,
            runtime_version=version,
            certificate_digest=_NOBODY,
            policy_digest=_NOBODY,
            isolation=frozenset(),
        )
        call("VerifyToken", encode(tabasco.VerifyTokenRequest(token, challenge)))

    return ask


def _is_gone(error: RefusedError) -> bool:
    """Whether it is the instance that is refused: reasons are part of Tabasco's wire."""
    return any(f"{reason}:" in str(error) for reason in _GONE)
