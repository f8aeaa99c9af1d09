"""Whose consent to the policy is here, while the policy asks for any.

A signature may come from any member, as one who coordinates collects those of the others. It counts
until its principal takes it back, which only that principal can do, and only before a run. Then
nobody but itself can hand it in again: a signature that somebody kept must not undo it.
"""

from typing import Final

from colima.runtime import RefusalReason
from mexico_city.errors import DeniedError
from psa_attestation.cbor.values import WritingError
from psa_attestation.consents.consent import PolicyConsent
from veracruz_utils.policy import Policy, PolicyIdentity

_MOST_FACT_CHARS: Final = 160
_REVOKED: Final = "taken back, so that only its principal gives it again"


class Consents:
    """The consents to one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._agreement = policy.conduct.consent
        self._given: set[int] = set()
        self._revoked: set[int] = set()
        self._binding = False
        # By all of it but the signature, which nothing but the policy decides.
        self._asked: dict[bytes, tuple[int, PolicyConsent]] = {}
        for identity in policy.identities:
            if self._agreement is not None and identity.client_id in self._agreement.of:
                self._expect(identity)
        self._sizes = {consent.form.size for _, consent in self._asked.values()}

    @property
    def awaited(self) -> tuple[int, ...]:
        """Whose consent would still count, by client id; nobody's once there is enough."""
        return () if self._agreement is None else tuple(sorted(self._missing()))

    def require(self) -> None:
        """Refuse what takes the consents that the policy asks for.

        Raises:
            DeniedError: there are not enough of them.
        """
        if self._agreement is None or self._agreement.met(self._given):
            return
        names = ", ".join(self._policy.named(client_id) for client_id in self.awaited)
        here = len(self._agreement.of & self._given)
        raise DeniedError(
            RefusalReason.CONSENT_MISSING,
            found=f"{here} given",
            expected=f"{self._agreement.least} of {names}"[:_MOST_FACT_CHARS],
        )

    def give(self, bearer: PolicyIdentity, message: bytes) -> None:
        """Take a signed consent, the bearer's own or another's.

        Raises:
            DeniedError: it is none that the policy asks for, or its principal took it back.
        """
        client_id, consent = self._find(message)
        if client_id in self._revoked and bearer.client_id != client_id:
            raise DeniedError(
                RefusalReason.WRONG_ROLE,
                found=f"the consent of {self._policy.named(client_id)}, {_REVOKED}",
                expected=self._policy.named(client_id),
            )
        if not consent.is_given_by(message):
            raise DeniedError(
                RefusalReason.NOT_EXPECTED,
                found=f"a signature that is not by {self._policy.named(client_id)}",
                expected="one by the key of its certificate",
            )
        self._given.add(client_id)
        self._revoked.discard(client_id)

    def revoke(self, identity: PolicyIdentity) -> None:
        """Take back the consent of this principal.

        Raises:
            DeniedError: there is none, or there was a run, which cannot be undone.
        """
        if self._binding:
            raise DeniedError(
                RefusalReason.WRONG_STATE, found="a run has begun", expected="no run yet"
            )
        if identity.client_id not in self._given:
            raise DeniedError(
                RefusalReason.NOT_EXPECTED,
                found=f"no consent of {identity.label}",
                expected="one that was given",
            )
        self._given.remove(identity.client_id)
        self._revoked.add(identity.client_id)

    def bind(self) -> None:
        """A run begins: from here on none is taken back."""
        self._binding = True

    def _missing(self) -> frozenset[int]:
        assert self._agreement is not None
        return self._agreement.awaited(self._given)

    def _expect(self, identity: PolicyIdentity) -> None:
        try:
            consent = PolicyConsent.of(
                self._policy.digest.value, identity.client_id, identity.certificate
            )
        except WritingError:
            return  # a key that signs none: its principal's word is missing, whatever comes
        self._asked[consent.envelope] = (identity.client_id, consent)

    def _find(self, message: bytes) -> tuple[int, PolicyConsent]:
        for size in self._sizes:
            found = self._asked.get(message[:-size])
            if found is not None:
                return found
        raise DeniedError(
            RefusalReason.NOT_EXPECTED,
            found="no consent that this policy asks for",
            expected=f"one to policy {self._policy.digest}",
        )
