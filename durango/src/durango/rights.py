"""What the policy gives an identity, looked up before anything is sent.

The isolate decides all of this again; here it costs nothing and the answer can name everyone.
"""

from datetime import datetime
from typing import Final

from colima.runtime import ContentKind
from durango._words import timestamp
from durango.content import UploadContent
from durango.errors import NotAuthorisedError
from durango.evidence import Attestation
from veracruz_utils.policy import (
    DATA_SENDERS,
    PROGRAM_SENDERS,
    RESULT_READERS,
    STREAM_SENDERS,
    Policy,
    PolicyIdentity,
    Role,
)

_MAX_PACKAGE_ID: Final = (1 << 32) - 1
_SENDERS: Final = {
    ContentKind.PROGRAM: PROGRAM_SENDERS,
    ContentKind.DATA: DATA_SENDERS,
    ContentKind.STREAM: STREAM_SENDERS,
}


def require_role(policy: Policy, member: PolicyIdentity, roles: frozenset[Role], act: str) -> None:
    """Refuse what the policy does not give `member`, naming whom it does.

    Raises:
        NotAuthorisedError: the policy gives `member` none of `roles`.
    """
    if member.roles & roles:
        return
    holders = [other.label for other in policy.identities if other.roles & roles]
    raise NotAuthorisedError(
        f"{member.label} is {', '.join(sorted(member.roles))} and may not {act}: "
        f"that takes {' or '.join(sorted(roles))}, which the policy gives to "
        f"{', '.join(holders) or 'nobody'}"
    )


def require_attested(policy: Policy, attestation: Attestation, at: datetime) -> None:
    """Refuse an attestation for another policy, or one that may no longer be relied on.

    Raises:
        NotAuthorisedError: it is one.
    """
    if attestation.policy_digest != policy.digest:
        raise NotAuthorisedError(
            f"the attestation is for policy {attestation.policy_digest}, this is {policy.digest}: "
            "attest with this policy"
        )
    if at >= attestation.expires_at:
        raise NotAuthorisedError(
            f"the attestation expired at {timestamp(attestation.expires_at)}: attest again"
        )


def require_size(content: UploadContent, limit: int, name: str) -> None:
    """Refuse what is larger than the policy's limit called `name`.

    Raises:
        NotAuthorisedError: it is larger than `limit` bytes.
    """
    if content.size > limit:
        raise NotAuthorisedError(
            f"{content.name} has {content.size} bytes, the policy allows {limit} ({name}): "
            "send less, or agree on a policy with larger limits"
        )


def require_program(content: UploadContent, policy: Policy) -> None:
    """Refuse a program that is not the policy's; reads all of it.

    Raises:
        NotAuthorisedError: its digest is another.
    """
    found = content.digest()
    if found != policy.program_digest:
        raise NotAuthorisedError(
            f"{content.name} has digest {found}, the policy's program is {policy.program_digest}: "
            "give the file that the policy was made for"
        )


def require_sender(policy: Policy, member: PolicyIdentity, kind: ContentKind) -> None:
    """Refuse to send what the policy does not let `member` send.

    Raises:
        NotAuthorisedError: it lacks the role.
    """
    require_role(policy, member, _SENDERS[kind], f"send {kind.name.lower()}")


def require_reader(policy: Policy, member: PolicyIdentity, act: str) -> None:
    """Refuse what is for readers only to a member who is not one.

    Raises:
        NotAuthorisedError: it lacks the role.
    """
    require_role(policy, member, RESULT_READERS, act)


def require_place(
    policy: Policy, member: PolicyIdentity, kind: ContentKind, package_id: int
) -> None:
    """Refuse an input that the policy's order has no place for.

    Raises:
        NotAuthorisedError: `member` has no place in it, or the number is out of range.
    """
    if not 0 <= package_id <= _MAX_PACKAGE_ID:
        raise NotAuthorisedError(
            f"package number {package_id} is not between 0 and {_MAX_PACKAGE_ID}"
        )
    data = kind is ContentKind.DATA
    order = policy.data_provision_order if data else policy.streaming_order
    if member.client_id not in order:
        name = "data_provision_order" if data else "streaming_order"
        raise NotAuthorisedError(
            f"{member.label} has no place in the policy's {name}, which names "
            f"{', '.join(map(policy.named, order)) or 'nobody'}: it is not expected to send any"
        )
