"""What a policy asks of software that evidence lists piece by piece, as tokens of PSA and CCA do.

Every piece has to be named, with what was measured and who signed it: one that nobody named may do
anything that those beside it trust it with. No entry accepts two pieces.
"""

import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec

from tabasco.appraisal.checks import AppraisalCheck
from tabasco.appraisal.rules import AppraisalRule, HexText
from tabasco.verify.components import FirmwareComponent
from tabasco.verify.errors import Fault

_Type = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_UNTYPED: Final = "component"
ComponentReferences = Callable[[str], Sequence[bytes]]
"""The reference values for components of a type."""


class ComponentPolicy(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is accepted of one component.

    Attributes:
        type: its measurement type; None is that of one whose evidence gives none.
        measurement: one of these digests, or `reference-values`.
        signer: the digest of the key that signed it, one of these.
        version: what it has to be; None is any, or none.
        optional: whether evidence without it is accepted.
    """

    type: _Type | None = None
    measurement: (
        Annotated[tuple[HexText, ...], msgspec.Meta(min_length=1)] | Literal["reference-values"]
    )
    signer: Annotated[tuple[HexText, ...], msgspec.Meta(min_length=1)]
    version: AppraisalRule | None = None
    optional: bool = False

    @property
    def named(self) -> str:
        """Its type, for people."""
        return self.type or f"{_UNTYPED} without type"

    def differences(
        self, found: FirmwareComponent, references: ComponentReferences
    ) -> Iterator[str]:
        """In what a component of this type is not what is accepted."""
        if isinstance(self.measurement, str):
            values = references(self.type or _UNTYPED)
            accepted = f"reference values, of which there are {len(values)} now"
        else:
            values = [bytes.fromhex(each) for each in self.measurement]
            accepted = ", ".join(self.measurement)
        if not _is_one_of(found.measurement, values):
            yield f"measurement is {found.measurement.hex()}, the policy accepts {accepted}"
        if not _is_one_of(found.signer, [bytes.fromhex(each) for each in self.signer]):
            signers = ", ".join(self.signer)
            yield f"signer is {found.signer.hex()}, the policy accepts {signers}"
        if self.version is not None and not (found.version and self.version.holds(found.version)):
            shown = "absent" if found.version is None else repr(found.version)
            yield f"version is {shown}, the policy asks {self.version}"


def component_checks(
    policies: Sequence[ComponentPolicy],
    components: Sequence[FirmwareComponent],
    references: ComponentReferences,
) -> Iterator[AppraisalCheck]:
    """Whether each component is accepted by an entry of its own, and none is missing."""
    left = list(policies)
    for component in components:
        of_type = [each for each in left if each.type == component.kind]
        reasons = {each: list(each.differences(component, references)) for each in of_type}
        accepting = next((each for each in of_type if not reasons[each]), None)
        name = f"component.{component.name}"
        if accepting is not None:
            left.remove(accepting)
            yield _check(name, "the policy names it", passed=True)
        elif of_type:
            # The last of its type is not taken for missing as well.
            left.remove(of_type[0])
            detail = "; or ".join("; ".join(reasons[each]) for each in of_type)
            yield _check(name, f"{component.name}: {detail}")
        else:
            yield _check(name, _unnamed(component, policies))
    for each in left:
        if not each.optional:
            detail = f"{each.named} is absent, the policy names it without `optional`"
            yield _check(f"component.{each.named}", detail)


def _check(name: str, detail: str, *, passed: bool = False) -> AppraisalCheck:
    return AppraisalCheck(name, passed, Fault.MEASUREMENT, detail)


def _unnamed(component: FirmwareComponent, policies: Sequence[ComponentPolicy]) -> str:
    same = sum(each.type == component.kind for each in policies)
    named = f"{same} of that type" if same else "none of that type"
    kind = "no type" if component.kind is None else f"type {component.kind!r}"
    return (
        f"{component.name}, of {kind}, measured {component.measurement.hex()} and signed by "
        f"{component.signer.hex()}, is one more than the policy names: {named}"
    )


def _is_one_of(found: bytes, accepted: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(found, each) for each in accepted)
