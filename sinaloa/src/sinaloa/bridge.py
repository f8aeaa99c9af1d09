"""The bridge's gRPC methods, and the sessions that are open."""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, Self, TypeVar

from colima import WireError, decode, encode
from colima.sinaloa import (
    MAX_CHUNK_BYTES,
    SERVICE,
    AttestRequest,
    AttestResponse,
    BulkPortRequest,
    BulkPortResponse,
    DescribeIsolateRequest,
    DescribeIsolateResponse,
)
from platform_services.memory import MemoryReturn
from sinaloa import metrics
from sinaloa.computation import ServedPolicy
from sinaloa.computations import Computations
from sinaloa.dashboard.counting import Counts
from sinaloa.dashboard.standing import MOST_NUMBERS, MOST_ROWS, BridgeStanding, ServedStanding
from sinaloa.isolate import MOST_ASKED
from sinaloa.peers import ATTESTATIONS
from sinaloa.places import GaveWayError, Place
from sinaloa.records import BridgeRecords
from sinaloa.session import BridgeSession, SessionEnd, StreamSession
from sinaloa.traces import SESSION
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.call_handlers import Caller, LoopMethod, Stream, StreamMethod
from veracruz_shells.event_loop import event_loop
from veracruz_shells.metrics import Look
from veracruz_shells.service import ServiceLimits
from veracruz_shells.traces import tell
from veracruz_utils.errors import UnreachableError

_LOG: Final = logging.getLogger(__name__)
_CALLS: Final = 64
"""Beside sessions: attestation and description."""
_CALLS_OF_PEER: Final = 16
_OTHER_SESSIONS: Final = 64
"""Beside those that have a place: such as are being refused or give way."""
_ON_CONNECTION: Final = 64
"""On one connection, so that none takes all; a principal's own client has one at a time."""
_TICK_S: Final = 5.0
_QUIET_S: Final = 1.0
"""So long after an answer, while the bridge is being drained, its session counts as idle."""
_LOOK_S: Final = 5.0
"""For metrics, which a loop that is stuck does not keep waiting."""
_Message = TypeVar("_Message", AttestRequest, BulkPortRequest, DescribeIsolateRequest)
MakeSession = Callable[[socket.socket], BridgeSession]
"""Makes of a socket to an isolate what carries bytes to it."""


