"""The library for asyncio: several principals, or one beside other work, in one event loop.

    attestation = await aio.attest(policy)
    async with aio.AsyncPrincipal.connect(policy, identity, attestation) as north:
        await north.send_data(0, "patients.bin")

How it is done. gRPC and TLS block, so each session has a thread of its own, in which the calls of
`durango.Principal` run one after the other; several coroutines may use a session, and wait for
their turn. Sessions of several principals run side by side.

A call that is cancelled, by `asyncio.timeout` or by a task group, ends its session: the connection
is cut, and the cancellation is passed on once the thread is out of the call. An upload that was cut
goes on where it was when it is sent again over another session. A call that is cancelled while it
waits for its turn ends nothing. What reads a pipe that gives nothing cannot be stopped: it is left
alone after five seconds.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Self, TypeVar

from colima.runtime import ComputationState, ContentKind, FailureReport, StateIs
from durango import attestation as blocking
from durango._worker import Worker
from durango.content import Source
from durango.evidence import Attestation
from durango.identity import Identity
from durango.lifeline import Notice
from durango.principal import FetchedResult, Principal
from durango.receipts import CommitmentOpening
from durango.standing import ComputationStatus, is_reached
from durango.transfers import Progress
from durango.ways import TransportKind
from psa_attestation.receipts.receipt import Receipt
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

__all__ = ["AsyncPrincipal", "attest"]

_T = TypeVar("_T")
_POLL_S: Final = 0.2


async def attest(
    policy: Policy,
    *,
    tabasco_key: bytes | None = None,
    sinaloa: Address | None = None,
    tabasco: Address | None = None,
    tabasco_tls: ClientFiles | None = None,
    timeout_s: float = 30.0,
) -> Attestation:
    """The isolate behind the policy's bridge, once everything about it has been checked.

    Args:
        policy: the principal's own copy.
        tabasco_key: DER SubjectPublicKeyInfo; needed for a 2021 policy, which names none.
        sinaloa: where the bridge is, if not where the policy says.
        tabasco: where the attestation service is, if not where the policy says.
        tabasco_tls: how to speak TLS with the attestation service; None for plain text.
        timeout_s: for each of the two questions.

    Raises:
        VeracruzError: as for `durango.attest`.
    """
    worker = Worker("attest")
    try:
        return await worker.run(
            lambda: blocking.attest(
                policy,
                tabasco_key=tabasco_key,
                sinaloa=sinaloa,
                tabasco=tabasco,
                tabasco_tls=tabasco_tls,
                timeout_s=timeout_s,
                halt=worker.halt,
            )
        )
    finally:
        worker.end()


class AsyncPrincipal:
    """An open session; made by `AsyncPrincipal.connect`.

    Its methods are those of `Principal`, to be awaited, and raise what those raise, and
    `HaltedError` after a call of the session was cancelled; `SessionError` after its block.
    """

    def __init__(self, principal: Principal, worker: Worker) -> None:
        self._principal = principal
        self._worker = worker
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        policy: Policy,
        identity: Identity,
        attestation: Attestation,
        *,
        sinaloa: Address | None = None,
        transport: TransportKind = TransportKind.AUTO,
        bulk: Address | None = None,
        timeout_s: float = 60.0,
        patience_s: float | None = None,
        notice: Notice = lambda _: None,
    ) -> AsyncIterator[Self]:
        """A session with the isolate that `attestation` is about, for an `async with`.

        Its end closes the session, and ends calls that other tasks have under way.

        Args:
            policy: the principal's own copy; see `Principal.connect`.
            identity: who the principal is; one of the policy's.
            attestation: from `attest`, for this policy and still in force.
            sinaloa: where the bridge is, if not where the policy says.
            transport: how the bytes get there; see `Principal.connect`.
            bulk: where the bridge's port for bulk is, if not where the bridge says.
            timeout_s: for each answer that needs no program to run.
            patience_s: how long to try again when the connection breaks later on, each time;
                `timeout_s` if it is not given.
            notice: called in the event loop with a line for people when that happens.

        Raises:
            VeracruzError: as for `Principal.connect`.
        """
        told = _in_loop(notice)
        worker = Worker(f"principal of {policy.digest.short}")
        opened: list[Principal] = []
        try:
            await worker.run(
                lambda: opened.append(
                    Principal.connect(
                        policy,
                        identity,
                        attestation,
                        sinaloa=sinaloa,
                        transport=transport,
                        bulk=bulk,
                        timeout_s=timeout_s,
                        patience_s=patience_s,
                        notice=told,
                        halt=worker.halt,
                    )
                )
            )
            session = cls(opened[0], worker)
            try:
                yield session
            finally:
                if session._turn.locked():
                    worker.halt.engage()
        finally:
            try:
                if opened and not worker.stuck:
                    await worker.run(opened[0].close)
            finally:  # to be cancelled here ends the closing, too
                worker.end()

    @property
    def transport(self) -> TransportKind:
        """How its bytes get to the bridge. See `Principal.transport`."""
        return self._principal.transport

    @property
    def client_id(self) -> int:
        """The number the policy gives this principal."""
        return self._principal.client_id

    async def send_program(self, source: Source, *, on_progress: Progress | None = None) -> Digest:
        """Provide the program; its digest. See `Principal.send_program`.

        Args:
            source: bytes, a path, or a binary file.
            on_progress: called in the event loop with the number of bytes sent.
        """
        shown = _progress_in_loop(on_progress)
        return await self._do(partial(self._principal.send_program, source, on_progress=shown))

    async def send_data(
        self,
        package_id: int,
        source: Source,
        *,
        replace: bool = False,
        on_progress: Progress | None = None,
    ) -> CommitmentOpening:
        """Provide an input; the opening that proves it in a receipt. See `Principal.send_data`.

        Args:
            package_id: the number of the input among those of this principal.
            source: bytes, a path, or a binary file.
            replace: it comes in place of what is in under this number.
            on_progress: called in the event loop with the number of bytes sent.
        """
        shown = _progress_in_loop(on_progress)
        return await self._do(
            lambda: self._principal.send_data(
                package_id, source, replace=replace, on_progress=shown
            )
        )

    async def send_stream(
        self,
        package_id: int,
        source: Source,
        *,
        replace: bool = False,
        on_progress: Progress | None = None,
    ) -> CommitmentOpening:
        """Provide a stream item of this round; like `send_data` otherwise.

        Args:
            package_id: the number of the item among those of this principal.
            source: bytes, a path, or a binary file.
            replace: it comes in place of what is in under this number.
            on_progress: called in the event loop with the number of bytes sent.
        """
        shown = _progress_in_loop(on_progress)
        return await self._do(
            lambda: self._principal.send_stream(
                package_id, source, replace=replace, on_progress=shown
            )
        )

    async def withdraw(self, kind: ContentKind, package_id: int) -> None:
        """Take back an own input, which is in no result yet. See `Principal.withdraw`.

        Args:
            kind: data or stream.
            package_id: its number.
        """
        await self._do(lambda: self._principal.withdraw(kind, package_id))

    async def result(self, *, retry: bool = False) -> tuple[bytes | None, FetchedResult]:
        """The result in memory; the first request runs the program. See `Principal.result`.

        Args:
            retry: have the program run again after a run that failed, though no input changed.
        """
        return await self._do(lambda: self._principal.result(retry=retry))

    async def save_result(
        self, write: Callable[[bytes], object], *, retry: bool = False
    ) -> FetchedResult:
        """The result, handed to `write` piece by piece. See `Principal.save_result`.

        Args:
            write: called in the session's thread, such as a file's `write`; no coroutine function.
            retry: have the program run again after a run that failed.
        """
        _refuse_coroutine(write)
        return await self._do(lambda: self._principal.save_result(write, retry=retry))

    async def next_round(self) -> tuple[int, ...]:
        """Ask for another round; who has to ask as well. See `Principal.next_round`."""
        return await self._do(self._principal.next_round)

    async def shutdown(self) -> tuple[int, ...]:
        """Ask for the end; who has not asked yet. See `Principal.shutdown`."""
        return await self._do(self._principal.shutdown)

    async def state(self) -> StateIs:
        """Where the computation stands."""
        return await self._do(self._principal.state)

    async def status(self) -> ComputationStatus:
        """Where the computation stands, with the names of the policy."""
        return await self._do(self._principal.status)

    async def wait_for(
        self,
        *states: ComputationState,
        timeout_s: float,
        on_state: Callable[[ComputationStatus], object] = lambda _: None,
    ) -> StateIs:
        """The state once it is one of `states` and no consent is missing, in ERROR, or out of time.

        Other calls of the session go on meanwhile.

        Args:
            states: what to wait for.
            timeout_s: how long, for the other principals to do their part.
            on_state: called with what there is, as long as that is not it.
        """
        _refuse_coroutine(on_state)
        deadline = time.monotonic() + timeout_s
        while True:
            status = await self.status()
            if is_reached(status.found, states) or time.monotonic() >= deadline:
                return status.found
            on_state(status)
            await asyncio.sleep(_POLL_S)

    async def receipt(self, number: int | None = None) -> tuple[Receipt, bytes]:
        """The receipt of this number, or the newest. See `Principal.receipt`."""
        return await self._do(lambda: self._principal.receipt(number))

    async def receipts(self) -> list[tuple[Receipt, bytes]]:
        """All receipts that the isolate keeps, in their order. See `Principal.receipts`."""
        return await self._do(self._principal.receipts)

    async def consent(self, signature: bytes) -> None:
        """Hand in a signed consent to the policy. See `Principal.consent`."""
        await self._do(lambda: self._principal.consent(signature))

    async def revoke_consent(self) -> None:
        """Take one's own consent back, while there was no run."""
        await self._do(self._principal.revoke_consent)

    async def policy_digest(self) -> Digest:
        """The digest of the policy the isolate holds."""
        return await self._do(self._principal.policy_digest)

    async def program_digest(self) -> Digest | None:
        """The digest of the program the isolate holds; None before there is one."""
        return await self._do(self._principal.program_digest)

    async def failure_report(self) -> FailureReport | None:
        """How the computation failed, for the program's provider; None while it has not."""
        return await self._do(self._principal.failure_report)

    def __repr__(self) -> str:
        return repr(self._principal).replace("Principal", "AsyncPrincipal", 1)

    async def _do(self, act: Callable[[], _T]) -> _T:
        async with self._turn:
            return await self._worker.run(act)


def _in_loop(notify: Callable[[_T], object]) -> Callable[[_T], object]:
    """What calls `notify` in the running loop, from whatever thread."""
    _refuse_coroutine(notify)
    loop = asyncio.get_running_loop()
    return lambda news: loop.call_soon_threadsafe(notify, news)


def _progress_in_loop(on_progress: Progress | None) -> Progress | None:
    return None if on_progress is None else _in_loop(on_progress)


def _refuse_coroutine(called: object) -> None:
    """Refuse what would be called and not awaited, and so would do nothing."""
    if inspect.iscoroutinefunction(called):
        raise TypeError(f"{called!r} is a coroutine function, a plain one is called here")
