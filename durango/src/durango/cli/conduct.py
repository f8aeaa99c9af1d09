"""How a computation is conducted, as it is written on a command line."""

import functools
import re
from collections.abc import Callable
from typing import Final, TypeVar

import click

_CommandT = TypeVar("_CommandT", bound=Callable[..., object])

_LEAST: Final = re.compile(r"([1-9][0-9]{0,9}) of (.+)")
_MOST: Final = (1 << 32) - 2
_OPTIONS: Final = (
    click.option(
        "--rounds",
        type=click.IntRange(1, _MOST),
        help="How many rounds there may be.  [default: 1, and 100 with streams]",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(1, _MOST),
        help="How often the program may be run in a round.  [default: 3; with --privacy 1]",
    ),
    click.option(
        "--results-per-reader",
        type=click.IntRange(1, _MOST),
        help="Of how many rounds one reader may have the result.  [default: of all]",
    ),
    click.option(
        "--next-round",
        metavar="READERS",
        help="Which readers must ask for another round: any, all, or names or client ids as in "
        "north,reader or 2 of north,south,reader.  [default: any]",
    ),
)


def conduct_options(command: _CommandT) -> Callable[..., object]:
    """Adds what a policy says of rounds and attempts; passed as `conduct`, fields of a policy."""

    @functools.wraps(command)
    def run(
        *,
        rounds: int | None,
        attempts: int | None,
        results_per_reader: int | None,
        next_round: str | None,
        **others: object,
    ) -> object:
        said = {
            "rounds": rounds,
            "attempts": attempts,
            "results_per_reader": results_per_reader,
            "next_round": None if next_round is None else agreement_of(next_round),
        }
        conduct = {name: value for name, value in said.items() if value is not None}
        return command(conduct=conduct, **others)

    wrapped: Callable[..., object] = run
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def agreement_of(text: str) -> str | list[str | int] | dict[str, object]:
    """Who must agree, in the words of a policy; names are held against it as it is made."""
    if text in {"any", "all"}:
        return text
    match = _LEAST.fullmatch(text)
    who = _parties(match[2] if match else text)
    return {"least": int(match[1]), "of": who} if match else who


def _parties(text: str) -> list[str | int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise click.UsageError("--next-round names nobody: give any, all, or names with commas")
    # A name may be a number, too; then it is that of the client with this id.
    return [int(word) if word.isdecimal() else word for word in words]