class Bridge:
    """What principals can ask of the bridge, for as long as the `with` block lasts.

    It looks at nothing that passes, and nothing it says is to be believed: principals hold their
    tokens against their own policy, and their sessions end inside the isolate.

    Attributes:
        bulk_port: where principals are told that sessions go over bare TCP; 0 for nowhere.
    """

    def __init__(self, computations: Computations, *, stall_s: float = 60.0) -> None:
        """A bridge to the isolates of `computations`.

        Args:
            computations: what it serves.
            stall_s: how long either side of a session may leave a piece untaken, and a principal
                stay silent at its beginning, in seconds.
        """
        self._computations = computations
        self._stall_s = stall_s
        self._memory = MemoryReturn()
        self.bulk_port = 0
        self._draining = False
        self.records = BridgeRecords(self._sessions)
        self._watchdog: Future[None] | None = None

    def __enter__(self) -> Self:
        self._watchdog = asyncio.run_coroutine_threadsafe(self._cut_stalled(), event_loop())
        return self

    def __exit__(self, *_: object) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
        self.cut_sessions()

    @property
    def by_caller(self) -> Mapping[str, LoopMethod]:
        """The methods of one request and one response, by full name."""
        return {
            f"/{SERVICE}/Describe": self._describe,
            f"/{SERVICE}/Attest": self._attest,
            f"/{SERVICE}/BulkPort": self._tell_bulk_port,
        }

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streaming methods, by full name."""
        return {f"/{SERVICE}/Session": self._session}

    @property
    def limits(self) -> ServiceLimits:
        """What a service of these methods should hold."""
        return ServiceLimits(
            message_bytes=MAX_CHUNK_BYTES + 1024,
            calls=_CALLS,
            calls_of_peer=_CALLS_OF_PEER,
            streams=self._computations.places + _OTHER_SESSIONS,
            on_connection=_ON_CONNECTION,
        )

    @property
    def looks(self) -> Mapping[str, Look]:
        """How its metrics are looked at that change from moment to moment, by name."""
        asked = {
            metrics.SESSIONS.name: self._count_sessions,
            metrics.SESSION_BYTES.name: self.records.bytes_carried,
            metrics.POLICIES.name: self._count_policies,
            metrics.SONORA_WAITING.name: self._count_asked,
        }
        return {name: _in_loop(look) for name, look in asked.items()}

    def standing(self, counts: Counts) -> BridgeStanding:
        """What the delegate's page shows; in the event loop.

        Args:
            counts: what was counted since the start, to which this adds what the bridge knows.
        """
        now = time.monotonic()
        served = sorted(self._computations.all(), key=lambda each: str(each.policy))
        carried = self.records.bytes_carried()
        return BridgeStanding(
            draining=self._draining,
            policies=tuple(_standing_of(each, now) for each in served[:MOST_ROWS]),
            more=max(0, len(served) - MOST_ROWS),
            totals={
                **{called: sum(of.values()) for called, of in counts.items()},
                "bytes to isolates": int(carried[("in",)]),
                "bytes from isolates": int(carried[("out",)]),
                "requests that Sonora has not answered": int(self._count_asked()[()]),
            },
            reasons=counts,
        )

    def _count_sessions(self) -> dict[tuple[str, ...], float]:
        places = [each.places for each in self._computations.all()]
        let_in = sum(each.let_in() for each in places)
        return {("let-in",): let_in, ("handshaking",): sum(map(len, places)) - let_in}

    def _count_policies(self) -> dict[tuple[str, ...], float]:
        states = Counter(each.isolate_state for each in self._computations.all())
        return {(state,): states[state] for state in metrics.POLICIES.labels["isolate"]}

    def _count_asked(self) -> dict[tuple[str, ...], float]:
        isolates = [each.found for each in self._computations.all()]
        return {(): sum(each.asked for each in isolates if each is not None)}

    def cut_sessions(self) -> None:
        """End all sessions, as the bridge itself is ending; from any other thread than its own."""
        asyncio.run_coroutine_threadsafe(self._cut_all(), event_loop()).result()

    def drain(self, seconds: float) -> None:
        """Take no new session, wait until nothing is under way in the others, and end them.

        From any other thread than its own.

        Args:
            seconds: how long to wait at most.
        """
        asyncio.run_coroutine_threadsafe(self._drain(seconds), event_loop()).result()

    async def _drain(self, seconds: float) -> None:
        self._draining = True
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline and (sessions := self._sessions()):
            for session in sessions:
                # By what passes, of which nobody here reads a word: after an answer nothing more
                # came. Who waits for an answer is not idle.
                if session.answered(now - _QUIET_S):
                    session.cut(_ending(), SessionEnd.BRIDGE_ENDING)
            await asyncio.sleep(min(_QUIET_S / 4, deadline - now))
        await self._cut_all()

    def _sessions(self) -> list[BridgeSession]:
        served = self._computations.all()
        return [session for each in served for session in each.places.sessions()]

    async def _cut_all(self) -> None:
        for session in self._sessions():
            session.cut(_ending(), SessionEnd.BRIDGE_ENDING)

    def _computation(self, caller: Caller) -> ServedPolicy:
        if self._draining:
            raise _ending()
        return self._computations.of(caller)

    async def _attest(self, request: bytes, caller: Caller) -> bytes:
        with self.records.call("Attest", caller.peer) as facts:
            facts["bytes_in"] = len(request)
            challenge = _read(AttestRequest, request).challenge
            computation = self._computation(caller)
            facts["policy"] = computation.policy.value.hex()
            sites = computation.places.sites_beside(caller.peer)
            computation.quota.take(caller.peer, sites=sites, now=time.monotonic())
            isolate = await computation.isolate()
            answer = encode(AttestResponse(await isolate.attest(challenge)))
            facts["bytes_out"] = len(answer)
            return answer

    async def _describe(self, request: bytes, caller: Caller) -> bytes:
        with self.records.call("Describe", caller.peer) as facts:
            facts["bytes_in"] = len(request)
            _read(DescribeIsolateRequest, request)
            computation = self._computation(caller)
            facts["policy"] = computation.policy.value.hex()
            launched = computation.running().launched
            answer = encode(DescribeIsolateResponse(launched.policy_digest, launched.platform))
            facts["bytes_out"] = len(answer)
            return answer

    async def _tell_bulk_port(self, request: bytes, _: Caller) -> bytes:
        _read(BulkPortRequest, request)
        return encode(BulkPortResponse(self.bulk_port))

    async def _session(self, stream: Stream) -> None:
        await self.carry(stream.caller, lambda channel: StreamSession(channel, stream))

    async def carry(self, caller: Caller, make_session: MakeSession) -> None:
        """Give a caller a session with the isolate of its policy, and carry its bytes to the end.

        Raises:
            VeracruzError: there is none to be had, or it was cut off.
        """
        with SESSION.span(caller.traceparent):
            await self._carry(caller, make_session)

    async def _carry(self, caller: Caller, make_session: MakeSession) -> None:
        with self.records.opening(caller.peer) as facts:
            computation = self._computation(caller)
            facts["policy"] = computation.policy.value.hex()
            tell(policy=facts["policy"])
            # The place first: whoever is refused costs no socket pair, and the isolate nothing.
            place = computation.places.take(caller.peer)
            try:
                session = await _opened(computation, place, make_session)
            except BaseException:
                computation.places.leave(place)
                raise
        # By hand and not by blocks, whose objects would be there for each session that is open.
        try:
            await self.records.carry_out(session, place, facts)
        finally:
            computation.places.leave(place)
            self._memory.session_left()

    async def _cut_stalled(self) -> None:
        """The watchdog's task."""
        while True:
            await asyncio.sleep(min(_TICK_S, self._stall_s))
            self._memory.turn(time.monotonic())
            since = time.monotonic() - self._stall_s
            for session in self._sessions():
                if session.stalled(since):
                    _LOG.warning("session cut off: a side took nothing for too long")
                    session.cut(
                        CallError(
                            CallStatus.FAILED_PRECONDITION,
                            "the session was cut off: a side was idle too long",
                        ),
                        SessionEnd.STALLED,
                    )


