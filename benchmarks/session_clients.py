"""Principals' sessions for `many_sessions.py`, each over a connection of its own.

Called with the bridge's address, the digest of the isolate's certificate, a file of the policy and
a folder with the principals' certificates and keys. Takes one command a line and answers each by a
line of JSON: `open N` opens so many sessions more, by the principals in turn, each of which has had
its state answered once; `ask N SECONDS` has so many of them ask for the state again and again for
so long, and gives the times of the answers in seconds. Ends with standard input.
"""

import asyncio
import itertools
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from baja import EndpointConfig, PlaintextReceived
from baja.client import ClientEndpoint
from colima import FrameDecoder, frame, runtime
from colima.sinaloa import POLICY_KEY, SERVICE
from durango import Identity
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

# isort: split
import grpc

_AT_ONCE: Final = 32


class _Session:
    """A session with the isolate, one request at a time."""

    def __init__(self, call: Any, channel: Any, endpoint: ClientEndpoint) -> None:  # noqa: ANN401 - gRPC's own, untyped
        self._call = call
        self._channel = channel
        self._endpoint = endpoint
        self._frames = FrameDecoder()

    async def shake_hands(self) -> None:
        """Be let in."""
        self._endpoint.start()
        await self._call.write(self._endpoint.data_to_send())
        await self.state()

    async def state(self) -> None:
        """Ask for the state, and wait for it."""
        request = frame(runtime.REQUEST.encode(runtime.GetState()))
        asked = False
        while True:
            if not asked and self._endpoint.phase.name == "OPEN":
                self._endpoint.send(request)
                asked = True
            if data := self._endpoint.data_to_send():
                await self._call.write(data)
            answer = await self._call.read()
            for event in self._endpoint.receive_data(answer):
                if isinstance(event, PlaintextReceived):
                    self._frames.feed(event.data)
            if (payload := self._frames.next_frame()) is not None:
                found = runtime.RESPONSE.decode(payload)
                if not isinstance(found, runtime.StateIs):
                    raise RuntimeError(f"the isolate answers {found}")
                return

    async def close(self) -> None:
        self._call.cancel()
        await self._channel.close()


class _Clients:
    def __init__(self, address: str, certificate: str, policy: str, folder: str) -> None:
        self._address = address
        self._certificate = Digest(bytes.fromhex(certificate))
        self._policy = Policy.parse(Path(policy).read_bytes(), at=datetime.now(UTC))
        parties = [
            Identity.load(each, each.with_suffix(".key"))
            for each in sorted(Path(folder).glob("*.pem"))
        ]
        self._turn = itertools.cycle(parties)
        self._sessions: list[_Session] = []

    async def open(self, count: int) -> dict[str, Any]:
        """So many sessions more."""
        begun = time.perf_counter()
        for first in range(0, count, _AT_ONCE):
            some = [self._session(next(self._turn)) for _ in range(min(_AT_ONCE, count - first))]
            self._sessions += await asyncio.gather(*some)
        return {"open": len(self._sessions), "seconds": time.perf_counter() - begun}

    async def _session(self, party: Identity) -> _Session:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.aio.insecure_channel(self._address, options=options)
        named = ((POLICY_KEY, str(self._policy.digest)),)
        call = channel.stream_stream(f"/{SERVICE}/Session")(metadata=named)
        endpoint = ClientEndpoint(
            EndpointConfig(self._policy.ciphersuite, party.private_key, party.certificate),
            server_certificate_digest=self._certificate,
            server_name="runtime.veracruz",
        )
        session = _Session(call, channel, endpoint)
        await session.shake_hands()
        return session

    async def ask(self, count: int, seconds: float) -> dict[str, Any]:
        """Have so many ask for so long."""
        end = time.perf_counter() + seconds

        async def again(session: _Session) -> list[float]:
            times = []
            while (asked := time.perf_counter()) < end:
                await session.state()
                times.append(time.perf_counter() - asked)
            return times

        found = await asyncio.gather(*(again(each) for each in self._sessions[-count:]))
        return {"times": [each for times in found for each in times]}

    async def close(self) -> None:
        """End all of them."""
        for each in self._sessions:
            await each.close()


async def _main(*arguments: str) -> None:
    clients = _Clients(*arguments)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command, *numbers = line.split()
        answer = await {"open": clients.open, "ask": clients.ask}[command](*map(int, numbers))
        print(json.dumps(answer), flush=True)
    await clients.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
