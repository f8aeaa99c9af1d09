"""What the isolate answers in place of doing it, as errors with the remedy."""

from typing import Final

from colima.runtime import ComputationState, RefusalReason, Refused, ResponseStatus
from durango._words import printable
from durango.errors import DurangoError
from veracruz_utils.errors import RefusedError


class RequestFailedError(DurangoError):
    """The isolate could not do it now, or the run failed.

    Attributes:
        answer: the isolate's answer.
    """

    def __init__(self, request: str, answer: Refused) -> None:
        self.answer = answer
        super().__init__(describe_refusal(request, answer))

    @property
    def of_a_run(self) -> bool:
        """Whether it tells of a run that failed, so that there is a receipt of it."""
        return self.answer.reason in _OF_A_RUN


class RequestRefusedError(RefusedError):
    """The isolate refused: the role, the program or a limit of the policy.

    Attributes:
        answer: the isolate's answer.
    """

    def __init__(self, request: str, answer: Refused) -> None:
        self.answer = answer
        super().__init__(describe_refusal(request, answer))

    @property
    def of_a_run(self) -> bool:
        """Whether it tells of a run that failed, so that there is a receipt of it."""
        return self.answer.reason in _OF_A_RUN


_OF_A_RUN = frozenset(
    {
        RefusalReason.TRAPPED,
        RefusalReason.LIMIT_REACHED,
        RefusalReason.GUEST_LOST,
        RefusalReason.WITHHELD,
    }
)
_BY_POLICY = frozenset(
    {
        RefusalReason.WRONG_ROLE,
        RefusalReason.WRONG_PROGRAM,
        RefusalReason.PROGRAM_REFUSED,
        RefusalReason.DUPLICATE_PACKAGE,
        RefusalReason.NOT_EXPECTED,
        RefusalReason.TOO_LARGE,
        RefusalReason.EXPIRED,
        RefusalReason.WITHHELD,
        RefusalReason.CONSENT_MISSING,
        RefusalReason.BUDGET_SPENT,
        RefusalReason.TOO_FEW_CONTRIBUTORS,
        RefusalReason.ROUNDS_USED,
        RefusalReason.RESULTS_USED,
        RefusalReason.ATTEMPTS_USED,
    }
)

_REMEDIES = {
    RefusalReason.WRONG_ROLE: "use an identity that the policy gives this role",
    RefusalReason.BUSY: "try again in a moment",
    RefusalReason.WRONG_PROGRAM: "send the program whose digest is in the policy",
    RefusalReason.PROGRAM_REFUSED: "`tlaxcala check PROGRAM` says why: make a policy for "
    "a program that runs",
    RefusalReason.DUPLICATE_PACKAGE: "it is in already: `--replace` sends this one in its place",
    RefusalReason.NOT_EXPECTED: "the policy's order has no place for it",
    RefusalReason.TOO_LARGE: "send less, or agree on a policy with larger limits",
    RefusalReason.BAD_REQUEST: "check that both sides run the same version of Veracruz",
    RefusalReason.TRAPPED: "the program has a defect or cannot read these inputs",
    RefusalReason.LIMIT_REACHED: "agree on a policy with larger limits",
    RefusalReason.GUEST_LOST: "see `durango status` for what can be done",
    RefusalReason.ERROR_CODE_RETURNED: "the program reports an error of its own",
    RefusalReason.SHUT_DOWN: "the computation is over: have the delegate start it anew if need be",
    RefusalReason.EXPIRED: "the isolate ended with everything in it: agree on a policy with a "
    "later end",
    RefusalReason.STALLED: "connect again, and go on without such a pause",
    RefusalReason.WITHHELD: "the policy's `result` says what may be released",
    RefusalReason.CONSENT_MISSING: "have them sign it (`durango policy sign`) and hand that in "
    "(`durango policy consent`); `durango policy status` says who has",
    RefusalReason.BUDGET_SPENT: "agree on a policy with a larger budget",
    RefusalReason.ROUNDS_USED: "agree on a policy with more rounds",
    RefusalReason.RESULTS_USED: "agree on a policy with more results for each reader",
    RefusalReason.ATTEMPTS_USED: "have one replaced (`durango data send --replace`)",
    RefusalReason.TOO_FEW_CONTRIBUTORS: "more principals have to give an input that is not empty; "
    "nothing was run",
    RefusalReason.WRONG_CONTENT: "send the file again, and leave it as it is meanwhile",
    RefusalReason.FLOODED: "connect again by a client that sends whole requests and large records",
}


