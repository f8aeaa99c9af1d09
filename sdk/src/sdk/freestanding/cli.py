"""The `freestanding-execution-engine` command."""

from pathlib import Path
from typing import Any, Final

import click

from sdk.commands import encoding
from sdk.errors import UsageError
from sdk.freestanding.config import Config
from sdk.freestanding.of_2021 import command_of_today
from veracruz_shells.console import CommandGroup, command_group, json_option

_STRATEGIES: Final = ("jit", "interpretation")
_MOST_FUEL: Final = 2**63 - 1
_SOURCE: Final = "[CLIENT[:PACKAGE]=]FILE"
_FILE: Final = click.Path(dir_okay=False, path_type=Path)

_GROUP_EPILOG: Final = """\b
A program, from its data to its result:
  veracruz-sdk copy-example linear-regression
  echo '[[0, 1], [2, 2], [4, 3]]' |
    freestanding-execution-engine encode --type 'Vec<(f64, f64)>' - points.dat
  freestanding-execution-engine run linear-regression.wasm --data points.dat --output line.dat
  freestanding-execution-engine decode --type '{gradient: f64, intercept: f64}' line.dat

`freestanding-execution-engine run --help` has the rest.
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
  8  the module is refused: it is not a program that isolates run
  9  the program's process died, most likely because memory ran out
"""


class _Engine(CommandGroup):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; one of 2021 is told in today's words."""
        if (command := command_of_today(args)) is not None:
            raise UsageError(f"this is the command line of 2021, which is now: {command}")
        return super().parse_args(ctx, args)


@command_group(
    "freestanding-execution-engine",
    distribution="veracruz-sdk",
    help="Run programs for Veracruz on files, offline, with the engine of the isolates.",
    cls=_Engine,
)
def main() -> None:
    """The command; its help is above."""


main.epilog = _GROUP_EPILOG
main.add_command(encoding.encode)
main.add_command(encoding.decode)


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
@click.option("--data", metavar=_SOURCE, multiple=True,
              help="An input file; repeat the option for each, in the order of the program or the "
              "policy. CLIENT=FILE is that client's next package, CLIENT:PACKAGE=FILE the package "
              "of that number; they are sorted as an isolate sorts them.")  # fmt: skip
@click.option("--stream", metavar=_SOURCE, multiple=True,
              help="A stream input file, as --data; the first round's come first.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 10_000), default=1, show_default=True,
              help="Number of rounds. Each gets an equal share of the streams, and the result of "
              "the round before.")  # fmt: skip
@click.option(
    "--previous", type=_FILE, help="File with the result that the first round goes on from."
)
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES),
    help="How the program is executed.  [default: jit]",
)
@click.option("--policy", type=_FILE,
              help="Policy file: it sets the strategy, the limits, the order of inputs and the "
              "program.")  # fmt: skip
@click.option("--as", "as_client", metavar="CLIENT",
              help="Client who asks for the result: an id or a certificate file.  "
              "[default: the policy's first reader]")  # fmt: skip
@click.option("--output", type=_FILE,
              help="File for the last result.  [default: standard output]  With {round} in the "
              "name, one file for each round.")  # fmt: skip
@encoding.force_option
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True),
              help="Time limit of a round, in seconds.  [default: 300]")  # fmt: skip
@click.option("--compile-seconds", type=click.IntRange(1, 3600),
              help="Time limit of checking and compiling, in seconds.  [default: 60]")  # fmt: skip
@click.option("--memory-mib", type=click.IntRange(1, 4096),
              help="Memory limit of the program, in MiB.  [default: 1024]")  # fmt: skip
@click.option("--fuel", type=click.IntRange(1, _MOST_FUEL),
              help="Limit of instructions in a round.")  # fmt: skip
@click.option("--count-fuel", is_flag=True, default=None,
              help="Count instructions without a limit.")  # fmt: skip
@click.option("--canonical-nans", is_flag=True, default=None,
              help="Give every NaN the same bits, as under a policy that says `deterministic`: "
              "floating-point code takes longer.")  # fmt: skip
@click.option("--trace", is_flag=True,
              help="Print every host call to standard error: its arguments, its answer, and the "
              "count, the size or the bytes that it gave.")  # fmt: skip
@click.option("--profile", is_flag=True,
              help="Print a table of the functions that take the most time.")  # fmt: skip
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for compiled code; nobody else may be able to write to it.")  # fmt: skip
@click.option("--config", type=_FILE, is_eager=True, callback=_take_config,
              help="TOML file with the options above, such as `seconds = 10`; the command line "
              "goes first. The three keys of 2021 are understood.")  # fmt: skip
@json_option
def run(**options: Any) -> None:  # noqa: ANN401 - what `command.run` takes
    """Run PROGRAM, a WebAssembly module, on files, as an isolate would.

    The engine, the limits and the rules are those of an isolate, but nothing is isolated: do not
    use it on confidential data. The result goes to --output or to standard output, the report to
    standard error. With --json the report goes to standard output, and the result only to --output.
    If the program fails, what it had written is discarded.
    """
    # Imported late: who encodes a file or wants help shall not wait for the whole runtime.
    from sdk.freestanding import command  # noqa: PLC0415

    command.run(**options)
