"""The `freestanding-execution-engine` command."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from execution_engine import HOST_CALLS, HostCallEvent, Status
from sdk import encoding_cli
from sdk.errors import UsageError
from sdk.freestanding import (
    Ending,
    Options,
    Report,
    Source,
    Terms,
    run_freestanding,
    terms_of_policy,
    terms_without_policy,
)
from sdk.freestanding.config import Config
from sdk.freestanding.terms import reader_named
from veracruz_utils.console import (
    command_group,
    emit,
    json_option,
    note,
    read_file,
    write_new_file,
)
from veracruz_utils.digest import Digest
from veracruz_utils.policy import MAX_POLICY_BYTES, Limits, Policy, Strategy

_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_MAX_PROGRAM_BYTES: Final = 256 * _MIB  # what a policy can allow
_MOST_FUEL: Final = 2**63 - 1
_STRATEGIES: Final = {"jit": Strategy.JIT, "interpretation": Strategy.INTERPRETATION}
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_PARAMETERS: Final = {call.name: call.params for call in HOST_CALLS}
_ROUND: Final = "{round}"
_OF_THE_POLICY: Final = (
    "strategy", "seconds", "compile_seconds", "memory_mib", "fuel", "count_fuel",
)  # fmt: skip

_GROUP_EPILOG: Final = """\b
A program, from its data to its result:
  veracruz-sdk copy-example linear-regression
  echo '[[0, 1], [2, 2], [4, 3]]' |
    freestanding-execution-engine encode --type 'Vec<(f64, f64)>' - points.dat
  freestanding-execution-engine run linear-regression.wasm --data points.dat --output line.dat
  freestanding-execution-engine decode --type '{gradient: f64, intercept: f64}' line.dat

`freestanding-execution-engine run --help` tells the rest.
"""

_RUN_EPILOG: Final = """\b
Examples:
  Two inputs, in the order in which the program counts them:
    run program.wasm --data a.dat --data b.dat --output result.dat
  Under a policy, as the client who reads the result; client 1 provides two packages:
    run program.wasm --policy policy.json --as 2 \\
      --data 0=a.dat --data 1:0=b.dat --data 1:1=c.dat --output result.dat
  Three rounds of two streams each, the result of every round in a file of its own:
    run program.wasm --data start.dat --rounds 3 --output 'sum-{round}.dat' \\
      --stream a1 --stream b1 --stream a2 --stream b2 --stream a3 --stream b3
  What does it ask of its host, and where does the time go?
    run program.wasm --data a.dat --trace --profile --output result.dat
  The same from a file of options, run.toml:
    program = "program.wasm"
    data = ["a.dat", "b.dat"]
    strategy = "interpretation"
    output = "result.dat"

\b
Exit status:
  0  the program returned 0 in every round
  1  a file cannot be read or written, or the host failed
  2  wrong usage: of an option, of the configuration, too few or too many inputs
  3  the policy does not allow it: another program, a wrong role, too much data
  5  the program returned another code than 0
  6  the program trapped
  7  the program reached a limit
  8  the module is refused: it is not a program we run
  9  the program's process was lost, most likely for want of memory
