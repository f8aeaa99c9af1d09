"""What authentic evidence says: the result of every verifier."""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self, TypeAlias

from tabasco.verify.components import FirmwareComponent
from tabasco.verify.errors import Fault
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, measurements_of
from veracruz_utils.frozen import frozen

NO_END: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""When ends what knows no end."""


class TcbStatus(StrEnum):
    """The standing of a platform's trusted computing base, in Intel's words; worst last."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    UNSUPPORTED = "Unsupported"


@frozen
class Concern:
    """Something authentic about a platform that a policy has to accept by name, or it is refused.

    Attributes:
        name: stable, such as `tdx.sept-ve-disable-off` or `snp.vmpl=2`.
        fault: why it is refused when nobody accepts it.
        detail: for people.
    """

    name: str
    fault: Fault
    detail: str


ATTESTATION_KEY: Final = "attestation-key"
"""The fact that says which key of a TPM signed: SHA-256 of its DER, in hexadecimal."""


REFERENCE_VALUES: Final = "reference-values"
"""The fact that says with which of its vendor's reference values a device agrees: `driver`,
`vbios`, both with a space between them, or `none`."""


class HexNumber(int):
    """A number that people read in hexadecimal, such as a word of flags; in at least `digits`."""

    digits: int

    def __new__(cls, value: int, *, digits: int = 1) -> Self:
        """This number."""
        number = super().__new__(cls, value)
        number.digits = digits
        return number

    def __str__(self) -> str:
        return f"{int(self):#0{self.digits + 2}x}"


Fact: TypeAlias = str | int
"""Something that evidence says; a number is compared as one, and shown by `str`."""


@frozen
class ProvenEvent:
    """Something that was extended into a register: its place in the log, its type, its digest."""

    number: int
    kind: str
    digest: bytes

    def __str__(self) -> str:
        return f"event {self.number} ({self.kind})"


@frozen
class Proven:
    """What authentic evidence says.

    Attributes:
        kind: of evidence.
        measurements: by the platform's own names (`mrenclave`, `mrtd`, `rtmr0`, `pcr0`, ...).
        report_data: what the attester bound into it, as it stands there.
        debug: whether its memory can be inspected; None where the evidence does not say.
        valid_until: when the first certificate or collateral used ends.
        tcb_status: Intel platforms only.
        advisories: that apply to the platform's TCB level, sorted.
        facts: everything else a policy may look at, by name.
        warnings: for people; nothing that a policy decides on.
        concerns: what is refused unless a policy accepts it by name.
        events: of measured boot, by the measurement that they were extended into; None where no
            log came with the evidence.
        components: software that the evidence lists piece by piece; what was measured of them, and
            who signed them, is among the measurements as well.
        named: keys, certificates and ids that it rests on, which a revocation can name.
        parts: what each of several attesters proves, by its name; none has parts of its own.
    """

    kind: EvidenceKind
    measurements: Mapping[str, bytes]
    report_data: bytes
    debug: bool | None
    valid_until: datetime
    tcb_status: TcbStatus | None = None
    advisories: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    concerns: tuple[Concern, ...] = ()
    events: Mapping[str, tuple[ProvenEvent, ...]] | None = None
    components: tuple[FirmwareComponent, ...] = ()
    named: tuple[Named, ...] = ()
    parts: "Mapping[str, Proven]" = field(default_factory=dict)

    @property
    def revocable(self) -> tuple[Named, ...]:
        """Everything in it that a revocation can name, that of its parts as well."""
        parts = (each for part in self.parts.values() for each in part.revocable)
        return (*self.own_revocable, *parts)

    @property
    def own_revocable(self) -> tuple[Named, ...]:
        """The same, without its parts."""
        events = (
            (f"{register} {event}", event.digest)
            for register, events in (self.events or {}).items()
            for event in events
        )
        measured = measurements_of((*self.measurements.items(), *events))
        return (*measured, *self.named)

    @classmethod
    def of_parts(
        cls,
        kind: EvidenceKind,
        report_data: bytes,
        parts: "Mapping[str, Proven]",
        facts: Mapping[str, Fact] | None = None,
    ) -> Self:
        """What several attesters prove together: all that each says is in its part."""
        return cls(
            kind=kind,
            measurements={},
            report_data=report_data,
            debug=None,
            valid_until=min(each.valid_until for each in parts.values()),
            facts=facts or {},
            parts=parts,
        )
