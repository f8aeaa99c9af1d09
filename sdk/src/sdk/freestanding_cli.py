"""The `freestanding-execution-engine` command."""

import sys
from pathlib import Path
from typing import Final

import click

from execution_engine import EngineLimits, RunInputs
from sdk.freestanding import Ending, Report, run_freestanding
from veracruz_utils.console import (
    command_group,
    emit,
    json_option,
    note,
    read_file,
    write_new_file,
)
from veracruz_utils.policy import Strategy

_MIB: Final = 1024 * 1024
_MAX_INPUT_BYTES: Final = 4096 * _MIB - 1  # what a 32-bit size can say
_STRATEGIES: Final = {"jit": Strategy.JIT, "interpretation": Strategy.INTERPRETATION}
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@command_group(
    "freestanding-execution-engine",
    distribution="veracruz-sdk",
    help="Run programs for Veracruz on files, offline, with the engine of the isolates.",
)
def main() -> None:
    """The command; its help is above."""


@main.command("run")
@click.argument("program", type=_FILE)
@click.option("--data", type=_FILE, multiple=True, help="An input; repeat it for each, in order.")
@click.option("--stream", type=_FILE, multiple=True, help="A stream input of this round; likewise.")
@click.option("--previous", type=_FILE, help="The result of the round before.")
@click.option("--strategy", type=click.Choice(list(_STRATEGIES)), default="jit", show_default=True)
@click.option("--output", type=_FILE, help="Where the result goes; without it, standard output.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=300.0,
              show_default=True, help="How long the program may run.")  # fmt: skip
@click.option("--memory-mib", type=click.IntRange(1, 4096), default=1024, show_default=True,
              help="How much memory it may use.")  # fmt: skip
@click.option("--fuel", type=click.IntRange(min=1), help="How many instructions it may run.")
@json_option
def run(
    *,
    program: Path,
    data: tuple[Path, ...],
    stream: tuple[Path, ...],
    previous: Path | None,
    strategy: str,
    output: Path | None,
    force: bool,
    seconds: float,
    memory_mib: int,
    fuel: int | None,
    as_json: bool,
) -> None:
    """Run one round of PROGRAM, a WebAssembly module, on files.

    The result goes to the output file or, as it is, to standard output; the report to standard
    error. With --json the report is what goes to standard output, and the result only to --output.

    Exits with 0 when the program returned 0; otherwise with 5 when it returned another code, 6 when
    it trapped, 7 when it reached a limit, 8 when it is not a program we run; and with 1 when a file
    cannot be read or written, 2 for wrong usage.
    """
    limits = EngineLimits(memory_bytes=memory_mib * _MIB, run_seconds=seconds, fuel=fuel)
    code = read_file(program, limit=limits.module_bytes, what="program")
    inputs = RunInputs(
        inputs=[_read(path, "input") for path in data],
        streams=[_read(path, "stream") for path in stream],
        previous_result=_read(previous, "previous result") if previous else None,
    )
    report = run_freestanding(code, inputs, strategy=_STRATEGIES[strategy], limits=limits)
    if as_json:
        emit(report.as_json(), "", as_json=True)
    else:
        note("\n".join(report.lines()))
    _hand_over(report, output, force=force, on_stdout=not as_json)
    if report.ending.exit_code:
        raise click.exceptions.Exit(report.ending.exit_code)


def _read(path: Path, what: str) -> bytes:
    return read_file(path, limit=_MAX_INPUT_BYTES, what=what)


def _hand_over(report: Report, output: Path | None, *, force: bool, on_stdout: bool) -> None:
    result = report.outcome.output if report.outcome else None
    if result is None or report.ending is not Ending.SUCCEEDED:  # an isolate would not give it
        return
    if output:
        write_new_file(output, result, mode=0o600, force=force)
    elif on_stdout and sys.stdout.isatty():
        note("the result is bytes, not for a terminal: give --output FILE, or redirect it")
    elif on_stdout:
        sys.stdout.buffer.write(result)
        sys.stdout.buffer.flush()
