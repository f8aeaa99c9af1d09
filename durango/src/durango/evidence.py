"""What an attestation is made of: the evidence, the checks, and the isolate that passed them."""

from dataclasses import field
from datetime import datetime
from enum import StrEnum

from durango._html import bullets, heading, table
from durango._words import printable, timestamp
from durango.platforms import protection
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import IsolationLayer


class GateCheck(StrEnum):
    """What can fail; the value is what outputs and errors call it."""

    RESULT_SIGNATURE = "result signature"
    RESULT_FORM = "result form"
    RESULT_CHALLENGE = "result challenge"
    RESULT_TIME = "result time"
    RESULT_SUBJECT = "result subject"
    RESULT_STATUS = "result status"
    TOKEN_FORM = "token form"  # noqa: S105 - not a password
    TOKEN_CHALLENGE = "token challenge"  # noqa: S105 - not a password
    PLATFORM = "platform"
    MEASUREMENT = "measurement"
    MACHINE = "machine"
    POLICY = "policy"
    LIFECYCLE = "lifecycle"
    ISOLATION = "isolation"
    CERTIFICATE = "certificate"


@frozen
class Passed:
    """A check that held.

    Attributes:
        check: which.
        found: what the attestation says.
        against: what that was compared with.
    """

    check: GateCheck
    found: str
    against: str


@frozen
class Evidence:
    """What was asked and what came back; nothing in it is believed yet.

    Attributes:
        challenge: the 32 random bytes that were asked with.
        token: the isolate's PSA token, from the bridge.
        result: Tabasco's result on it (EAR as signed CWT).
    """

    challenge: bytes
    token: bytes = field(repr=False)
    result: bytes = field(repr=False)


@frozen
class MeasuredRegister:
    """What hardware measured of the machine into one register, and whether the policy pins it."""

    name: str
    value: bytes
    pinned: bool


@frozen
class Attestation:
    """An isolate that passed the gate.

    Attributes:
        evidence: what all of this was read from.
        platform: the kind of isolate; one that the policy names.
        measurement: of the runtime; one that the policy names.
        version: of the runtime, as its makers call it.
        machine: what hardware measured of the machine around it when its root attester enrolled;
            empty where it measured none, or Tabasco is older.
        certificate_digest: SHA-256 of the isolate's TLS certificate; nothing else is talked to.
        policy_digest: of the policy the isolate holds, which is the principal's own.
        isolation: the layers in force around it; all that the policy asks for are among them.
        instance_id: of the root attester that vouches for the isolate, 33 bytes.
        verifier: who says so, in its own words.
        issued_at: when Tabasco said so.
        expires_at: until when that may be relied on.
        checks: what was compared with what, in order.
    """

    evidence: Evidence = field(repr=False)
    platform: str
    measurement: bytes
    version: str
    certificate_digest: Digest
    policy_digest: Digest
    isolation: frozenset[IsolationLayer]
    instance_id: bytes
    verifier: str
    issued_at: datetime
    expires_at: datetime
    checks: tuple[Passed, ...] = field(repr=False)
    machine: tuple[MeasuredRegister, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        return (
            f"<Attestation: isolate {self.certificate_digest.short} on {printable(self.platform)}, "
            f"policy {self.policy_digest.short}, until {timestamp(self.expires_at)}>"
        )

    def _repr_html_(self) -> str:
        isolate = f"isolate {self.certificate_digest.short} passed {len(self.checks)} checks"
        kind = f"on {self.platform}, {protection(self.platform)}"
        rows = [(passed.check, passed.found, passed.against) for passed in self.checks]
        until = f"may be relied on until {timestamp(self.expires_at)}"
        head = heading(isolate) + bullets([kind, until])
        return head + table(("check", "found", "compared with"), rows)
