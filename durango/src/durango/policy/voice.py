"""How the people and places of a policy are called in sentences."""

from collections.abc import Collection

from durango._words import size
from durango.policy.known_programs import KnownProgram, known_program
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import (
    OPAQUE,
    UNLIMITED,
    Agreement,
    InputTerms,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
)


def listed(names: Collection[str], word: str = "and") -> str:
    """Names in a sentence: `a, b and c`; `nobody` of none."""
    if not names:
        return "nobody"
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def called(identity: PolicyIdentity) -> str:
    """A principal in a sentence: a name of several words stands in quotes."""
    return f'"{identity.label}"' if identity.name and " " in identity.name else identity.label


def verb(names: Collection[str], one: str, several: str) -> str:
    """The form of a verb whose subject is all of these."""
    return one if len(names) == 1 else several


def counted(number: int, what: str) -> str:
    """A number of things that may be without end: `2 rounds`, `any number of rounds`."""
    if number == UNLIMITED:
        return f"any number of {what}s"
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def span(seconds: int) -> str:
    """So many seconds in the largest unit that says it whole."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0:
            return counted(seconds // length, unit)
    return counted(seconds, "second")


def place_line(terms: InputTerms, *, limit: int) -> str:
    """What a place takes, in words."""
    kind = "a file of any content" if terms.type == OPAQUE else f"a {terms.type}"
    name = f"{terms.name!r}, " if terms.name else ""
    most = limit if terms.most_bytes is None else min(limit, terms.most_bytes)
    return f"{name}{kind}, at most {size(most)}"


@frozen
class Voice:
    """A policy, and whom its sentences are about."""

    policy: Policy

    def named(self, client_id: int) -> str:
        """The principal with this id."""
        (found,) = (each for each in self.policy.identities if each.client_id == client_id)
        return called(found)

    def _with(self, role: Role) -> list[str]:
        return [called(each) for each in self.policy.identities if role in each.roles]

    @property
    def everybody(self) -> list[str]:
        """All principals."""
        return [called(each) for each in self.policy.identities]

    @property
    def readers(self) -> list[str]:
        """Those who may have the result."""
        return self._with(Role.RESULT_READER)

    @property
    def author(self) -> str:
        """Who gives the program."""
        (author,) = self._with(Role.PI_PROVIDER)
        return author

    @property
    def providers(self) -> list[str]:
        """Those who give an input or a stream item, in the order of the places."""
        return [self.named(number) for number in dict.fromkeys(self.order)]

    @property
    def order(self) -> tuple[int, ...]:
        """Whose every place is: first of inputs, then of streams."""
        return (*self.policy.data_provision_order, *self.policy.streaming_order)

    @property
    def program(self) -> KnownProgram | None:
        """What is known of the program."""
        return known_program(self.policy.program_digest)

    @property
    def private(self) -> bool:
        """Whether the isolate adds noise."""
        return self.policy.result.privacy is not None

    @property
    def of_2021(self) -> bool:
        """Whether it is in the format of 2021."""
        return self.policy.format is PolicyFormat.VERACRUZ_2021

    def agreement(self, agreement: Agreement) -> str:
        """Who has to agree."""
        names = [self.named(number) for number in sorted(agreement.of)]
        if agreement.least == len(names):
            return f"{listed(names)}{' together' if len(names) > 1 else ''}"
        if agreement.least == 1:
            return f"any one of {listed(names, 'or')}"
        return f"{agreement.least} of {listed(names)}"
