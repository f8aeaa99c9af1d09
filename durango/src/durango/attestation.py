"""Asking for an attestation, and keeping one.

Two questions over gRPC, neither answer believed before `gate.judge` has seen both: the bridge is
asked for a token over a fresh challenge, Tabasco for its result on that token.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, TypeVar

import colima
from colima import sinaloa as bridge
from colima import tabasco as verifier
from durango.endings import expiry_explained
from durango.errors import AttestationFileError, ProtocolError
from durango.evidence import Attestation, Evidence
from durango.gate import judge
from durango.tabasco_keys import pinned_key
from jalisco.transport import BRIDGE_REMEDY
from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.errors import AttestationError
from veracruz_shells.service import open_channel, unary
from veracruz_utils.address import Address
from veracruz_utils.policy import Policy

MAX_FILE_BYTES: Final = 64 * 1024
_MAX_MESSAGE_BYTES: Final = 256 * 1024
_FORMAT: Final = "veracruz-attestation-1"

_AnswerT = TypeVar("_AnswerT")


def attest(
    policy: Policy,
    *,
    tabasco_key: bytes | None = None,
    sinaloa: Address | None = None,
    tabasco: Address | None = None,
    timeout_s: float = 30.0,
) -> Attestation:
    """The isolate behind the policy's bridge, once everything about it has been checked.

    Args:
        policy: the principal's own copy.
        tabasco_key: DER SubjectPublicKeyInfo; needed for a 2021 policy, which names none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        timeout_s: for each of the two questions.

    Raises:
        GateError: a check failed; see `durango.gate`.
        PolicyExpiredError: the policy's time is over, and the bridge is not there any more.
        UnreachableError: the bridge or Tabasco is not there.
    """
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
            remedy=BRIDGE_REMEDY,
        ).token
    result = _ask(
        verifier.VerifyTokenResponse,
        f"tabasco at {tabasco or policy.tabasco}",
        f"/{verifier.SERVICE}/VerifyToken",
        verifier.VerifyTokenRequest(token, challenge, pinned_key=sha256(key).digest()),
        timeout_s=timeout_s,
    ).attestation_result
    evidence = Evidence(challenge, token, result)
    return judge(evidence, policy, tabasco_key=key, at=datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class SavedAttestation:
    """What an attestation file holds: evidence, and when it passed the gate. Nothing is believed.

    `verify` judges it anew. `attested_at` need not be true either: at whatever moment the result
    was in force, Tabasco did vouch for the isolate then.
    """

    evidence: Evidence
    attested_at: datetime

    @classmethod
    def of(cls, attestation: Attestation, *, at: datetime) -> "SavedAttestation":
        """What to keep of an attestation that passed the gate `at` that time."""
        return cls(attestation.evidence, at)

    @classmethod
    def parse(cls, data: bytes) -> "SavedAttestation":
        """The content of an attestation file.

        Raises:
            AttestationFileError: it is something else.
        """
        try:
            members = decode(data, DecodeLimits(max_bytes=MAX_FILE_BYTES, max_depth=2))
        except AttestationError as error:
            raise AttestationFileError(f"not an attestation file: {error}") from error
        match members:
            case {
                "format": str(form),
                "challenge": bytes(challenge),
                "token": bytes(token),
                "result": bytes(result),
                "attested_at": int(seconds),
                **others,
            } if form == _FORMAT and not others and 0 <= seconds < 1 << 34:
                # Below 2**34, in the year 2514, `datetime` takes any number of seconds.
                return cls(Evidence(challenge, token, result), datetime.fromtimestamp(seconds, UTC))
            case _:
                raise AttestationFileError(
                    "not an attestation file: make one with `durango attest POLICY --output FILE`"
                )

    def to_bytes(self) -> bytes:
        """The content of an attestation file."""
        return encode(
            {
                "format": _FORMAT,
                "challenge": self.evidence.challenge,
                "token": self.evidence.token,
                "result": self.evidence.result,
                "attested_at": int(self.attested_at.timestamp()),
            }
        )

    def verify(
        self, policy: Policy, *, tabasco_key: bytes | None = None, at: datetime
    ) -> Attestation:
        """The attestation, through the gate once more.

        Args:
            policy: the principal's own copy.
            tabasco_key: as for `attest`.
            at: now, to talk to the isolate; `attested_at`, to look at what it did since.

        Raises:
            GateError: it does not hold at that time or for this policy.
        """
        key = pinned_key(policy, tabasco_key)
        return judge(self.evidence, policy, tabasco_key=key, at=at)


def _ask(
    answer: type[_AnswerT],
    peer: str,
    method: str,
    request: object,
    *,
    timeout_s: float,
    remedy: str | None = None,
) -> _AnswerT:
    address = peer.rpartition(" ")[2]
    try:
        asked = colima.encode(request)
        with open_channel(address, max_message_bytes=_MAX_MESSAGE_BYTES) as channel:
            data = unary(channel, method, asked, timeout_s=timeout_s, peer=peer, remedy=remedy)
        return colima.decode(answer, data)
    except colima.WireError as error:
        raise ProtocolError(f"{peer} sent a malformed answer: {error}") from error
