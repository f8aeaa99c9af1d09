"""Consents: signing a policy, and telling whose signatures are at hand. No network is needed."""

from collections.abc import Iterable

from durango.errors import ConsentError
from durango.identity import Identity, require_member
from psa_attestation.cbor.values import WritingError
from psa_attestation.consents.consent import PolicyConsent
from psa_attestation.consents.signing import sign_consent
from veracruz_utils.policy import Policy, PolicyIdentity


def sign_policy(policy: Policy, identity: Identity) -> bytes:
    """The consent of this principal to the policy, as a signed message.

    Raises:
        NotAuthorisedError: the identity is none of the policy's.
        ConsentError: its key is of a kind that signs no consents.
    """
    member = require_member(policy, identity)
    try:
        return sign_consent(_consent_of(policy, member), identity.private_key)
    except WritingError as error:
        raise ConsentError(f"{member.label} cannot sign the policy: {error}") from error


def signer_of(policy: Policy, message: bytes, *, name: str) -> PolicyIdentity:
    """Which of the policy's principals consents to it by this message.

    Raises:
        ConsentError: none does; the error calls the message `name`.
    """
    for identity in policy.identities:
        try:
            consent = _consent_of(policy, identity)
        except WritingError:
            continue  # its key signs none
        if consent.is_given_by(message):
            return identity
    raise ConsentError(
        f"{name} is no consent to policy {policy.digest} by one of its principals: "
        "`durango policy sign` makes one, for this very policy"
    )


def unsigned(policy: Policy, signers: Iterable[int]) -> tuple[PolicyIdentity, ...]:
    """Whose consent the policy still asks for, when these have given theirs, by client id."""
    agreement = policy.conduct.consent
    awaited = frozenset() if agreement is None else agreement.awaited(frozenset(signers))
    return tuple(identity for identity in policy.identities if identity.client_id in awaited)


def _consent_of(policy: Policy, identity: PolicyIdentity) -> PolicyConsent:
    return PolicyConsent.of(policy.digest.value, identity.client_id, identity.certificate)
