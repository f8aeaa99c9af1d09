"""How the people and places of a policy are called in sentences."""

from collections.abc import Collection

from durango._say import say, say_many
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


def listed(names: Collection[str]) -> str:
    """Names in a sentence: `a, b and c`; `nobody` of none."""
    *first, last = names or [say("nobody")]
    return say("{first} and {last}", first=", ".join(first), last=last) if first else last


def either(names: Collection[str]) -> str:
    """Names in a sentence, of which one is enough: `a, b or c`; `nobody` of none."""
    *first, last = names or [say("nobody")]
    return say("{first} or {last}", first=", ".join(first), last=last) if first else last


def called(identity: PolicyIdentity) -> str:
    """A principal in a sentence: a name of several words stands in quotes."""
    return f'"{identity.label}"' if identity.name and " " in identity.name else identity.label


def rounds(number: int) -> str:
    """A number of rounds that may be without end."""
    if number == UNLIMITED:
        return say("any number of rounds")
    return say_many(number, "{number} round", "{number} rounds", number=format(number, ","))


def span(seconds: int) -> str:
    """So many seconds in the largest unit that says it whole."""
    if seconds and seconds % 86400 == 0:
        days = seconds // 86400
        return say_many(days, "{number} day", "{number} days", number=format(days, ","))
    if seconds and seconds % 3600 == 0:
        hours = seconds // 3600
        return say_many(hours, "{number} hour", "{number} hours", number=format(hours, ","))
    if seconds and seconds % 60 == 0:
        minutes = seconds // 60
        return say_many(minutes, "{number} minute", "{number} minutes", number=format(minutes, ","))
    return say_many(seconds, "{number} second", "{number} seconds", number=format(seconds, ","))


def place_line(terms: InputTerms, *, limit: int) -> str:
    """What a place takes, in words."""
    most = size(limit if terms.most_bytes is None else min(limit, terms.most_bytes))
    if terms.type == OPAQUE:
        line = say("a file of any content, at most {size}", size=most)
    else:
        line = say("a {type}, at most {size}", type=terms.type, size=most)
    return say("{name}, {what}", name=repr(terms.name), what=line) if terms.name else line


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
            return say("{all} together", all=listed(names)) if len(names) > 1 else listed(names)
        if agreement.least == 1:
            return say("any one of {all}", all=either(names))
        return say("{least} of {all}", least=agreement.least, all=listed(names))
