"""Serving the policies of a folder: what is put there is served, what is taken away ends."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Self

from sinaloa.computation import ServedPolicy
from sinaloa.computations import Computations
from sinaloa.isolate import IsolateLink
from sinaloa.policy_folder import PolicyFolder
from sinaloa.session import SessionEnd
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.event_loop import event_loop
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

LOOK_S: Final = 2.0
"""Between two looks at the folder."""


class FolderService:
    """Keeps `computations` as the folder is, for as long as the `with` block lasts.

    At its end the isolates go on: Sonora holds them for the next bridge.
    """

    def __init__(
        self,
        folder: PolicyFolder,
        computations: Computations,
        *,
        launch: Callable[[Policy], IsolateLink],
        places: Callable[[Policy], int],
        ahead: bool,
        tell: Callable[[str], None],
    ) -> None:
        """Nothing is served yet.

        Args:
            folder: where the policies are.
            computations: what is served.
            launch: gives the isolate of a policy.
            places: how many sessions a policy may have.
            ahead: whether to launch before anybody asks.
            tell: takes a line for the delegate.
        """
        self._folder = folder
        self._computations = computations
        self._launch = launch
        self._places = places
        self._ahead = ahead
        self._tell = tell
        self._wanted = threading.Event()
        self._over = False
        self._looking = threading.Thread(target=self._keep_looking, name="folder", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._wanted.set()
        self._looking.join()
        for computation in self._computations.all():
            _do(computation.close(end=False))

    def look_now(self) -> None:
        """Look at the folder at once, and end nothing by it but what was taken away."""
        self._wanted.set()

    def _keep_looking(self) -> None:
        """The thread's work."""
        while True:
            self._wanted.wait(LOOK_S)
            self._wanted.clear()
            if self._over:
                return
            self._look()

    def _look(self) -> None:
        changes = self._folder.look()
        for line in changes.complaints:
            self._tell(f"sinaloa: not served: {line}")
        for digest in changes.removed:
            self._remove(digest)
        for path, policy in changes.added.items():
            try:
                self._add(policy)
            except VeracruzError as error:
                self._folder.refuse(policy.digest)
                self._tell(f"sinaloa: not served: {path}: {error}")

    def _add(self, policy: Policy) -> None:
        computation = ServedPolicy(
            policy.digest, partial(self._launch, policy), max_sessions=self._places(policy)
        )
        _do(self._serve(computation))
        self._tell(f"sinaloa: serves policy {policy.digest}")
        if self._ahead:
            asyncio.run_coroutine_threadsafe(self._start(computation), event_loop())

    async def _serve(self, computation: ServedPolicy) -> None:
        self._computations.add(computation)

    async def _start(self, computation: ServedPolicy) -> None:
        try:
            await computation.isolate()
        except VeracruzError as error:
            self._tell(f"sinaloa: policy {computation.policy} is tried again when used: {error}")

    def _remove(self, digest: Digest) -> None:
        _do(self._end(digest))
        self._tell(f"sinaloa: serves policy {digest} no more: no file has it")

    async def _end(self, digest: Digest) -> None:
        computation = self._computations.remove(digest)
        if computation is None:
            return
        computation.cut(
            CallError(CallStatus.FAILED_PRECONDITION, "the delegate serves your policy no more"),
            SessionEnd.NOT_SERVED,
        )
        await computation.close(end=True)


def _do(work: Coroutine[Any, Any, None]) -> None:
    """Have the event loop do this, and wait for it."""
    asyncio.run_coroutine_threadsafe(work, event_loop()).result()
