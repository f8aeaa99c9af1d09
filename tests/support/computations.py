"""Policies for the runtime's own tests, made in memory, and inputs for them."""

from collections.abc import Sequence

from mexico_city.content import content_of
from mexico_city.inputs import Package, Slot
from psa_attestation.consents.consent import PolicyConsent
from psa_attestation.consents.signing import sign_consent
from psa_attestation.receipts.receipt import commit
from support.policies import NOW, current_document, identity, key_of, text
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy, PolicyIdentity
from veracruz_utils.secret import Secret

PROGRAM = b"the program of the policy"


def policy(
    roles: Sequence[Sequence[str]],
    *,
    data: Sequence[int] = (),
    streams: Sequence[int] = (),
    limits: dict[str, int] | None = None,
    debug: bool = False,
    **terms: object,
) -> Policy:
    """A policy whose identities 0, 1, ... have these roles; `terms` are fields besides."""
    document = current_document() | {
        "identities": [
            identity(number, f"party-{number}", *each) for number, each in enumerate(roles)
        ],
        "data_provision_order": list(data),
        "streaming_order": list(streams),
        "program_digest": str(Digest.of(PROGRAM)),
        "limits": limits or {},
        "debug": debug,
        **terms,
    }
    return Policy.parse(text(document), at=NOW)


def package(owner: PolicyIdentity | int, package_id: int, kind, content: bytes = b"") -> Package:
    """An input as it is kept once it is in."""
    client_id = owner if isinstance(owner, int) else owner.client_id
    salt = bytes(32)
    commitment = commit(salt, Digest.of(content).value)
    slot = Slot(kind, client_id, package_id, len(content))
    return Package(slot, content_of(content), Secret(salt), commitment)


def consent_to(of: Policy, client_id: int, *, instead: Policy | None = None) -> bytes:
    """What this identity of a policy signs to agree to it, or to another `instead`."""
    certificate = of.identities[client_id].certificate
    consent = PolicyConsent.of((instead or of).digest.value, client_id, certificate)
    return sign_consent(consent, key_of(f"party-{client_id}"))
