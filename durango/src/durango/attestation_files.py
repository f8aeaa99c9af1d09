"""An attestation in a file: kept, and judged anew."""

from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from durango.errors import AttestationFileError
from durango.evidence import Attestation, Evidence
from durango.gate import judge
from durango.tabasco_keys import pinned_key
from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.errors import AttestationError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy

MAX_FILE_BYTES: Final = 64 * 1024
_FORMAT: Final = "veracruz-attestation-1"


@frozen
class SavedAttestation:
    """What an attestation file holds: evidence, and when it passed the gate. Nothing is believed.

    `verify` judges it anew. `attested_at` need not be true either: at whatever moment the result
    was in force, Tabasco did vouch for the isolate then.
    """

    evidence: Evidence = field(repr=False)
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