_REMEDIES_OF = {
    ("consent", RefusalReason.NOT_EXPECTED): "give a file of `durango policy sign` for this very "
    "policy, by a principal whose consent it asks for",
    ("consent", RefusalReason.WRONG_ROLE): "have its principal hand it in again",
    ("receipt", RefusalReason.NOT_EXPECTED): "`durango status` says how many there are",
    ("withdrawal", RefusalReason.NOT_EXPECTED): "`durango status` shows what is in",
    ("revocation", RefusalReason.NOT_EXPECTED): "there is nothing to take back",
    ("revocation", RefusalReason.WRONG_STATE): "what has run cannot be undone",
}
"""Of what means something else in answer to this request."""


_AWAITED: Final = {
    ComputationState.INITIAL.name: "the program is not in yet",
    ComputationState.DATA_SOURCES_LOADING.name: "not all inputs are in yet",
    ComputationState.STREAM_SOURCES_LOADING.name: "not all stream items of this round are in yet",
    ComputationState.READY_TO_EXECUTE.name: "the program has not run in this round yet",
}
"""What is still to come in a state."""
_LATER: Final = {
    "stream": "; where the policy has more rounds, `durango round next` asks for another",
}
_THAT_WAIT: Final = frozenset({"data", "stream", "result", "next round"})
"""Requests whose commands can wait."""


def describe_refusal(request: str, answer: Refused) -> str:
    """One line on a refusal: what was asked, why not, both sides, and the remedy."""
    reason = answer.reason.name.lower().replace("_", " ")
    # The program's author may have had a hand in these words.
    found = f": {printable(answer.found)}" if answer.found else ""
    expected = f", expected {printable(answer.expected)}" if answer.expected else ""
    return f"{request} refused, {reason}{found}{expected}: {_remedy(request, answer)}"


def _remedy(request: str, answer: Refused) -> str:
    if (request, answer.reason) in _REMEDIES_OF:
        return _REMEDIES_OF[request, answer.reason]
    if answer.reason is not RefusalReason.WRONG_STATE:
        return _REMEDIES[answer.reason]
    if answer.found.startswith(ComputationState.ERROR.name):
        return "this state is final: have the delegate start the computation anew"
    if _comes_late(answer):
        return f"it is too late for this, see `durango status`{_LATER.get(request, '')}"
    there = _AWAITED.get(answer.found.partition(",")[0])
    early = f"it is too early, {there}: " if there else ""
    if request in _THAT_WAIT:
        return f"{early}`durango status` says who has to act, and `--wait SECONDS` waits for them"
    return f"{early}`durango status` says who has to act"


def _comes_late(answer: Refused) -> bool:
    """Whether the computation is past the state that the request is for."""
    order = [state.name for state in ComputationState]
    found, _, _ = answer.found.partition(",")
    if found not in order:
        return False
    if answer.expected not in order:  # a change of an input, which can be before there is any
        return found != ComputationState.INITIAL.name
    return order.index(found) > order.index(answer.expected)


def refusal(request: str, answer: Refused) -> RequestRefusedError | RequestFailedError:
    """The error that the isolate's refusal of `request` amounts to."""
    by_policy = answer.status is ResponseStatus.INVALID_ROLE or answer.reason in _BY_POLICY
    return (RequestRefusedError if by_policy else RequestFailedError)(request, answer)
