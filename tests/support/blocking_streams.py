"""Streams of a `GrpcService` for methods that are written with plain iterators."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Final

from veracruz_shells.call_handlers import Stream, StreamMethod

_THREADS: Final = ThreadPoolExecutor(64, thread_name_prefix="blocking stream")


def blocking(method: Callable[[Iterator[bytes]], Iterator[bytes]]) -> StreamMethod:
    """`method` takes the client's messages and yields answers, in a thread of its own."""

    async def serve(stream: Stream) -> None:
        loop = asyncio.get_running_loop()

        def chunks() -> Iterator[bytes]:
            while (chunk := wait_for(stream.read())) is not None:
                yield chunk

        def wait_for(step):
            future = asyncio.run_coroutine_threadsafe(step, loop)
            steps.add(future)
            future.add_done_callback(steps.discard)
            return future.result()

        def work() -> None:
            try:
                for answer in method(chunks()):
                    wait_for(stream.write(answer))
            except CancelledError:
                pass  # the client went away

        steps = set()
        try:
            await loop.run_in_executor(_THREADS, work)
        finally:
            for step in list(steps):
                step.cancel()

    return serve
