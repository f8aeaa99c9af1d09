"""What the host knows of one run, whichever way its guest calls it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from execution_engine.errors import LimitCode, LimitError
from execution_engine.limits import EngineLimits
from execution_engine.run import Buffer, CallWrapper, HostFunction, RunInputs
from platform_services import PlatformError, RandomSource

OutputSink = Callable[[memoryview], None]

_MAX_U32: Final = 0xFFFFFFFF


class Host:
    """The state of one run that its guest reads and writes through host calls.

    A kind of guest is a subclass, which has a method for each host call, of its name.

    Attributes:
        failures: what a host call raised; the guest has trapped there.
        output: the result, once written and when no sink took it.
        output_size: its size in bytes; None until there is one.
    """

    def __init__(
        self,
        inputs: RunInputs,
        *,
        limits: EngineLimits,
        random: RandomSource,
        sink: OutputSink | None = None,
        wrap_call: CallWrapper | None = None,
    ) -> None:
        with ExitStack() as held:
            self._inputs = [_hold(one, held) for one in inputs.inputs]
            self._streams = [_hold(one, held) for one in inputs.streams]
            previous = inputs.previous_result
            self._previous = None if previous is None else _hold(previous, held)
            self._views = held.pop_all()
        self._copied = inputs.copied
        self._limits = limits
        self._random = random
        self._random_left = limits.random_bytes
        self._sink = sink
        self._wrap_call = wrap_call
        self._asking = threading.Lock()
        self._ended = False
        self.failures: list[BaseException] = []
        self.output: bytes | None = None
        self.output_size: int | None = None

    def call(self, name: str) -> HostFunction:
        """The host call of this name (without prefix)."""
        call: HostFunction = getattr(self, name)
        return call if self._wrap_call is None else self._wrap_call(name, call)

    def said(self) -> str:
        """What the program said to its author, asked when it has ended, in its own thread."""
        raise NotImplementedError

    def said_so_far(self) -> str:
        """What it said until now, asked by another thread while it runs."""
        with self._asking:
            return "" if self._ended else self._said_meanwhile()

    def end(self) -> None:
        """What the program knows is about to go: another thread must not look any more."""
        with self._asking:
            self._ended = True

    def _said_meanwhile(self) -> str:
        return self.said()

    def close(self) -> None:
        """Let go of inputs and result, so that who owns them can free them."""
        self._views.close()
        self.output = None

    def _check_output(self, size: int) -> None:
        if size > self._limits.output_bytes:
            raise LimitError(
                LimitCode.OUTPUT_SIZE, f"the limit is {self._limits.output_bytes} bytes"
            )

    def _register(self, result: memoryview) -> None:
        if self._sink is None:
            self.output = bytes(result)
        else:
            with result.toreadonly() as view:
                self._sink(view)
        self.output_size = len(result)

    def _take_random(self, size: int) -> None:
        if size > self._random_left:
            raise LimitError(
                LimitCode.RANDOM_BYTES, f"the limit is {self._limits.random_bytes} bytes"
            )
        self._random_left -= size

    def _draw_random(self, size: int) -> bytes:
        drawn = self._random.fill(size)
        if len(drawn) != size:  # fewer would leave the guest with bytes that are not random
            raise PlatformError(f"asked for {size} random bytes, got {len(drawn)}")
        return drawn


def _hold(buffer: Buffer, held: ExitStack) -> memoryview:
    view = held.enter_context(memoryview(buffer).cast("B"))
    if len(view) > _MAX_U32:
        raise LimitError(
            LimitCode.INPUT_SIZE, f"an input of {len(view)} bytes, the limit is {_MAX_U32}"
        )
    return view
