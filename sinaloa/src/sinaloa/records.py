"""What a bridge tells of each call and each session: a line of its log, and its metrics."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sinaloa import metrics
from sinaloa.places import Place
from sinaloa.session import BridgeSession, SessionEnd
from veracruz_shells.call_errors import outcome_of
from veracruz_shells.log import LineLimit, LogFields, about
from veracruz_shells.traces import tell
from veracruz_utils.errors import VeracruzError

_LOG: Final = logging.getLogger("sinaloa.bridge")


class BridgeRecords:
    """The records of one bridge; for its event loop."""

    def __init__(self, open_sessions: Callable[[], Sequence[BridgeSession]]) -> None:
        """None yet.

        Args:
            open_sessions: gives the sessions that are open.
        """
        self._open_sessions = open_sessions
        self._numbers = itertools.count(1)
        self._refusals = LineLimit()
        self._bytes_in = 0
        self._bytes_out = 0

    @contextmanager
    def call(self, method: str, peer: str) -> Iterator[LogFields]:
        """A call of one answer, to which a block is to give its fields `policy` and bytes."""
        facts: LogFields = {"peer": peer, "method": method}
        begun, outcome = time.monotonic(), "cancelled"
        try:
            yield facts
            outcome = "answered"
        except VeracruzError as error:
            outcome = outcome_of(error)
            raise
        except Exception:
            outcome = "internal"
            raise
        finally:
            seconds = _since(begun)
            if method == "Attest":
                metrics.ATTESTATIONS.add(outcome=outcome)
                metrics.ATTESTATION_SECONDS.add(seconds)
            facts |= {"duration_s": seconds, "outcome": outcome}
            tell(policy=facts.get("policy"))
            self._say("call ended", facts, refused=outcome != "answered")

    @contextmanager
    def opening(self, peer: str) -> Iterator[LogFields]:
        """A session that is to be opened, whose policy the block gives once it is known."""
        facts: LogFields = {"peer": peer}
        try:
            yield facts
        except VeracruzError as error:
            facts["outcome"] = outcome_of(error)
            metrics.SESSIONS_REFUSED.add(reason=outcome_of(error))
            self._say("session refused", facts, refused=True)
            raise

    async def carry_out(self, session: BridgeSession, place: Place, facts: LogFields) -> None:
        """Pump a session to its end."""
        facts["session"] = session.number = next(self._numbers)
        self._say("session opened", facts)
        begun, end = time.monotonic(), SessionEnd.ENDED
        try:
            await session.pump()
        except asyncio.CancelledError:
            end = session.end or SessionEnd.LEFT
            raise
        except BaseException:
            end = session.end or SessionEnd.FAILED
            raise
        finally:
            self._bytes_in += session.bytes_in
            self._bytes_out += session.bytes_out
            seconds = _since(begun)
            facts |= {
                "bytes_in": session.bytes_in,
                "bytes_out": session.bytes_out,
                "duration_s": seconds,
                "outcome": end.value,
            }
            metrics.SESSIONS_ENDED.add(outcome=end)
            metrics.SESSION_SECONDS.add(seconds)
            if not place.let_in:
                metrics.HANDSHAKES_REFUSED.add(reason=end)
            tell(
                session=facts["session"],
                bytes_in=session.bytes_in,
                bytes_out=session.bytes_out,
                outcome=end.value,
            )
            self._say("session ended", facts)

    def bytes_carried(self) -> dict[tuple[str, ...], float]:
        """How many bytes went each way, of sessions that are over and of those that are not."""
        sessions = self._open_sessions()
        return {
            ("in",): self._bytes_in + sum(each.bytes_in for each in sessions),
            ("out",): self._bytes_out + sum(each.bytes_out for each in sessions),
        }

    def _say(self, what: str, facts: LogFields, *, refused: bool = False) -> None:
        unlogged = self._refusals.take() if refused else 0
        if unlogged is not None:
            told: LogFields = {**facts}
            if unlogged:
                told["unlogged"] = unlogged
            _LOG.info(what, extra=about(**told))


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 6)
