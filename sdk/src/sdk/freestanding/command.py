"""What the command `run` does with its options."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from execution_engine import world
from execution_engine.abi import HOST_CALLS, HostStatus
from execution_engine.static_limits import is_component
from execution_engine.trace import HostCallEvent
from sdk.errors import UsageError
from sdk.freestanding.bench import Options, run_freestanding
from sdk.freestanding.config import Config
from sdk.freestanding.report import RunEnding, RunReport
from sdk.freestanding.sources import Source
from sdk.freestanding.terms import Terms, reader_named, terms_of_policy, terms_without_policy
from veracruz_shells.console import emit, note, read_file, write_new_file
from veracruz_shells.files import NewFile, refuse_existing, to_standard_output, write_new_files
from veracruz_shells.policy_files import read_policy
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Limits, Strategy

_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_MAX_PROGRAM_BYTES: Final = 256 * _MIB  # what a policy can allow
_MOST_FUEL: Final = 2**63 - 1
_STRATEGIES: Final = {"jit": Strategy.JIT, "interpretation": Strategy.INTERPRETATION}
_PARAMETERS: Final = {call.name: call.params for call in HOST_CALLS}
_OF_COMPONENTS: Final = {
    one.call: tuple(name for name, _ in one.params) for one in world.FUNCTIONS.values()
}
_VERBS: Final = {"read": "copied", "write": "took", "message": "took", "getrandom": "filled"}
_ROUND: Final = "{round}"
_OF_THE_POLICY: Final = (
    "strategy", "seconds", "compile_seconds", "memory_mib", "fuel", "count_fuel",
    "canonical_nans",
)  # fmt: skip


def run(
    *,
    program: Path,
    data: tuple[str, ...],
    stream: tuple[str, ...],
    rounds: int,
    previous: Path | None,
    policy: Path | None,
    as_client: str | None,
    output: Path | None,
    force: bool,
    trace: bool,
    profile: bool,
    cache: Path | None,
    config: Config | None,
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - those of `_own_terms`
) -> None:
    """Run a program, report, hand over the result, and leave with the exit code of its ending."""
    _require_count(config, len(data))
    inputs = [Source.parse(text) for text in data]
    streams = _in_rounds([Source.parse(text) for text in stream], rounds)
    code = read_file(program, limit=_MAX_PROGRAM_BYTES, what="program")
    _require_room(output, rounds, force=force)
    report = run_freestanding(
        code,
        _terms(code, policy, as_client, terms, inputs=len(inputs), streams=len(streams[0])),
        data=inputs,
        streams=streams,
        options=Options(
            previous=Source(previous) if previous else None,
            profile=profile,
            cache=cache,
            on_call=partial(_print_call, is_component(code)) if trace else None,
        ),
    )
    if as_json:
        emit(report.as_json(), "", as_json=True)
    else:
        note("\n".join(report.lines(times=config is None or config.times)))
    _hand_over(report, output, force=force, on_stdout=not as_json)
    if report.ending.exit_code:
        raise click.exceptions.Exit(report.ending.exit_code)


def _require_room(output: Path | None, rounds: int, *, force: bool) -> None:
    """Find out before a long run what would keep its result from being written."""
    if output is None:
        return
    for number in range(1, rounds + 1):
        target = Path(str(output).replace(_ROUND, str(number)))
        if not target.parent.is_dir():
            raise VeracruzError(
                f"{target.parent} is not a folder: create it, or give another --output"
            )
        refuse_existing(target, force=force)


def _require_count(config: Config | None, found: int) -> None:
    if config and config.data_source_count not in (None, found):
        raise UsageError(
            f"data-source-count is {config.data_source_count}, but {found} inputs are given"
        )


def _in_rounds(streams: list[Source], rounds: int) -> list[list[Source]]:
    if len(streams) % rounds:
        raise UsageError(f"{len(streams)} streams cannot be shared equally among {rounds} rounds")
    each = len(streams) // rounds
    return [streams[each * place : each * (place + 1)] for place in range(rounds)]


def _terms(
    code: bytes,
    policy: Path | None,
    as_client: str | None,
    options: Mapping[str, Any],
    *,
    inputs: int,
    streams: int,
) -> Terms:
    if policy is None:
        if as_client is not None:
            raise UsageError("--as names a client of a policy: give --policy too")
        return _own_terms(code, inputs=inputs, streams=streams, **options)
    for name in _OF_THE_POLICY:
        if options[name] is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} cannot be given with --policy, which decides it"
            )
    parsed = read_policy(policy, at=datetime.now(UTC))
    reader = None if as_client is None else reader_named(parsed, as_client)
    return terms_of_policy(parsed, reader=reader)


def _own_terms(
    code: bytes,
    *,
    inputs: int,
    streams: int,
    strategy: str | None,
    seconds: float | None,
    compile_seconds: int | None,
    memory_mib: int | None,
    fuel: int | None,
    count_fuel: bool | None,
    canonical_nans: bool | None,
) -> Terms:
    limits = Limits(
        input_bytes=4 * _GIB - 1,
        total_input_bytes=64 * _GIB,
        memory_bytes=(memory_mib or 1024) * _MIB,
        compile_seconds=compile_seconds or 60,
        fuel=fuel or (_MOST_FUEL if count_fuel else None),
    )
    return terms_without_policy(
        Digest.of(code),
        inputs=inputs,
        streams=streams,
        strategy=_STRATEGIES[strategy or "jit"],
        canonical_nans=bool(canonical_nans),
        limits=limits,
        run_seconds=seconds or 300,
    )


def _print_call(component: bool, event: HostCallEvent) -> None:  # noqa: FBT001 - it is bound
    names = (_OF_COMPONENTS if component else _PARAMETERS)[event.name]
    arguments = ", ".join(
        f"{name}={value}" for name, value in zip(names, event.arguments, strict=True)
    )
    answer = "ends the program" if event.status is None else _status_text(event.status)
    note(f"{event.name}({arguments}) -> {answer}{_given_text(event)}")


def _given_text(event: HostCallEvent) -> str:
    """What a call that succeeded wrote, copied or took."""
    if event.given is None:
        return ""
    verb = _VERBS.get(event.name.partition("_")[0], "wrote")
    return f", {verb} {event.given}" + (" bytes" if verb != "wrote" else "")


def _status_text(status: int) -> str:
    return f"{status} ({HostStatus(status).name.lower().replace('_', '-')})"


def _hand_over(report: RunReport, output: Path | None, *, force: bool, on_stdout: bool) -> None:
    if output and _ROUND in output.name:
        results = [
            NewFile(
                output.with_name(output.name.replace(_ROUND, str(each.number))), each.result, 0o600
            )
            for each in report.rounds
            if each.ending is RunEnding.SUCCEEDED and each.result is not None
        ]
        write_new_files(*results, force=force)
        return
    result = report.last.result
    if result is None or report.ending is not RunEnding.SUCCEEDED:  # an isolate would not give it
        return
    if output:
        write_new_file(output, result, mode=0o600, force=force)
    elif on_stdout and sys.stdout.isatty():
        note("the result is bytes, not for a terminal: give --output FILE, or redirect it")
    elif on_stdout:
        with to_standard_output():
            sys.stdout.buffer.write(result)
