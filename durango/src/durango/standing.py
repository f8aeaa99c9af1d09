"""Where a computation stands, for people and for programs: who did what, and whose turn it is."""

from collections.abc import Collection
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from colima.runtime import ComputationState, ContentKind, Failure, Filling, InputPlace, StateIs
from durango._html import bullets, heading, table
from durango._say import say, say_many
from durango._words import printable, timestamp
from durango.input_places import places
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import PROGRAM_SENDERS, UNLIMITED, Policy

_FILLING: Final = {
    Filling.MISSING: say("missing"),
    Filling.ARRIVING: say("on its way"),
    Filling.FILLED: say("in"),
}
_FAILURES: Final = {
    Failure.TRAPPED: say("the program trapped"),
    Failure.LIMIT_REACHED: say("a limit of the policy was reached"),
    Failure.GUEST_LOST: say("the process that ran the program ended"),
    Failure.ERROR_CODE: say(
        "the program returned an error code, which its readers and author may see"
    ),
    Failure.WITHHELD: say("the result is not what the policy lets out"),
    Failure.PROGRAM_REFUSED: say("the program cannot be run"),
}
_LOADING: Final = {
    ComputationState.DATA_SOURCES_LOADING: ContentKind.DATA,
    ComputationState.STREAM_SOURCES_LOADING: ContentKind.STREAM,
}
_HEADINGS: Final = ("place", "from", "state", "since", "bytes")


@frozen
class ComputationStatus:
    """Where a computation stands; `str` of it is text, with whose turn it is.

    Attributes:
        found: what the isolate says.
        policy: whose names it is told by.
    """

    found: StateIs
    policy: Policy = field(repr=False)

    @property
    def state(self) -> ComputationState:
        """The state."""
        return self.found.state

    @property
    def round(self) -> int:
        """Which round it is, from 1."""
        return self.found.round

    @property
    def final(self) -> bool:
        """Whether nothing more can come of it."""
        return is_final(self.found, self.policy)

    @property
    def description(self) -> str:
        """What the state means, and who has to act."""
        return description(self.found, self.policy)

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return standing_facts(self.found, self.policy)

    def __str__(self) -> str:
        return "\n".join(standing_lines(self.found, self.policy))

    def __repr__(self) -> str:
        return f"<ComputationStatus: {self.state.name}, round {self.round}: {self.description}>"

    def _repr_html_(self) -> str:
        head, *lines = _lines(self.found, self.policy)
        rows = [_row(each, self.policy) for each in self.found.places]
        return heading(head) + bullets(lines) + table(_HEADINGS, rows)


def is_final(found: StateIs, policy: Policy) -> bool:
    """Whether nothing more can come of it: it failed for good, or its last round is over."""
    if found.state is ComputationState.FINISHED_EXECUTING:
        return found.round >= policy.conduct.rounds
    return found.state is ComputationState.ERROR


def is_reached(found: StateIs, states: Collection[ComputationState]) -> bool:
    """Whether it is in one of `states`, with all consents, or will never be, for it failed."""
    if found.state is ComputationState.ERROR:
        return True
    return found.state in states and not found.consent_awaited


def standing_facts(found: StateIs, policy: Policy) -> dict[str, object]:
    """All of it, for programs; the keys are stable."""
    failure = None if found.failure is Failure.NONE else found.failure.name.lower()
    return {
        "state": found.state.name,
        "description": description(found, policy),
        "final": is_final(found, policy),
        "round": found.round,
        "rounds": _count(policy.conduct.rounds),
        "attempt": found.attempt,
        "attempts": policy.conduct.attempts,
        "running": found.running,
        "last_run_failed": failure,
        "places": [_place_facts(each, policy) for each in found.places],
        "shutdown_awaited": _parties(found.shutdown_awaited, policy),
        "round_awaited": _parties(found.round_awaited, policy),
        "consent_awaited": _parties(found.consent_awaited, policy),
        "receipts": found.receipts,
    }


def standing_lines(found: StateIs, policy: Policy) -> list[str]:
    """All of it, for people: what it means, how often it ran, each place, and who is awaited."""
    return [*_lines(found, policy), *_table(found, policy)]


def _lines(found: StateIs, policy: Policy) -> list[str]:
    rounds = _count(policy.conduct.rounds)
    of = "" if rounds is None else f" of {rounds}"
    lines = [
        f"{found.state.name}: {description(found, policy)}",
        f"round   {found.round}{of}, attempt {found.attempt} of {policy.conduct.attempts}",
    ]
    for what, awaited in (
        ("consent to the policy", found.consent_awaited),
        ("another round", found.round_awaited),
        ("the end", found.shutdown_awaited),
    ):
        if awaited:
            lines.append(f"awaited for {what}: {names(awaited, policy)}")
    return lines