def _standing_of(served: ServedPolicy, now: float) -> ServedStanding:
    isolate = served.found
    runs = isolate is not None and isolate.end is None
    numbers = sorted(each.number for each in served.places.sessions() if each.number)
    return ServedStanding(
        digest=str(served.policy),
        isolate=served.isolate_state,
        end=isolate.end.value if isolate is not None and isolate.end is not None else "",
        number=isolate.launched.isolate_id if isolate is not None else None,
        platform=isolate.launched.platform if isolate is not None else "",
        runtime=isolate.launched.measurement.hex() if isolate is not None else "",
        age_s=now - isolate.had_since if isolate is not None and runs else None,
        older=isolate is not None and isolate.launched.found_again,
        sessions=len(served.places),
        numbers=tuple(numbers[:MOST_NUMBERS]),
        let_in=served.places.let_in(),
        places=served.max_sessions,
        attested=served.quota.taken(now=now),
        attestations=ATTESTATIONS,
        asked=isolate.asked if isolate is not None else 0,
        most_asked=MOST_ASKED,
    )


def _in_loop(look: Look) -> Look:
    """The same, looked at in the event loop, where what is looked at does not change meanwhile."""

    async def now() -> Mapping[tuple[str, ...], float]:
        return look()

    return lambda: asyncio.run_coroutine_threadsafe(now(), event_loop()).result(_LOOK_S)


async def _opened(
    computation: ServedPolicy, place: Place, make_session: MakeSession
) -> BridgeSession:
    session = make_session(await (await computation.isolate()).open_session(place))
    if not computation.places.occupy(place, session):
        session.channel.close()
        raise GaveWayError
    return session


def _ending() -> UnreachableError:
    return UnreachableError("the bridge is ending: connect again, when there is another")


def _read(kind: type[_Message], request: bytes) -> _Message:
    try:
        return decode(kind, request)
    except WireError as error:
        raise CallError(CallStatus.INVALID_ARGUMENT, f"malformed request: {error}") from error
