"""What a simulation finds out, as values, as facts for programs, and as text for people."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final

from durango import FetchedResult
from durango.ui.results import Shown, is_rows, shown
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.kinds import TypeKind
from veracruz_utils.frozen import frozen

FIRST_ROWS: Final = 5
_MOST_LINE_CHARS: Final = 120


@frozen
class Noticed:
    """Somebody noticed an adversary.

    Attributes:
        who: who did.
        check: at which check.
        words: what it said; the error's own words.
    """

    who: str
    check: str
    words: str


@frozen
class Attempt:
    """What an adversary tried, and what came of it.

    Attributes:
        name: of the adversary.
        did: what it did, in a sentence.
        noticed: who noticed; nobody is a fault.
        changed: what the isolate says of the computation that is another than before; empty for
            nothing.
    """

    name: str
    did: str
    noticed: tuple[Noticed, ...]
    changed: str

    @property
    def held(self) -> bool:
        """Whether it was noticed and changed nothing."""
        return bool(self.noticed) and not self.changed


@frozen
class Sent:
    """Something went in.

    Attributes:
        who: who sent it.
        place: for what.
        size: in bytes.
        origin: where it is from.
        round: in which round, from 1.
    """

    who: str
    place: str
    size: int
    origin: str
    round: int


@frozen
class Read:
    """A reader's result of a round, with its receipt, which was verified.

    Attributes:
        who: the reader.
        round: which, from 1.
        size: in bytes; None for no result.
        digest: SHA-256 of it; None for no result.
        receipt: the number of the receipt.
        rows: how many rows it has; None if it is none of rows.
        shown: the first of them, or what else there is to show.
        kind: what the policy says of its type; empty if it says nothing.
    """

    who: str
    round: int
    size: int | None
    digest: Digest | None
    receipt: int
    rows: int | None
    shown: Shown = field(repr=False)
    kind: str

    @classmethod
    def of(
        cls, who: str, result: bytes | None, outcome: FetchedResult, kind: TypeKind | None
    ) -> "Read":
        """What a reader fetched."""
        seen = Shown() if result is None else shown(result, kind, most=FIRST_ROWS)
        return cls(
            who,
            outcome.receipt.round,
            outcome.output_size,
            outcome.output_digest,
            outcome.receipt.number,
            seen.count if seen.typed and is_rows(kind) else None,
            seen,
            "" if kind is None else str(kind),
        )

    @property
    def shape(self) -> str:
        """How large it is, in a few words."""
        if self.size is None:
            return "no result"
        rows = "" if self.rows is None else f"{self.rows} rows, "
        return f"{rows}{self.size} bytes"

    @property
    def preview(self) -> list[str]:
        """Its first rows, a line each."""
        head = [",".join(self.shown.head)] if self.shown.head else []
        lines = [*head, *(",".join(row) for row in self.shown.rows)]
        lines = lines or self.shown.text.splitlines()[:FIRST_ROWS]
        return [_cut(line) for line in lines]


@frozen
class Report:
    """The whole of it.

    Attributes:
        original: the digest of the policy that was given.
        simulated: the digest of the stand-in.
        replaced: what is different in it, a line each.
        program: what the program is called.
        program_digest: SHA-256 of it.
        sent: what went in, in order.
        read: what came out, in order.
        attempts: what adversaries tried.
        failure: why the computation has not come to its end; empty if it has.
        seconds: how long all of it took.
    """

    original: Digest
    simulated: Digest
    replaced: tuple[str, ...]
    program: str
    program_digest: Digest
    sent: tuple[Sent, ...]
    read: tuple[Read, ...]
    attempts: tuple[Attempt, ...]
    failure: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the computation came to its end, and every adversary was noticed."""
        return not self.failure and all(each.held for each in self.attempts)

    def facts(self) -> Mapping[str, object]:
        """For programs; the keys are stable."""
        return {
            "policy_digest": self.original,
            "simulated_policy_digest": self.simulated,
            "replaced": self.replaced,
            "program": self.program,
            "program_digest": self.program_digest,
            "sent": [_sent_facts(each) for each in self.sent],
            "results": [_read_facts(each) for each in self.read],
            "adversaries": [_attempt_facts(each) for each in self.attempts],
            "failure": self.failure or None,
            "holds": self.holds,
            "seconds": round(self.seconds, 3),
        }

    def text(self) -> str:
        """For people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield ""
        for each in self.read:
            yield f"round {each.round}: {each.who} has the result, {each.shape}"
            yield from (f"    {line}" for line in each.preview)
            if each.shown.count > FIRST_ROWS:
                yield f"    ... and {each.shown.count - FIRST_ROWS} more"
        if self.failure:
            yield f"the computation did not come to its end: {self.failure}"
        for attempt in self.attempts:
            yield from _attempt_lines(attempt)
        yield ""
        yield f"policy       {self.original}, the one that was given"
        yield f"simulated    {self.simulated}, a stand-in: consents, attestations and receipts of"
        yield "             this simulation are about it, and prove nothing about the other"
        yield f"program      {self.program_digest}, {self.program}"
        yield f"{self.seconds:.2f} s in all"


def _attempt_lines(attempt: Attempt) -> Iterator[str]:
    yield ""
    yield f"{attempt.name}: {attempt.did}"
    for each in attempt.noticed:
        yield f"    noticed by {each.who}, at the check of {each.check}:"
        yield f"        {each.words}"
    if not attempt.noticed:
        yield "    NOBODY NOTICED"
    if attempt.changed:
        yield f"    THE COMPUTATION WAS CHANGED: {attempt.changed}"
    else:
        yield "    nothing changed: the isolate is where it was; nothing secret was sent to anybody"


def _sent_facts(sent: Sent) -> dict[str, object]:
    return {
        "from": sent.who,
        "place": sent.place,
        "size": sent.size,
        "origin": sent.origin,
        "round": sent.round,
    }


def _read_facts(read: Read) -> dict[str, object]:
    return {
        "reader": read.who,
        "round": read.round,
        "size": read.size,
        "digest": read.digest,
        "type": read.kind or None,
        "rows": read.rows,
        "preview": read.preview,
        "receipt": read.receipt,
        "receipt_verified": True,  # it is of no other that this is told
    }


def _attempt_facts(attempt: Attempt) -> dict[str, object]:
    return {
        "adversary": attempt.name,
        "did": attempt.did,
        "noticed": [
            {"by": each.who, "check": each.check, "words": each.words} for each in attempt.noticed
        ],
        "changed": attempt.changed or None,
        "held": attempt.held,
    }


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_LINE_CHARS else f"{line[: _MOST_LINE_CHARS - 3]}..."