def description(found: StateIs, policy: Policy) -> str:
    """What the state means, and who has to act."""
    match found.state:
        case ComputationState.INITIAL:
            author = next(each for each in policy.identities if each.roles & PROGRAM_SENDERS)
            return say("waiting for the program of {who}", who=printable(author.label))
        case ComputationState.DATA_SOURCES_LOADING | ComputationState.STREAM_SOURCES_LOADING:
            who = names(_awaited(found, _LOADING[found.state]), policy)
            if _LOADING[found.state] is ContentKind.DATA:
                return say("waiting for data of {who}", who=who)
            return say("waiting for stream items of {who}", who=who)
        case ComputationState.READY_TO_EXECUTE:
            return _ready(found, policy)
        case ComputationState.FINISHED_EXECUTING:
            readers = names(tuple(sorted(policy.result_readers)), policy)
            return say("the result can be fetched by {who}", who=readers)
        case ComputationState.ERROR:
            return say(
                "{failed}; the delegate has to start the computation anew", failed=_failed(found)
            )


def names(client_ids: tuple[int, ...], policy: Policy) -> str:
    """Who these are, each once."""
    return ", ".join(printable(policy.named(each)) for each in dict.fromkeys(client_ids))


def changes(before: StateIs | None, found: StateIs, policy: Policy) -> list[str]:
    """What is new since the last look, a line each."""
    lines = []
    old = {} if before is None else {(each.kind, each.index): each for each in before.places}
    for each in found.places:
        last = old.get((each.kind, each.index))
        if last is None or (last.filling, last.package_id, last.since) != (
            each.filling,
            each.package_id,
            each.since,
        ):
            label, owner, state, since, size = _row(each, policy)
            detail = f", {size} bytes" if size else ""
            lines.append(f"{label} of {owner}: {state}{detail}{f', {since}' if since else ''}")
    known = [] if before is None else _lines(before, policy)
    return [*[line for line in _lines(found, policy) if line not in known], *lines]


def _ready(found: StateIs, policy: Policy) -> str:
    if found.running:
        return say("the program is running")
    readers = names(tuple(sorted(policy.result_readers)), policy)
    if found.failure is Failure.NONE:
        return say("ready: the first request of {who} runs the program", who=readers)
    left = policy.conduct.attempts - found.attempt
    owners = tuple(each.client_id for each in found.places if _replaceable(each, found))
    told = say(
        "there is no result, {failed}; the policy allows {attempts}",
        failed=_failed(found),
        attempts=say_many(left, "{number} more attempt", "{number} more attempts", number=left),
    )
    if owners and left == 1:
        return say(
            "{told}, when an input has changed: {who} may replace one",
            told=told,
            who=names(owners, policy),
        )
    if owners:
        return say(
            "{told}: {owners} may replace an input, or {readers} may have it run again "
            "(`durango result get --retry`)",
            told=told,
            owners=names(owners, policy),
            readers=readers,
        )
    return say(
        "{told}: {readers} may have it run again (`durango result get --retry`)",
        told=told,
        readers=readers,
    )


def _failed(found: StateIs) -> str:
    how = _FAILURES.get(found.failure)
    if how is None:
        return say("the computation failed")
    if found.attempt:
        return say("the last run failed: {how}", how=how)
    return say("the computation failed: {how}", how=how)


def _replaceable(place: InputPlace, found: StateIs) -> bool:
    """Whether what is in a place is in no result yet."""
    if place.kind is ContentKind.PROGRAM:
        return False
    return place.kind is ContentKind.STREAM or found.round == 1


def _awaited(found: StateIs, kind: ContentKind) -> tuple[int, ...]:
    there = [each for each in found.places if each.kind is kind]
    return tuple(each.client_id for each in there if each.filling is not Filling.FILLED)


def _count(number: int) -> int | None:
    return None if number == UNLIMITED else number


def _parties(client_ids: tuple[int, ...], policy: Policy) -> list[dict[str, object]]:
    return [{"client_id": each, "name": policy.named(each)} for each in client_ids]


def _place_facts(place: InputPlace, policy: Policy) -> dict[str, object]:
    label, _, _, since, _ = _row(place, policy)
    there = place.filling is not Filling.MISSING
    return {
        "kind": place.kind.name.lower(),
        "index": place.index,
        "label": label,
        "client_id": place.client_id,
        "name": policy.named(place.client_id),
        "state": _FILLING[place.filling],
        "package_id": place.package_id if there else None,
        "size": place.size if there else None,
        "since": since or None,
    }


def _row(place: InputPlace, policy: Policy) -> tuple[str, str, str, str, str]:
    label: str = say("program")
    if place.kind is not ContentKind.PROGRAM:
        own = places(policy, place.kind)
        label = own[place.index].label if place.index < len(own) else f"place {place.index}"
    since = timestamp(datetime.fromtimestamp(place.since, UTC)) if place.since else ""
    size = "" if place.filling is Filling.MISSING else str(place.size)
    return label, printable(policy.named(place.client_id)), _FILLING[place.filling], since, size


def _table(found: StateIs, policy: Policy) -> list[str]:
    rows = [_HEADINGS, *(_row(each, policy) for each in found.places)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
