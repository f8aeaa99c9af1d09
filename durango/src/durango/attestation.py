"""Asking for an attestation.

Two questions over gRPC, neither answer believed before `gate.judge` has seen both: the bridge is
asked for a token over a fresh challenge, Tabasco for its result on that token.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

import colima
from colima import sinaloa as bridge
from colima import tabasco as verifier
from durango.endings import expiry_explained
from durango.errors import ProtocolError
from durango.evidence import Attestation, Evidence
from durango.gate import judge
from durango.halt import Halt
from durango.tabasco_keys import pinned_key
from durango.traces import ATTEST
from veracruz_shells.channels import BRIDGE_REMEDY, open_channel, unary
from veracruz_shells.tls_files import ClientFiles
from veracruz_shells.traces import tell
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

_MAX_MESSAGE_BYTES: Final = 256 * 1024

_AnswerT = TypeVar("_AnswerT")


@ATTEST.around
def attest(
    policy: Policy,
    *,
    tabasco_key: bytes | None = None,
    sinaloa: Address | None = None,
    tabasco: Address | None = None,
    tabasco_tls: ClientFiles | None = None,
    timeout_s: float = 30.0,
    halt: Halt | None = None,
) -> Attestation:
    """The isolate behind the policy's bridge, once everything about it has been checked.

    Args:
        policy: the principal's own copy.
        tabasco_key: DER SubjectPublicKeyInfo; needed for a 2021 policy, which names none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        tabasco_tls: how to speak TLS with the attestation service; None for plain text.
        timeout_s: for each of the two questions.
        halt: ends it from another thread.

    Raises:
        GateError: a check failed; see `durango.gate`.
        PolicyExpiredError: the policy's time is over, and the bridge is not there any more.
        UnreachableError: the bridge or Tabasco is not there.
        HaltedError: `halt` was engaged.
    """
    halt = halt or Halt()
    tell(policy=str(policy.digest))
    key = pinned_key(policy, tabasco_key)
    # One for both questions: neither an old token nor an old result answers it.
    challenge = secrets.token_bytes(verifier.CHALLENGE_BYTES)
    with expiry_explained(policy):
        token = _ask(
            bridge.AttestResponse,
            f"sinaloa at {sinaloa or policy.sinaloa}",
            f"/{bridge.SERVICE}/Attest",
            bridge.AttestRequest(challenge),
            timeout_s=timeout_s,
            halt=halt,
            remedy=BRIDGE_REMEDY,
            metadata={bridge.POLICY_KEY: str(policy.digest)},
        ).token
    result = _ask(
        verifier.VerifyTokenResponse,
        f"tabasco at {tabasco or policy.tabasco}",
        f"/{verifier.SERVICE}/VerifyToken",
        verifier.VerifyTokenRequest(token, challenge, pinned_key=sha256(key).digest()),
        timeout_s=timeout_s,
        halt=halt,
        tls=tabasco_tls,
    ).attestation_result
    evidence = Evidence(challenge, token, result)
    return judge(evidence, policy, tabasco_key=key, at=datetime.now(UTC))


def _ask(
    answer: type[_AnswerT],
    peer: str,
    method: str,
    request: object,
    *,
    timeout_s: float,
    halt: Halt,
    remedy: str | None = None,
    tls: ClientFiles | None = None,
    metadata: Mapping[str, str] | None = None,
) -> _AnswerT:
    address = peer.rpartition(" ")[2]
    try:
        asked = colima.encode(request)
        with open_channel(address, max_message_bytes=_MAX_MESSAGE_BYTES, tls=tls) as channel:
            halt.watch(channel.close)
            data = unary(
                channel,
                method,
                asked,
                timeout_s=timeout_s,
                peer=peer,
                remedy=remedy,
                metadata=metadata,
            )
        return colima.decode(answer, data)
    except colima.WireError as error:
        raise ProtocolError(f"{peer} sent a malformed answer: {error}") from error
    except (VeracruzError, ValueError):  # a ValueError: the channel was closed before it was used
        halt.check()
        raise
