"""Idle sessions for `idle_sessions.py`, each over a connection of its own, as a principal has it.

Called with the bridge's address, how many, and the digests of the policies that they are for in
turn. Says a line when all are open, and ends with standard input.
"""

import asyncio
import sys
from typing import Any, Final

from colima.sinaloa import POLICY_KEY, SERVICE

# isort: split
import grpc

_AT_ONCE: Final = 50
_HELLO: Final = bytes(100)


async def _session(address: str, digest: str) -> Any:  # noqa: ANN401 - gRPC's own, untyped
    channel = grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    call = channel.stream_stream(f"/{SERVICE}/Session")(metadata=((POLICY_KEY, digest),))
    await call.write(_HELLO)
    if await call.read() != _HELLO:
        raise RuntimeError(f"a session of policy {digest} was not answered")
    return channel, call


async def _main(address: str, count: int, digests: list[str]) -> None:
    kept = []
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        kept += await asyncio.gather(
            *(_session(address, digests[number % len(digests)]) for number in numbers)
        )
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for channel, call in kept:
        call.cancel()
        await channel.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
