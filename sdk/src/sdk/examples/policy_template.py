"""A policy for a program, as a source in TOML: its parties, what they give, and what may leave."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

from sdk.examples import Example
from sdk.examples.model import Input
from veracruz_utils.file_names import file_name_of
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import LINUX_SOFTWARE

PROGRAM_PROVIDER: Final = "program provider"
RESULT_READER: Final = "result reader"


@frozen
class Party:
    """One principal: `name` as the README of the example calls them."""

    name: str

    @property
    def certificate(self) -> str:
        """The name of their certificate's file, as `durango identity new` calls it."""
        return f"{file_name_of(self.name)}.cert.pem"


def parties(example: Example) -> tuple[Party, ...]:
    """The principals of a computation, by client id.

    First who provides the program, then each who provides inputs or streams, then who reads.
    """
    return _parties(example.inputs, example.streams)


def _parties(inputs: Sequence[Input], streams: Sequence[Input]) -> tuple[Party, ...]:
    givers = [each.party for each in (*inputs, *streams)]
    return tuple(map(Party, dict.fromkeys([PROGRAM_PROVIDER, *givers, RESULT_READER])))


def orders(example: Example) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The client ids of the inputs and of the streams, in the program's order."""
    ids = {party.name: number for number, party in enumerate(parties(example))}
    return (
        tuple(ids[each.party] for each in example.inputs),
        tuple(ids[each.party] for each in example.streams),
    )


@frozen
class Described:
    """A program, as its policy sees it.

    Attributes:
        heading: the first line of comment, without its mark.
        module: the file of the module, as the policy's source names it.
        inputs: who gives which, in the program's order.
        streams: likewise.
        result: the type of the result, if it has one.
        limits: those that differ from the defaults, by name, as TOML has their values.
    """

    heading: str
    module: str
    inputs: Sequence[Input]
    streams: Sequence[Input]
    result: str | None
    limits: Mapping[str, str] = field(default_factory=dict)


def policy_template(example: Example) -> str:
    """The source: with the addresses of one machine, to be replaced."""
    return source_of(
        Described(
            f"A policy for {example.name}: {example.summary}.",
            f"{example.name}.wasm",
            example.inputs,
            example.streams,
            example.result,
        )
    )


def source_of(program: Described) -> str:
    """The source of a policy for any program."""
    return "\n".join(_lines(program)) + "\n"


def _lines(program: Described) -> Iterator[str]:
    yield f"# {program.heading}"
    yield "# Change what differs, then: durango policy build policy.toml"
    yield "days = 30"
    yield "\n[delegate]  # who runs the isolate: where the bridge listens"
    yield 'sinaloa = "127.0.0.1:3011"'
    yield "\n[attestation]  # who vouches for it: where Tabasco listens, and `tabasco public-key`"
    yield 'tabasco = "127.0.0.1:3010"\nkey = "tabasco.pem"'
    yield f"\n[program]\nfrom = {_text(PROGRAM_PROVIDER)}\nfile = {_text(program.module)}"
    for party in _parties(program.inputs, program.streams):
        yield f"\n[principals.{_text(party.name)}]\ncertificate = {_text(party.certificate)}"
    yield from _places("inputs", program.inputs)
    yield from _places("streams", program.streams)
    yield f"\n[result]\nreaders = [{_text(RESULT_READER)}]"
    if program.result is not None:
        yield f"type = {_text(program.result)}"
    if program.limits:
        yield "\n[limits]"
        yield from (f"{name} = {value}" for name, value in program.limits.items())
    yield "\n[[platforms]]  # a software root protects against nobody who owns the machine"
    yield f'name = "{LINUX_SOFTWARE}"'
    yield '# The runtime image that you built or checked; or releases = ["0.1.0"].'
    yield 'images = ["image"]'


def _places(table: str, given: Sequence[Input]) -> Iterator[str]:
    for each in given:
        yield f"\n[[{table}]]\nfrom = {_text(each.party)}\nname = {_text(each.label)}"
        if each.expression is not None:
            yield f"type = {_text(each.expression)}"


def _text(text: str) -> str:
    """A text as TOML has it: as JSON does, with escapes for what a terminal would not show."""
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}"
        for each in json.dumps(text, ensure_ascii=False)
    )
