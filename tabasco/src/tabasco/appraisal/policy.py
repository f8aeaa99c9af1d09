"""Appraisal policies: what an operator accepts of authentic evidence, declared and not programmed.

A policy is TOML. It has a table for each kind of evidence that it accepts at all; whatever it does
not name is refused, and so is evidence whose measurements it lists none of.

    version = 3                       # grows with every change
    [sev-snp]
    debug = false                     # the default
    concerns = ["snp.vmpl=1"]         # weaknesses accepted, by name; none by default
    [sev-snp.measurements]
    measurement = ["b07af9620f3b…"]   # one of these, in hexadecimal, or "reference-values"
    [sev-snp.facts]
    product = { one_of = ["milan", "genoa"] }
    tcb_snp = { at_least = 24 }

Evidence of several attesters (`composite`) is accepted where each of them is, by the table of its
kind, and the table `composite` says how many there have to be:

    [composite.facts]
    "count.nvidia" = { at_least = 8 }

Of a TPM's registers it can speak by what was extended into them, where an event log came along:
`[tpm.events]` with `pcr4 = { sequence = ["…", …] }`, or `allowed`, or `required`.

Software that evidence of PSA and CCA lists piece by piece is named piece by piece:

    [[psa.components]]
    type = "PRoT"
    measurement = ["c5d4…"]           # or "reference-values"
    signer = ["a1b2…"]
    version = { one_of = ["1.3.5"] }

For SGX and TDX also `tcb_statuses` (by default `UpToDate` alone) and `advisories` (those that may
apply; any that comes with an accepted status when it is left out).
"""

import hmac
import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Annotated, Final, Literal, Self

import msgspec

from tabasco.appraisal.checks import Acceptance, AppraisalCheck, checks
from tabasco.appraisal.components import ComponentPolicy, component_checks
from tabasco.appraisal.known_names import (
    WITH_COMPONENTS,
    WITH_TCB_STATUS,
    unknown_concerns,
    unknown_measurement,
)
from tabasco.appraisal.rules import AppraisalRule, HexText
from tabasco.errors import TabascoError
from tabasco.verify.components import measurements_of_components
from tabasco.verify.composite import COUNT
from tabasco.verify.errors import Fault
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.measured_boot import UNCERTIFIED_KEY
from tabasco.verify.proven import (
    ATTESTATION_KEY,
    REFERENCE_VALUES,
    Proven,
    ProvenEvent,
    TcbStatus,
)
from veracruz_utils.frozen import frozen

MAX_POLICY_BYTES: Final = 256 * 1024
References = Callable[[EvidenceKind, str], Sequence[bytes]]
"""The reference values of a measurement, by the kind of evidence and its name."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class EventRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What may have been extended into a register, by digests; each that is given has to hold.

    `sequence` is all of it in order, `allowed` has every digest that may be there, `required` those
    that have to be.
    """

    sequence: tuple[HexText, ...] | None = None
    allowed: tuple[HexText, ...] | None = None
    required: tuple[HexText, ...] | None = None

    def __post_init__(self) -> None:
        # Without a digest, `required` holds of every log: it would accept whatever booted.
        if self.sequence is None and self.allowed is None and not self.required:
            raise ValueError("a rule of events without sequence, allowed or required")

    def fault(self, found: Sequence[ProvenEvent]) -> str | None:
        """The first event that is not as this asks, and what was asked; None if all are."""
        if self.sequence is not None:
            expected = [each.lower() for each in self.sequence]
            for event, digest in itertools.zip_longest(found, expected):
                if event is None:
                    return f"nothing more was extended, expected {digest}"
                if event.digest.hex() != digest:
                    return f"{event} extended {event.digest.hex()}, expected {digest or 'no more'}"
        if self.allowed is not None:
            allowed = {each.lower() for each in self.allowed}
            for event in found:
                if event.digest.hex() not in allowed:
                    return f"{event} extended {event.digest.hex()}, which is none of those allowed"
        there = {event.digest.hex() for event in found}
        for digest in self.required or ():
            if digest.lower() not in there:
                return f"{digest} was not extended, which is required"
        return None


class KindPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is accepted of one kind of evidence."""

    measurements: dict[_Name, tuple[HexText, ...] | Literal["reference-values"]] = {}
    facts: dict[_Name, AppraisalRule] = {}
    events: dict[_Name, EventRule] = {}
    tcb_statuses: tuple[TcbStatus, ...] = (TcbStatus.UP_TO_DATE,)
    advisories: tuple[str, ...] | None = None
    concerns: tuple[str, ...] = ()
    debug: bool = False
    components: tuple[ComponentPolicy, ...] = ()


class _PolicyDocument(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: Annotated[int, msgspec.Meta(ge=1)]
    kinds: dict[EvidenceKind, KindPolicy]


@frozen
class Decision:
    """What a policy says of proven facts: every check, in the order in which it would refuse.

    Attributes:
        checks: of the evidence as a whole.
        parts: what is said of each of several attesters in it, by its name.
    """

    checks: tuple[AppraisalCheck, ...]
    parts: "Mapping[str, Decision]" = field(default_factory=dict)

    @classmethod
    def without_policy(cls, proven: Proven, acceptance: Acceptance) -> Self:
        """What is said where no policy lists what is accepted."""
        of_parts = replace(acceptance, report_data=None)  # what binds them is of the whole
        parts = {name: cls.without_policy(part, of_parts) for name, part in proven.parts.items()}
        return cls(tuple(checks(proven, acceptance)), parts)

    @property
    def all_checks(self) -> Iterator[AppraisalCheck]:
        """Those of the whole, then those of each attester with its name in front."""
        yield from self.checks
        for name, part in self.parts.items():
            for check in part.all_checks:
                detail = f"{name}: {check.detail}"
                yield replace(check, name=f"{name}: {check.name}", detail=detail)

    @property
    def refused_by(self) -> AppraisalCheck | None:
        """The first check that failed, of the whole or of one attester."""
        return next((check for check in self.all_checks if not check.passed), None)


@frozen
class AppraisalPolicy:
    """A policy: its version, and what it accepts by kind of evidence."""

    version: int
    kinds: Mapping[EvidenceKind, KindPolicy]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The policy in a TOML document.

        Raises:
            TabascoError: it is not one; the message says where.
        """
        if len(data) > MAX_POLICY_BYTES:
            raise TabascoError(
                f"an appraisal policy of {len(data)} bytes, at most {MAX_POLICY_BYTES} are read"
            )
        try:
            document = tomllib.loads(data.decode())
            version = document.pop("version", None)
            checked = msgspec.convert({"version": version, "kinds": document}, _PolicyDocument)
        except (ValueError, RecursionError) as error:
            raise TabascoError(f"the appraisal policy cannot be read: {error}") from None
        for kind, policy in checked.kinds.items():
            if policy.components and kind not in WITH_COMPONENTS:
                kinds = " and ".join(sorted(WITH_COMPONENTS))
                raise TabascoError(
                    f"the appraisal policy has [[{kind}.components]], which evidence of {kinds} "
                    "alone lists: name what is measured under "
                    f"[{kind}.measurements]"
                )
        return cls(checked.version, checked.kinds)

    def warnings(self) -> Iterator[str]:
        """Names that no verifier gives, which accept nothing: they are probably misspelt."""
        for kind, policy in self.kinds.items():
            for name in (*policy.measurements, *policy.events):
                if (warning := unknown_measurement(kind, name)) is not None:
                    yield warning
            yield from unknown_concerns(policy.concerns)
            if kind not in WITH_TCB_STATUS and policy.tcb_statuses != (TcbStatus.UP_TO_DATE,):
                yield f"evidence of {kind} has no TCB status, so tcb_statuses asks nothing of it"

    def evaluate(
        self,
        proven: Proven,
        *,
        report_data: bytes | None = None,
        references: References = lambda _kind, _name: (),
    ) -> Decision:
        """What this policy says of proven facts.

        Args:
            proven: the facts.
            report_data: what the evidence has to be bound to; None leaves that to the caller.
            references: where it draws reference values from; by default there are none.
        """
        policy = self.kinds.get(proven.kind)
        if policy is None:
            named = ", ".join(sorted(self.kinds)) or "nothing"
            detail = f"evidence of {proven.kind}, the policy accepts {named}"
            return Decision(
                (AppraisalCheck("kind", passed=False, fault=Fault.NOT_ALLOWED, detail=detail),)
            )
        acceptance = Acceptance(
            tcb_statuses=frozenset(policy.tcb_statuses),
            advisories=None if policy.advisories is None else frozenset(policy.advisories),
            debug=policy.debug,
            report_data=report_data,
            concerns=frozenset(policy.concerns),
        )
        found = list(checks(proven, acceptance))
        if proven.kind is EvidenceKind.COMPOSITE:
            found += _composition(policy)
        # Of several of one kind each is held to the rules of that kind.
        if proven.kind is EvidenceKind.COMPOSITE or not proven.parts:
            found += _certified(policy, proven)
            found += _measurements(policy, proven, references)
            found += _events(policy, proven)
            of_kind = partial(references, proven.kind)
            found += component_checks(policy.components, proven.components, of_kind)
            found += _facts(policy, proven)
        parts = {
            name: self.evaluate(part, references=references) for name, part in proven.parts.items()
        }
        return Decision(tuple(found), parts)


