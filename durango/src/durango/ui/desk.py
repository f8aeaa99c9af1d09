"""What a principal's page knows and does: it looks at the computation, sends, and fetches.

Theory of operation. One task looks: it attests, connects, and asks for the state every second while
a page is being watched; views show what it saw last and never wait for the network. Uploads and the
run are tasks of their own, each with a session of its own, for a session does one thing at a time.
What goes wrong is kept as words for whoever looks next; a task that looks goes on trying.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, Self, TypeVar

from colima.runtime import ComputationState, ContentKind, RefusalReason, StateIs
from durango.aio import AsyncPrincipal
from durango.bundles import ReceiptBundle
from durango.consents import sign_policy
from durango.errors import DurangoError, GateError, PolicyExpiredError
from durango.evidence import Attestation
from durango.principal import FetchedResult
from durango.receipts import CommitmentOpening
from durango.refusals import RequestFailedError
from durango.ui.choosing import Parcel
from durango.ui.results import Shown, shown
from durango.ui.seat import Seat
from veracruz_shells.files import write_new_file
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

if TYPE_CHECKING:
    from psa_attestation.receipts.receipt import Receipt

_T = TypeVar("_T")
_LOOK_S: Final = 1.0
_WATCHED_S: Final = 30.0
"""For how long after a view somebody is taken to be looking."""
_AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
_END_S: Final = 3.0
"""How long sessions may take to end with the page."""
_OVER: Final = {RefusalReason.SHUT_DOWN, RefusalReason.EXPIRED}


@frozen
class Look:
    """What was seen last.

    Attributes:
        attestation: of the isolate; None before it passed the gate.
        state: where the computation stands; None before the isolate said.
        trouble: why it is not seen now, in words; None while it is.
        refused: the check that failed, if that is why.
        over: whether the computation has ended.
    """

    attestation: Attestation | None = None
    state: StateIs | None = None
    trouble: str | None = None
    refused: GateError | None = None
    over: bool = False


class HowFar(Enum):
    """How far something is that was asked for."""

    CHOSEN = "chosen"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


class Dispatch:
    """A file on its way from here to the isolate."""

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.stage = HowFar.CHOSEN
        self.sent = 0
        self.trouble = ""
        self.opening: CommitmentOpening | None = None

    def advance(self, size: int) -> None:
        """So many bytes more went out."""
        self.sent += size


class Pickup:
    """The run, and the result on its way to here."""

    def __init__(self) -> None:
        self.stage = HowFar.UNDER_WAY
        self.received = 0
        self.trouble = ""
        self.result: bytes | None = None
        self.outcome: FetchedResult | None = None
        self.shown: Shown | None = None


class Desk:
    """The computation as one principal sees it, from `async with` on."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.look = Look()
        self.sendings: dict[tuple[ContentKind, int], Dispatch] = {}
        self.fetching: Pickup | None = None
        self.troubles: dict[str, str] = {}
        """What was asked for last and could not be done, by the part of the page that shows it."""
        self.openings: dict[tuple[ContentKind, int], CommitmentOpening] = {}
        self._receipts: list[tuple[Receipt, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched = asyncio.Event()
        self._watched_until = 0.0

    async def __aenter__(self) -> Self:
        self.watch()
        self._start(self._keep_looking())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:  # not for ever: a session may wait for a bridge that says nothing
            await asyncio.wait(tasks, timeout=_END_S)

    def watch(self) -> None:
        """Somebody is looking."""
        self._watched_until = asyncio.get_running_loop().time() + _WATCHED_S
        self._watched.set()

    # Looking.

    async def _keep_looking(self) -> None:
        failures = 0
        while not self.look.over:
            try:
                attestation = await self.seat.attest()
                self.look = replace(self.look, attestation=attestation, trouble=None, refused=None)
                async with self.seat.connect(attestation, patience_s=0) as session:
                    # As long as it may be relied on: then the isolate has to prove itself anew.
                    while datetime.now(UTC) < attestation.expires_at:
                        await self._see(session, attestation)
                        failures = 0
                        await self._pause()
            except VeracruzError as error:
                self._not_seen(error)
                await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
                failures += 1

    async def _see(self, session: AsyncPrincipal, attestation: Attestation) -> None:
        state = await session.state()
        self.look = Look(attestation, state)
        outcome = None if self.fetching is None else self.fetching.outcome
        if outcome is not None and outcome.receipt.round < state.round:
            self.fetching = None  # somebody began another round, whose result is to be fetched

    def _not_seen(self, error: VeracruzError) -> None:
        ended = isinstance(error, RequestFailedError) and error.answer.reason in _OVER
        over = ended or isinstance(error, PolicyExpiredError)
        refused = error if isinstance(error, GateError) else None
        # What failed the gate is not believed for having passed it before.
        attestation = None if refused else self.look.attestation
        self.look = Look(attestation, self.look.state, str(error), refused, over)

    async def _pause(self) -> None:
        if asyncio.get_running_loop().time() >= self._watched_until:
            self._watched.clear()
            await self._watched.wait()
        await asyncio.sleep(_LOOK_S)

    # Acting.

    def choose(self, parcel: Parcel) -> None:
        """Have a file ready to be sent.

        Raises:
            DurangoError: another one of this place is under way.
        """
        place = parcel.kind, parcel.package
        there = self.sendings.get(place)
        if there is not None and there.stage is HowFar.UNDER_WAY:
            raise DurangoError("a file of this place is being sent: wait until it is in")
        self.sendings[place] = Dispatch(parcel)

    def put_away(self, kind: ContentKind, package: int) -> None:
        """Forget a file that was chosen and is not being sent."""
        there = self.sendings.get((kind, package))
        if there is not None and there.stage is not HowFar.UNDER_WAY:
            del self.sendings[kind, package]

    def send(self, kind: ContentKind, package: int, *, replace: bool) -> None:
        """Send what was chosen, or go on with what broke off.

        Args:
            kind: program, data or stream.
            package: its number.
            replace: it comes in place of what is in.
        """
        there = self.sendings.get((kind, package))
        if there is not None and there.stage in {HowFar.CHOSEN, HowFar.FAILED}:
            there.stage, there.sent, there.trouble = HowFar.UNDER_WAY, 0, ""
            self._start(self._send(there, replace=replace))

    def fetch(self, *, retry: bool) -> None:
        """Have the program run, if it has not, and fetch the result."""
        if self.fetching is None or self.fetching.stage is not HowFar.UNDER_WAY:
            self.fetching = Pickup()
            self._start(self._fetch(self.fetching, retry=retry))

    async def consent(self) -> None:
        """Sign the policy and hand that in.

        Raises:
            VeracruzError: it is not taken.
        """
        self.seat.policy.require_in_force(datetime.now(UTC))
        message = sign_policy(self.seat.policy, self.seat.identity)
        await self._do(lambda session: session.consent(message))

    async def revoke(self) -> None:
        """Take one's consent back.

        Raises:
            VeracruzError: it was not given, or a run has begun.
        """
        await self._do(lambda session: session.revoke_consent())

    async def withdraw(self, kind: ContentKind, package: int) -> None:
        """Take back an own input.

        Raises:
            VeracruzError: it is not in, or in a result.
        """
        await self._do(lambda session: session.withdraw(kind, package))
        self.sendings.pop((kind, package), None)
        self.openings.pop((kind, package), None)

    async def next_round(self) -> None:
        """Ask for another round.

        Raises:
            VeracruzError: there is none, or not yet.
        """
        await self._do(lambda session: session.next_round())
        self.fetching = None
        for place in [each for each in self.sendings if each[0] is ContentKind.STREAM]:
            self.put_away(*place)

    async def shutdown(self) -> None:
        """Ask for the end.

        Raises:
            VeracruzError: not this principal's to ask.
        """
        await self._do(lambda session: session.shutdown())

    async def receipts(self) -> "list[tuple[Receipt, bytes]]":
        """All receipts that the isolate keeps, each verified; none before a run has ended.

        Raises:
            VeracruzError: the isolate cannot be asked, or what came is not its own.
        """
        state = self.look.state
        there = 0 if state is None else state.receipts
        if there and (not self._receipts or self._receipts[-1][0].number < there):
            self._receipts = await self._do(lambda session: session.receipts())
        return self._receipts

    async def bundle(self) -> bytes:
        """All that proves the runs, in one file.

        Raises:
            VeracruzError: as for `receipts`.
        """
        signed = [each for _, each in await self.receipts()]
        attestation = await self._attested()
        return ReceiptBundle.of(
            signed, attestation, self.seat.policy, tabasco_key=self.seat.tabasco_key
        ).to_bytes()

    async def _do(self, act: Callable[[AsyncPrincipal], Coroutine[object, object, _T]]) -> _T:
        """One short request, after which the computation is looked at again."""
        attestation = await self._attested()
        async with self.seat.connect(attestation, patience_s=0) as session:
            done = await act(session)
            with suppress(VeracruzError):  # the isolate may have ended with it
                await self._see(session, attestation)
            return done

    async def _attested(self) -> Attestation:
        there = self.look.attestation
        if there is None or datetime.now(UTC) >= there.expires_at:
            there = await self.seat.attest()
        return there

    async def _send(self, sending: Dispatch, *, replace: bool) -> None:
        parcel = sending.parcel
        try:
            async with self.seat.connect(await self._attested()) as session:
                if parcel.kind is ContentKind.PROGRAM:
                    await session.send_program(parcel.content, on_progress=sending.advance)
                else:
                    data = parcel.kind is ContentKind.DATA
                    provide = session.send_data if data else session.send_stream
                    opening = await provide(
                        parcel.package,
                        parcel.content,
                        replace=replace,
                        on_progress=sending.advance,
                    )
                    self.openings[parcel.kind, parcel.package] = sending.opening = opening
        except VeracruzError as error:
            sending.stage, sending.trouble = HowFar.FAILED, str(error)
            return
        sending.stage = HowFar.DONE
        try:
            self._keep_opening(sending.opening)
        except VeracruzError as error:  # it is in, whatever becomes of its opening
            sending.trouble = str(error)

    async def _fetch(self, fetching: Pickup, *, retry: bool) -> None:
        try:
            async with self.seat.connect(await self._attested()) as session:
                fetching.result, fetching.outcome = await session.result(retry=retry)
            if fetching.result is not None:
                # Once, and not in the loop that serves the page: a program may make it large.
                kind = self.seat.policy.result.kind
                fetching.shown = await asyncio.to_thread(shown, fetching.result, kind)
            fetching.stage = HowFar.DONE
        except VeracruzError as error:
            fetching.stage, fetching.trouble = HowFar.FAILED, str(error)
        with suppress(VeracruzError):
            await self.receipts()

    def _keep_opening(self, opening: CommitmentOpening | None) -> None:
        if self.seat.folder is not None and opening is not None:
            file = self.seat.folder / opening_name(opening)
            write_new_file(file, opening.to_json(), mode=0o600, force=True)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def opening_name(opening: CommitmentOpening) -> str:
    """What the file of an opening is called."""
    return f"{opening.kind.name.lower()}-{opening.package_id}.opening.json"


READY: Final = (ComputationState.READY_TO_EXECUTE, ComputationState.FINISHED_EXECUTING)
"""When a reader may ask for the result."""