"""


@command_group(
    "freestanding-execution-engine",
    distribution="veracruz-sdk",
    help="Run programs for Veracruz on files, offline, with the engine of the isolates.",
)
def main() -> None:
    """The command; its help is above."""


main.epilog = _GROUP_EPILOG
main.add_command(encoding_cli.encode)
main.add_command(encoding_cli.decode)


class _SourceParameter(click.ParamType[Source]):
    name = "[client[:package]=]file"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Source:
        """The source, or a usage error."""
        try:
            return value if isinstance(value, Source) else Source.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def _take_config(context: click.Context, _: click.Parameter, path: Path | None) -> Config | None:
    """Let the configuration give what the command line does not."""
    if path is None:
        return None
    config = Config.read(path)
    names = {"as": "as_client", "json": "as_json"}
    context.default_map = {
        names.get(key, key.replace("-", "_")): value for key, value in config.options.items()
    }
    return config


@main.command("run", epilog=_RUN_EPILOG)
@click.argument("program", type=_FILE)
@click.option("--data", type=_SourceParameter(), multiple=True,
              help="An input; repeat it for each, in the order of the program or of the policy. "
              "With CLIENT= in front it is that client's next package, with CLIENT:PACKAGE= that "
              "one; then they are sorted as an isolate sorts them.")  # fmt: skip
@click.option("--stream", type=_SourceParameter(), multiple=True,
              help="A stream input, likewise; those of the first round come first.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 10_000), default=1, show_default=True,
              help="How many rounds; each gets as many of the streams, and the result of the "
              "round before.")  # fmt: skip
@click.option("--previous", type=_FILE, help="A result to go on from in the first round.")
@click.option(
    "--strategy", type=click.Choice(list(_STRATEGIES)), help="How it runs.  [default: jit]"
)
@click.option("--policy", type=_FILE,
              help="A policy: it says strategy, limits, orders and the program.")  # fmt: skip
@click.option("--as", "as_client", metavar="CLIENT",
              help="Who asks for the result, by client id or certificate file.  "
              "[default: the policy's first reader]")  # fmt: skip
@click.option("--output", type=_FILE,
              help="Where the last result goes; without it, standard output. With {round} in its "
              "name, one file for each round.")  # fmt: skip
@encoding_cli.force_option
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True),
              help="How long a round may run.  [default: 300]")  # fmt: skip
@click.option("--compile-seconds", type=click.IntRange(1, 3600),
              help="How long checking and compiling may take.  [default: 60]")  # fmt: skip
@click.option("--memory-mib", type=click.IntRange(1, 4096),
              help="How much memory the program may use.  [default: 1024]")  # fmt: skip
@click.option("--fuel", type=click.IntRange(1, _MOST_FUEL),
              help="How many instructions a round may run.")  # fmt: skip
@click.option("--count-fuel", is_flag=True, default=None,
              help="Count instructions without a limit.")  # fmt: skip
@click.option("--trace", is_flag=True, help="Print every host call to standard error.")
@click.option("--profile", is_flag=True,
              help="A table of the functions that take the time.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
              help="A folder of yours alone that keeps compiled code.")  # fmt: skip
@click.option("--config", type=_FILE, is_eager=True, callback=_take_config,
              help="A TOML file with the options above, as `seconds = 10`; the command line goes "
              "first. The keys of 2021 are understood.")  # fmt: skip
@json_option
def run(
    *,
    program: Path,
    data: tuple[Source, ...],
    stream: tuple[Source, ...],
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
    """Run PROGRAM, a WebAssembly module, on files, as an isolate would.

    The engine, the limits and the rules are those of an isolate, the walls are not: give it no data
    that need them. The result goes to the output file or, as it is, to standard output; the report
    to standard error. With --json the report is what goes to standard output, and the result only
    to --output. What a program wrote before it failed is not handed over.
    """
    if len(stream) % rounds:
        raise UsageError(f"{len(stream)} streams do not divide into {rounds} rounds")
    if config and config.data_source_count not in (None, len(data)):
        raise UsageError(
            f"data-source-count is {config.data_source_count}, {len(data)} inputs are given"
        )
    each = len(stream) // rounds
    code = read_file(program, limit=_MAX_PROGRAM_BYTES, what="program")
    report = run_freestanding(
        code,
        _terms(code, policy, as_client, terms, inputs=len(data), streams=each),
        data=data,
        streams=[stream[each * place : each * (place + 1)] for place in range(rounds)],
        options=Options(
            previous=Source(previous) if previous else None,
            profile=profile,
            cache=cache,
            on_call=_print_call if trace else None,
        ),
    )
    if as_json:
        emit(report.as_json(), "", as_json=True)
    else:
        note("\n".join(report.lines(times=config is None or config.times)))
    _hand_over(report, output, force=force, on_stdout=not as_json)
    if report.ending.exit_code:
        raise click.exceptions.Exit(report.ending.exit_code)


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
            raise UsageError("--as names a client of a policy, and there is no --policy")
        return _own_terms(code, inputs=inputs, streams=streams, **options)
    for name in _OF_THE_POLICY:
        if options[name] is not None:
            raise UsageError(f"--{name.replace('_', '-')} is the policy's to say")
    parsed = Policy.parse(
        read_file(policy, limit=MAX_POLICY_BYTES, what="policy"), at=datetime.now(UTC)
    )
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
        limits=limits,
        run_seconds=seconds or 300,
    )


def _print_call(event: HostCallEvent) -> None:
    names = _PARAMETERS[event.name]
    arguments = ", ".join(
        f"{name}={value}" for name, value in zip(names, event.arguments, strict=True)
    )
    answer = "ends the program" if event.status is None else _status_text(event.status)
    note(f"{event.name}({arguments}) -> {answer}")


def _status_text(status: int) -> str:
    return f"{status} ({Status(status).name.lower().replace('_', '-')})"


def _hand_over(report: Report, output: Path | None, *, force: bool, on_stdout: bool) -> None:
    if output and _ROUND in output.name:
        for each in report.rounds:
            if each.ending is Ending.SUCCEEDED and each.result is not None:
                path = output.with_name(output.name.replace(_ROUND, str(each.number)))
                write_new_file(path, each.result, mode=0o600, force=force)
        return
    result = report.last.result
    if result is None or report.ending is not Ending.SUCCEEDED:  # an isolate would not give it
        return
    if output:
        write_new_file(output, result, mode=0o600, force=force)
    elif on_stdout and sys.stdout.isatty():
        note("the result is bytes, not for a terminal: give --output FILE, or redirect it")
    elif on_stdout:
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