def _composition(policy: KindPolicy) -> Iterator[AppraisalCheck]:
    """A composite could leave out the very attester that matters."""
    named = any(name.startswith(COUNT) for name in policy.facts)
    detail = f"the policy says by {COUNT}KIND how many attesters of a kind there have to be"
    if not named:
        detail = f"the policy does not say which attesters there have to be: {COUNT}KIND as a fact"
    yield AppraisalCheck("composition", named, Fault.NOT_ALLOWED, detail)


def _certified(policy: KindPolicy, proven: Proven) -> Iterator[AppraisalCheck]:
    """A key that nobody certifies is as good as the policy that names it."""
    key = proven.facts.get(ATTESTATION_KEY)
    if key is not None and any(each.name == UNCERTIFIED_KEY for each in proven.concerns):
        detail = f"{ATTESTATION_KEY} {key} is not certified, so the policy has to name it as a fact"
        named = ATTESTATION_KEY in policy.facts
        yield AppraisalCheck(f"named.{ATTESTATION_KEY}", named, Fault.UNKNOWN_SIGNER, detail)


def _measurements(
    policy: KindPolicy, proven: Proven, references: References
) -> Iterator[AppraisalCheck]:
    # A rule about the vendor's reference values is one about all that is measured.
    listed = policy.measurements or policy.events or REFERENCE_VALUES in policy.facts
    of_components = dict(measurements_of_components(proven.components))
    others = [name for name in proven.measurements if name not in of_components]
    if others and not listed:
        names = ", ".join(others)
        detail = f"the policy lists no measurement, the evidence has {names}"
        yield AppraisalCheck("measurements", passed=False, fault=Fault.MEASUREMENT, detail=detail)
    for name, accepted in policy.measurements.items():
        found = proven.measurements.get(name)
        if isinstance(accepted, str):
            values = list(references(proven.kind, name))
        else:
            values = [bytes.fromhex(each) for each in accepted]
        passed = found is not None and any(hmac.compare_digest(found, each) for each in values)
        shown = "absent" if found is None else found.hex()
        detail = f"{name} is {shown}, the policy accepts {_acceptable(accepted, values)}"
        yield AppraisalCheck(f"measurement.{name}", passed, Fault.MEASUREMENT, detail)


def _events(policy: KindPolicy, proven: Proven) -> Iterator[AppraisalCheck]:
    for name, rule in policy.events.items():
        if proven.events is None:
            fault: str | None = "no event log came with the evidence"
        elif name not in proven.events:
            fault = "nothing proves what was extended into it"
        else:
            fault = rule.fault(proven.events[name])
        detail = f"{name}: {fault or 'its events are as the policy asks'}"
        yield AppraisalCheck(f"events.{name}", fault is None, Fault.EVENT_LOG, detail)


def _acceptable(accepted: tuple[str, ...] | str, values: Sequence[bytes]) -> str:
    if not isinstance(accepted, str):
        return ", ".join(accepted) or "nothing"
    return f"reference values, of which there are {len(values)} now"


def _facts(policy: KindPolicy, proven: Proven) -> Iterator[AppraisalCheck]:
    for name, rule in policy.facts.items():
        found = proven.facts.get(name)
        passed = found is not None and rule.holds(found)
        detail = (
            f"{name} is {'absent' if found is None else repr(str(found))}, the policy asks {rule}"
        )
        yield AppraisalCheck(f"fact.{name}", passed, Fault.FACT, detail)
