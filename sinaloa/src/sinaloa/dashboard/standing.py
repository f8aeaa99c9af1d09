"""What a bridge has at one moment, as the page shows it; values alone."""

from collections.abc import Mapping
from typing import Final

from veracruz_utils.frozen import frozen

MOST_ROWS: Final = 200
"""Of policies on the page; the others are counted."""


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
        sessions: open now.
        let_in: of these, how many the isolate let in.
        places: for sessions, at most.
    """

    digest: str
    isolate: str
    end: str
    number: int | None
    platform: str
    runtime: str
    sessions: int
    let_in: int
    places: int


@frozen
class BridgeStanding:
    """A bridge.

    Attributes:
        draining: whether it takes no new sessions and is about to end.
        policies: those of the first `MOST_ROWS` digests.
        more: how many policies there are beside these.
        totals: counts since it started, by what they are called.
    """

    draining: bool
    policies: tuple[ServedStanding, ...]
    more: int
    totals: Mapping[str, int]
