"""What a bridge has at one moment, as the page shows it; values alone."""

from collections.abc import Mapping
from typing import Final

from veracruz_utils.frozen import frozen

MOST_ROWS: Final = 200
"""Of policies on the page; the others are counted."""
MOST_NUMBERS: Final = 20
"""Of sessions of one policy on the page; all are counted, and the log has them all."""


@frozen
class ServedStanding:
    """One policy that is served.

    Attributes:
        digest: of the policy, hexadecimal.
        isolate: what its isolate does: `running`, `waiting` (for the first who asks), `ended`.
        end: how it ended, in words; empty while it runs.
        number: Sonora's for the isolate; None if there is none.
        platform: what vouches for the isolate; empty if there is none.
        runtime: the runtime image's measurement, hexadecimal; empty if there is none.
        age_s: since when the bridge has the isolate, in seconds; None if there is none that runs.
        older: whether it was there before the bridge had it.
        sessions: open now.
        numbers: by which the log names the first `MOST_NUMBERS` of them.
        let_in: of these, how many the isolate let in.
        places: for sessions, at most.
        attested: attestations that were given out in this minute.
        attestations: how many there are in a minute.
        asked: requests that Sonora has not answered.
        most_asked: how many of these there may be.
    """

    digest: str
    isolate: str
    end: str
    number: int | None
    platform: str
    runtime: str
    age_s: float | None
    older: bool
    sessions: int
    numbers: tuple[int, ...]
    let_in: int
    places: int
    attested: int
    attestations: int
    asked: int
    most_asked: int


@frozen
class BridgeStanding:
    """A bridge.

    Attributes:
        draining: whether it takes no new sessions and is about to end.
        policies: those of the first `MOST_ROWS` digests.
        more: how many policies there are beside these.
        totals: counts since it started, by what they are called.
        reasons: of some of these, how many there are of each label of the metric.
    """

    draining: bool
    policies: tuple[ServedStanding, ...]
    more: int
    totals: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
