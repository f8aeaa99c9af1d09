"""Whether anything that evidence or an enrolment rests on is revoked: the one place that says so.

It is asked before an enrolment is written, in that very transaction, for every token of who is
enrolled, for every result of a session, and for every report (`explain`, `tabasco verify`). A
revocation is of a value, whatever has it: no digest is of two things, and what an operator revoked
under the wrong subject is revoked all the same. It counts whatever the time that is asked about.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from tabasco.appraisal.checks import AppraisalCheck
from tabasco.appraisal.policy import Decision
from tabasco.verify.errors import Fault
from tabasco.verify.named import Named
from tabasco.verify.proven import Proven

RevokedAmong = Callable[[Collection[bytes]], Collection[bytes]]
"""Which of some values are revoked."""

PREFIX: Final = "revoked-"


def with_revocations(decision: Decision, proven: Proven, revoked: RevokedAmong) -> Decision:
    """`decision`, and that nothing is revoked: of each part in its own, of the rest in the whole.

    Where evidence was refused without a look at its parts, all of it is in the whole.
    """
    parts = {
        name: with_revocations(part, proven.parts[name], revoked)
        for name, part in decision.parts.items()
    }
    named = proven.own_revocable if parts else proven.revocable
    return Decision((*decision.checks, *revocation_checks(named, revoked)), parts)


def revocation_checks(named: Iterable[Named], revoked: RevokedAmong) -> list[AppraisalCheck]:
    """A check that failed for each of `named` that is revoked, or one that none of them is."""
    every = list(named)
    found = revoked({each.value for each in every})
    if not found:
        detail = f"none of its {len(every)} measurements, keys, certificates and ids is revoked"
        return [AppraisalCheck("revocations", passed=True, fault=Fault.REVOKED, detail=detail)]
    return [
        AppraisalCheck(
            f"{PREFIX}{each.subject}.{each.name}",
            passed=False,
            fault=Fault.REVOKED,
            detail=f"{each.subject} {each.name} is {each.value.hex()}, which is revoked",
        )
        for each in every
        if each.value in found
    ]
