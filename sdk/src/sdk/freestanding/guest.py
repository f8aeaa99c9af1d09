"""The guest's process: it compiles and runs the program, and tells more than an isolate's would."""

import socket
import time
from pathlib import Path
from typing import NoReturn

from colima import frame
from execution_engine.code_cache import CodeCache
from execution_engine.errors import (
    EngineError,
    LimitCode,
    LimitError,
    ModuleRefusedError,
    TrapError,
)
from execution_engine.limits import EngineLimits
from execution_engine.observed_program import ObservedProgram
from execution_engine.run import Overdue, RunInputs
from execution_engine.trace import traced
from execution_engine.wasm.examination import check_module
from mexico_city.guest import say_and_wait, write_all
from mexico_city.sandbox.limits import allow_run_memory
from platform_services import LinuxRandomSource
from platform_services.seeded import SeededRandomSource
from sdk.freestanding import messages
from sdk.freestanding.demangling import demangled
from sdk.freestanding.profiler import ProfiledProgram
from sdk.freestanding.report import RunEnding
from tlaxcala.advice import advice
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Limits, Strategy


@frozen
class GuestOptions:
    """How the guest's process works.

    Attributes:
        strategy: how the program runs.
        limits: what it may use of the engine; without `run_seconds` the parent ends it.
        allowance: what compiling and running may take of this process.
        canonical_nans: every NaN has the same bits everywhere.
        trace: tell of every host call.
        profile: tell where each run spent its time; needs `run_seconds`.
        cache: a folder for compiled code.
        run_seconds: wall-clock time of a run, after which the parent ends this process; what the
            program said until then is told before.
    """

    strategy: Strategy
    limits: EngineLimits
    allowance: Limits
    canonical_nans: bool = False
    trace: bool = False
    profile: bool = False
    cache: Path | None = None
    run_seconds: float | None = None


class FreestandingGuest:
    """The one program of this process, and its runs; see `mexico_city.guest.Guest`.

    Args:
        channel: takes what is reported of a run before it has ended.
        options: how this process works.
    """

    def __init__(self, channel: socket.socket, options: GuestOptions) -> None:
        self._channel = channel
        self._options = options
        self._program: ObservedProgram | None = None

    def load(self, module: memoryview, code: memoryview, code_file: int) -> messages.Message:
        """Check and compile `module`; compiled code lies in a folder, if anywhere."""
        del code, code_file
        try:
            loaded = self._load(bytes(module))
        except ModuleRefusedError as error:
            told = f"{error}: {advice(error.code, error.detail)}"
            return messages.Stopped(RunEnding.REFUSED.name, error.code, told)
        except LimitError as error:
            return _limit_reached(error)
        except MemoryError:
            most = self._options.allowance.compile_memory_bytes
            return _limit_reached(
                LimitError(LimitCode.COMPILE_MEMORY, f"the limit is {most} bytes")
            )
        except EngineError as error:  # such as a cache that others could write
            return messages.Stopped(RunEnding.FAILED.name, "engine", str(error))
        allow_run_memory()
        return loaded

    def run(self, inputs: RunInputs, output_file: int, seed: bytes) -> messages.Message:
        """Run the program once; report on the channel how that ended, if that is asked for."""
        ending = self._run(inputs, output_file, seed)
        if isinstance(self._program, ProfiledProgram) and self._program.profile is not None:
            self._tell(self._program.profile)
        return ending

    def _overdue(self) -> Overdue | None:
        seconds = self._options.run_seconds
        if seconds is None or self._options.profile:  # a profiled program ends by itself
            return None

        def tell(said: str) -> NoReturn:
            error = LimitError(LimitCode.TIME, f"the limit is {seconds:g} s")
            error.message = said
            say_and_wait(self._channel, messages.encode(_limit_reached(error)))

        return Overdue(seconds, tell)

    def _tell(self, message: messages.Message) -> None:
        self._channel.sendall(frame(messages.encode(message)))

    def _load(self, code: bytes) -> messages.ModuleLoaded:
        options = self._options
        cache = CodeCache.in_directory(options.cache) if options.cache else None
        kind = ProfiledProgram if options.profile else ObservedProgram
        started = time.perf_counter()
        check_module(code, limits=options.limits)
        checked = time.perf_counter()
        self._program = kind.load(
            code,
            strategy=options.strategy,
            limits=options.limits,
            canonical_nans=options.canonical_nans,
            cache=cache,
        )
        compile_s = time.perf_counter() - checked
        return messages.ModuleLoaded(
            checked - started, compile_s, from_cache=not self._program.compiled
        )

    def _run(self, inputs: RunInputs, output_file: int, seed: bytes) -> messages.Message:
        assert self._program is not None
        try:
            outcome = self._program.run(
                inputs,
                random=SeededRandomSource(seed) if seed else LinuxRandomSource(),
                output_sink=lambda data: write_all(output_file, data),
                wrap_call=traced(self._tell, inputs) if self._options.trace else None,
                overdue=self._overdue(),
            )
        except TrapError as error:
            return messages.Stopped(
                RunEnding.TRAPPED.name, error.code, str(error), _frames(error), error.message
            )
        except LimitError as error:
            return _limit_reached(error)
        return messages.Returned(
            return_code=outcome.return_code,
            output_size=outcome.output_size,
            fuel=outcome.fuel,
            seconds=outcome.seconds,
            host_calls=outcome.host_calls,
            memory_peak=outcome.memory_peak,
            said=outcome.message,
        )


def _limit_reached(error: LimitError) -> messages.Stopped:
    return messages.Stopped(
        RunEnding.LIMIT_REACHED.name, error.code, str(error), said=error.message
    )


def _frames(error: TrapError) -> list[str]:
    lines = [error.debug] if error.debug else []
    for each in error.frames:
        name = "" if each.name is None else f" {demangled(each.name)}"
        offset = "" if each.offset is None else f", byte {each.offset:#x} of the module"
        lines.append(f"in function {each.function}{name}{offset}")
    return lines
