"""The command that writes a policy for an example: its parties, their roles and the orders."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sdk.examples import Example
from sdk.examples.model import Input
from veracruz_utils.policy import LINUX_SOFTWARE, Role

PROGRAM_PROVIDER: Final = "program provider"
RESULT_READER: Final = "result reader"


@dataclass(frozen=True, slots=True)
class Party:
    """One principal: `name` as the README of the example calls them; and their roles."""

    name: str
    roles: tuple[Role, ...]

    @property
    def certificate(self) -> str:
        """The name of their certificate's file, as `durango identity new` calls it."""
        return f"{self.name.replace(' ', '-')}.cert.pem"


def parties(example: Example) -> tuple[Party, ...]:
    """The principals of a computation, by client id.

    First who provides the program, then each who provides inputs or streams, then who reads.
    """
    roles: dict[str, list[Role]] = {PROGRAM_PROVIDER: [Role.PI_PROVIDER]}
    for given, role in (
        (example.inputs, Role.DATA_PROVIDER),
        (example.streams, Role.STREAM_PROVIDER),
    ):
        for each in given:
            held = roles.setdefault(each.party, [])
            if role not in held:
                held.append(role)
    roles.setdefault(RESULT_READER, []).append(Role.RESULT_READER)
    return tuple(Party(name, tuple(held)) for name, held in roles.items())


def orders(example: Example) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The client ids of the inputs and of the streams, in the program's order."""
    ids = {party.name: number for number, party in enumerate(parties(example))}
    return (
        tuple(ids[each.party] for each in example.inputs),
        tuple(ids[each.party] for each in example.streams),
    )


def policy_options(example: Example) -> list[list[str]]:
    """The options of `durango policy new` for an example, each a list of words."""
    options = [
        ["--identity", party.certificate, ",".join(role.value for role in party.roles)]
        for party in parties(example)
    ]
    options.append(["--program", f"{example.name}.wasm"])
    for name, order in zip(("--data-order", "--stream-order"), orders(example), strict=True):
        if order:
            options.append([name, ",".join(map(str, order))])
    options += _places("--input", example.inputs) + _places("--stream", example.streams)
    if example.result is not None:
        options.append(["--result", f"type={example.result}"])
    return options


def _places(option: str, given: Sequence[Input]) -> list[list[str]]:
    """What the policy says of each input: its name, and its type where it has one."""
    options: list[list[str]] = []
    for index, each in enumerate(given):
        options.append([option, f"{index}.name={each.label}"])
        if each.expression is not None:
            options.append([option, f"{index}.type={each.expression}"])
    return options


def policy_command(example: Example) -> str:
    """The whole command, for a shell: with the addresses of one machine, to be replaced."""
    options = policy_options(example)
    options += [
        ["--image", "image"],
        ["--platform", LINUX_SOFTWARE],
        ["--sinaloa", "127.0.0.1:3011"],
        ["--tabasco", "127.0.0.1:3010"],
        ["--tabasco-key", "tabasco.pem"],
        ["--output", "policy.json"],
    ]
    return " \\\n    ".join(["durango policy new", *map(shlex.join, options)])
