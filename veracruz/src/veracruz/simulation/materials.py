"""What a simulation is made with: the program, and what goes into each place in each round."""

import itertools
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from random import Random
from typing import Final

from colima.runtime import ContentKind
from durango.input_places import PlaceOfInput, places
from durango.policy.known_programs import known_program
from sdk.examples import EXAMPLES, Case, Example, programs
from sdk.examples.draw import seeded
from veracruz.errors import SimulationError
from veracruz.simulation.making import made_value
from veracruz_shells.files import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.pinecone import encode, parse_type
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import OPAQUE, InputTerms, Policy

_ORDERS: Final = (ContentKind.DATA, ContentKind.STREAM)


@frozen
class Filled:
    """What one place gets.

    Attributes:
        place: where it goes.
        contents: one for the data of a place; of a stream one for each round.
        origin: where it is from, for people.
    """

    place: PlaceOfInput
    contents: tuple[bytes, ...] = field(repr=False)
    origin: str

    def content(self, round_number: int) -> bytes:
        """What goes in in this round, from 1."""
        return self.contents[(round_number - 1) % len(self.contents)]


@frozen
class Materials:
    """All of it.

    Attributes:
        program: the module.
        program_name: what it is called.
        given: what each place gets, in the program's order, data first.
    """

    program: bytes = field(repr=False)
    program_name: str
    given: tuple[Filled, ...]


def gather(
    policy: Policy,
    *,
    program: Path | None,
    files: Mapping[str, Path],
    mock: bool,
    seed: int,
    size: int,
    rounds: int,
) -> Materials:
    """Find the program and fill every place.

    Args:
        policy: the policy.
        program: the program's file; None for the example that the policy names.
        files: for some places a file, by the place's name or number (`0`, `stream 0`).
        mock: whether the other places are filled by what is made up.
        seed: of what is made up.
        size: how many elements or rows that has.
        rounds: of how many rounds.

    Raises:
        SimulationError: the program is another or not at hand, a place is not there, or one can
            only be filled by a file.
    """
    module, name = _program(policy, program)
    known = [place for order in _ORDERS for place in places(policy, order)]
    chosen = _chosen(known, files)
    example = _example(policy)
    case = example.generate(seed, min(size, example.default_size)) if example else None
    given = []
    for number, place in enumerate(known):
        if place in chosen:
            path = chosen[place]
            content = read_file(path, limit=policy.limits.input_bytes, what=place.label)
            given.append(Filled(place, (content,), f"of {path}"))
            continue
        if not mock:
            raise SimulationError(
                f"nothing is given for {_call(place)}: give a file by --input, or have what is "
                "missing made up by --mock"
            )
        if case is not None and example is not None:
            contents = _of_case(case, place)
            given.append(Filled(place, contents, f"made up as for {example.name}"))
            continue
        count = rounds if place.content is ContentKind.STREAM else 1
        made = tuple(
            _made(policy, place, seeded(seed + number + each * len(known)), size)
            for each in range(count)
        )
        given.append(Filled(place, made, "made up of its type"))
    return Materials(module, name, tuple(given))


def _program(policy: Policy, path: Path | None) -> tuple[bytes, str]:
    if path is not None:
        module = read_file(path, limit=policy.limits.program_bytes, what="program")
        if Digest.of(module) != policy.program_digest:
            raise SimulationError(
                f"{path} has the digest {Digest.of(module)}, the policy names "
                f"{policy.program_digest}: give the program that the policy is about"
            )
        return module, path.name
    known = known_program(policy.program_digest)
    if known is None or known.name not in programs.NAMES:
        raise SimulationError(
            f"the policy's program {policy.program_digest} is none of the examples: give its file "
            "by --program"
        )
    return programs.load(known.name), known.name


def _example(policy: Policy) -> Example | None:
    """The example that the program is, if the policy's places are those that it has data for."""
    known = known_program(policy.program_digest)
    example = EXAMPLES.get(known.name) if known else None
    if example is None:
        return None
    for said, own in ((policy.inputs, example.inputs), (policy.streams, example.streams)):
        if said and not own:
            return None
        for index, terms in enumerate(said):
            if not _fits(terms, own[_at(index, len(own))].expression):
                return None
    return example


def _at(index: int, count: int) -> int:
    """Where data for a place are: a program may read more of the last kind than there are."""
    return min(index, count - 1)


def _fits(terms: InputTerms, expression: str | None) -> bool:
    if terms.type == OPAQUE:
        return True
    return expression is not None and terms.kind == parse_type(expression)


def _chosen(known: list[PlaceOfInput], files: Mapping[str, Path]) -> dict[PlaceOfInput, Path]:
    found = {}
    for word, path in files.items():
        meant = [place for place in known if word in _words(place)]
        if len(meant) != 1:
            there = "; ".join(map(_call, known)) or "none, for nothing goes in"
            problem = "could be several of" if meant else "is none of"
            raise SimulationError(f"{word[:80]!r} {problem} the policy's places: {there}")
        found[meant[0]] = path
    return found


def _words(place: PlaceOfInput) -> tuple[str, ...]:
    if place.content is ContentKind.STREAM:
        return (place.terms.name, f"stream {place.index}")
    return (place.terms.name, f"input {place.index}", str(place.index))


def _option(place: PlaceOfInput) -> str:
    word = place.terms.name or _words(place)[1]
    return f"--input '{word}=FILE'"


def _call(place: PlaceOfInput) -> str:
    return f"{place.label} of {place.owner}"


def _of_case(case: Case, place: PlaceOfInput) -> tuple[bytes, ...]:
    assert place.index is not None
    if place.content is ContentKind.DATA:
        return (case.inputs[_at(place.index, len(case.inputs))],)
    return tuple(each[_at(place.index, len(each))] for each in case.rounds)


def _made(policy: Policy, place: PlaceOfInput, random: Random, size: int) -> bytes:
    """A value of a place's type, of fewer elements if the policy's limits ask for that."""
    kind = place.kind
    if kind is None:
        raise SimulationError(
            f"{_call(place)} is opaque to the policy, so nothing can be made up for it: give a "
            f"file by {_option(place)}"
        )
    most = min(policy.limits.input_bytes, place.terms.most_bytes or policy.limits.input_bytes)
    for shift in itertools.count():
        encoded = encode(kind, made_value(kind, random, size=size >> shift))
        if len(encoded) <= most:
            return encoded
        if not size >> shift:
            break
    raise SimulationError(
        f"what was made up for {_call(place)} has {len(encoded)} bytes, the policy allows {most}: "
        f"give a file by {_option(place)}"
    )
