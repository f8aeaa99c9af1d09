"""`veracruz simulate`: the simulation on the command line."""

import signal
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click

from veracruz.simulation.adversaries import ADVERSARIES
from veracruz.simulation.company import Company
from veracruz.simulation.materials import gather
from veracruz.simulation.stand_in import require_current
from veracruz_shells.console import emit, json_option, note
from veracruz_shells.policy_files import read_policy

_ALL: Final = "all"
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def _read_inputs(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for word in words:
        place, mark, path = word.partition("=")
        if not mark or not place or not path:
            raise click.BadParameter(f"{word!r} is not PLACE=FILE, such as 'input 0=rows.bin'")
        if place in found:
            raise click.BadParameter(f"{place!r} is given twice")
        found[place] = Path(path)
    return found


@click.command("simulate")
@click.argument("policy_file", metavar="POLICY", type=_FILE)
@click.option(
    "--mock",
    is_flag=True,
    help="Make up what no file is given for, from the types that the policy says.",
)
@click.option(
    "--input",
    "files",
    metavar="PLACE=FILE",
    multiple=True,
    callback=_read_inputs,
    help="Give a place the content of a file. PLACE is its name in the policy, or its number "
    "('input 0', 'stream 0'); may be repeated.",
)
@click.option(
    "--program",
    type=_FILE,
    help="The program, if it is none of the examples.",
)
@click.option(
    "--adversary",
    "adversaries",
    type=click.Choice([*ADVERSARIES, _ALL]),
    multiple=True,
    help="Let this adversary try its way first, and tell who noticed; may be repeated.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many rounds to do; at most those of the policy.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Seed: another one makes up other data.",
)
@click.option(
    "--size",
    type=click.IntRange(0, 100_000),
    default=100,
    show_default=True,
    help="How many elements or rows what is made up has.",
)
@json_option
@click.pass_context
def simulate(
    context: click.Context,
    *,
    policy_file: Path,
    mock: bool,
    files: dict[str, Path],
    program: Path | None,
    adversaries: tuple[str, ...],
    rounds: int,
    seed: int,
    size: int,
    as_json: bool,
) -> None:
    """Do the whole computation of POLICY on this machine, on made-up data, with real services.

    What the policy says of roles, orders, types, limits, rounds, consent and results is kept. Its
    identities, addresses, dates, attestation service and runtimes are replaced by throw-away ones:
    what is simulated is a stand-in with another digest, and nobody's key is used. The policy may be
    a draft, or over.

    Exit status 1 if the computation does not come to its end, or an adversary goes unnoticed.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    policy = read_policy(policy_file)
    require_current(policy)
    rounds = min(rounds, policy.conduct.rounds)
    materials = gather(
        policy, program=program, files=files, mock=mock, seed=seed, size=size, rounds=rounds
    )
    chosen = list(ADVERSARIES) if _ALL in adversaries else list(dict.fromkeys(adversaries))
    say = note if as_json else click.echo
    with Company(policy, materials, rounds=rounds, on_step=say) as company:
        report = company.run(chosen)
    emit(report.facts(), report.text(), as_json=as_json)
    context.exit(0 if report.holds else 1)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Leave as on Ctrl-C, by the way that cleans up."""
    raise KeyboardInterrupt
