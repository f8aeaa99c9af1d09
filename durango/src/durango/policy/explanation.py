"""What a policy means, in plain sentences: who gives, who learns, who decides, who sees what.

Every sentence is about what the isolate does under this policy, and nothing else: a reader who is
no engineer decides by them whether to sign.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from durango._words import layer_names, timestamp
from durango.platforms import protection
from durango.policy.known_programs import KnownProgram, known_program
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    OPAQUE,
    UNLIMITED,
    Agreement,
    InputTerms,
    Policy,
    PolicyIdentity,
    Role,
    decimal_text,
)


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answers.

    Attributes:
        key: for programs; stable.
        title: the question.
        lines: a sentence each.
    """

    key: str
    title: str
    lines: tuple[str, ...]


def explain(policy: Policy) -> tuple[Section, ...]:
    """The policy's meaning, question by question."""
    voice = _Voice(policy)
    questions = (
        ("summary", "What this is", voice.summary),
        ("gives", "Who gives what", voice.gives),
        ("learns", "Who learns what", voice.learns),
        ("decides", "Who can start, repeat, replace, stop or end what", voice.decides),
        ("delegate", "What the delegate's machine sees", voice.delegate_sees),
        ("attestation_service", "What the attestation service sees", voice.tabasco_sees),
        ("not_protected", "What is not protected", voice.not_protected),
        ("mistakes", "What an honest mistake costs", voice.mistakes),
    )
    return tuple(Section(key, title, tuple(answer())) for key, title, answer in questions)


def explanation_text(sections: Sequence[Section]) -> str:
    """The sections for a terminal or a file."""
    parts = ["\n".join([each.title, *[f"  - {line}" for line in each.lines]]) for each in sections]
    return "\n\n".join(parts)


def explanation_facts(sections: Sequence[Section]) -> dict[str, object]:
    """The sections for programs, by their keys."""
    return {each.key: list(each.lines) for each in sections}


def listed(names: Collection[str], word: str = "and") -> str:
    """Names in a sentence: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def called(identity: PolicyIdentity) -> str:
    """A principal in a sentence: a name of several words stands in quotes."""
    return f'"{identity.label}"' if identity.name and " " in identity.name else identity.label


def place_line(terms: InputTerms, *, limit: int) -> str:
    """What a place takes, in words."""
    kind = "a file of any content" if terms.type == OPAQUE else f"a {terms.type}"
    name = f"{terms.name!r}, " if terms.name else ""
    most = limit if terms.most_bytes is None else min(limit, terms.most_bytes)
    return f"{name}{kind}, at most {most:,} bytes"


@dataclass(frozen=True, slots=True)
class _Voice:
    policy: Policy

    # Whom the sentences are about.

    def _named(self, client_id: int) -> str:
        (found,) = (each for each in self.policy.identities if each.client_id == client_id)
        return called(found)

    def _with(self, role: Role) -> list[str]:
        return [called(each) for each in self.policy.identities if role in each.roles]

    @property
    def _readers(self) -> list[str]:
        return self._with(Role.RESULT_READER)

    @property
    def _author(self) -> str:
        (author,) = self._with(Role.PI_PROVIDER)
        return author

    @property
    def _program(self) -> KnownProgram | None:
        return known_program(self.policy.program_digest)

    @property
    def _providers(self) -> list[str]:
        order = (*self.policy.data_provision_order, *self.policy.streaming_order)
        return [self._named(number) for number in dict.fromkeys(order)]

    def _agreement(self, agreement: Agreement) -> str:
        names = [self._named(number) for number in sorted(agreement.of)]
        if agreement.least == len(names):
            return f"{listed(names)}{' together' if len(names) > 1 else ''}"
        if agreement.least == 1:
            return f"any one of {listed(names, 'or')}"
        return f"{agreement.least} of {listed(names)}"

    # The answers.

    def summary(self) -> Iterator[str]:
        policy, program = self.policy, self._program
        people = [called(each) for each in policy.identities]
        yield f"{len(people)} principals take part: {listed(people)}."
        if program is None:
            yield (
                f"They run a program that {self._author} gives, with digest "
                f"{policy.program_digest}; it is none of those shipped with Veracruz, so what it "
                "does has to be asked of its author or read in its source."
            )
        else:
            yield f"They run the program {program.name}: {program.summary}."
        yield (
            f"It runs in an isolate on the delegate's machine, reached at {policy.sinaloa}; "
            f"the attestation service at {policy.tabasco} vouches for it."
        )
        ends = timestamp(policy.expires_at)
        yield f"All of it ends at {ends} at the latest, with everything in it."
        yield f"The digest of this policy is {policy.digest}; everybody must have this very one."

    def gives(self) -> Iterator[str]:
        policy = self.policy
        yield f"{self._author} gives the program; the isolate takes no other than that digest."
        limit = policy.limits.input_bytes
        for kind, order, terms in (
            ("input", policy.data_provision_order, policy.inputs),
            ("stream item", policy.streaming_order, policy.streams),
        ):
            for index, (number, each) in enumerate(zip(order, terms, strict=True)):
                when = " of every round" if kind == "stream item" else ""
                place = place_line(each, limit=limit)
                yield f"{self._named(number)} gives {kind} {index}{when}: {place}."
        for identity in policy.identities:
            if self._gives_nothing(identity):
                yield f"{called(identity)} gives nothing."

    def _gives_nothing(self, identity: PolicyIdentity) -> bool:
        order = (*self.policy.data_provision_order, *self.policy.streaming_order)
        return identity.client_id not in order and Role.PI_PROVIDER not in identity.roles

    def learns(self) -> Iterator[str]:
        policy, program = self.policy, self._program
        rounds = policy.conduct.results_per_reader
        each = "the result of every round" if rounds == UNLIMITED else _rounds_of(rounds)
        yield f"{listed(self._readers)} {'learns' if len(self._readers) == 1 else 'learn'} {each}."
        if program is None:
            yield (
                "What the result tells of the inputs is the program's doing: it can be anything "
                "that the inputs say."
            )
        else:
            yield from (
                f"By {program.name}: {who} learns {what}." for who, what in program.learns.items()
            )
        yield from self._edge()
        private = policy.result.privacy is not None
        ended = (
            "whether each run ended with a result; how one failed nobody learns"
            if private
            else "how each run ended: well, with an error code, by a trap, by a limit, with its "
            "process, or with a result that was withheld"
        )
        yield (
            "Every principal learns who has sent what when, its size in bytes, how often the "
            f"program ran, and {ended}; never the content."
        )
        if not private:
            yield self._of_a_run()
        if policy.debug:
            yield (
                f"{self._author} learns what the program says while it runs, and where in it a run "
                "failed: that can be anything, the inputs included (debug is on)."
            )
        elif not private:
            yield f"{self._author} learns of a failed run how it failed, and not where or on what."
        if len(self._readers) == 1 and self._readers == [self._author]:
            yield (
                f"{self._author} is both the author of the program and its only reader: nobody "
                "else ever sees what it does with the inputs."
            )
        if policy.conduct.deterministic:
            yield (
                "The program's random numbers come from a seed that is in the receipts: every "
                "principal can know them."
            )

    def _of_a_run(self) -> str:
        told = list(self._readers)
        if self.policy.debug and self._author not in told:
            told.append(self._author)
        verb = "learns" if len(told) == 1 else "learn"
        fuel = self.policy.limits.fuel is not None
        what = ["the program's code", "how long it took", *["the fuel it used"] * fuel]
        return f"{listed(told)} {verb} of each run as well {listed(what)}."

    def _edge(self) -> Iterator[str]:
        terms = self.policy.result
        if terms.type != OPAQUE:
            yield f"Nothing leaves that is not a {terms.type}."
        if terms.most_bytes is not None:
            yield f"Nothing leaves that is larger than {terms.most_bytes:,} bytes."
        if terms.contributors:
            yield (
                f"Nothing leaves unless at least {terms.contributors} principals gave an input "
                "that is not empty."
            )
        privacy = terms.privacy
        if privacy is not None:
            yield (
                f"The isolate adds {privacy.mechanism} noise to every number of a result: "
                f"{_cost(privacy.epsilon, privacy.delta)} for each, "
                f"{_cost(privacy.total_epsilon, privacy.total_delta)} in all, for contributors who "
                f"change it by at most {decimal_text(privacy.sensitivity)}."
            )
            yield (
                "A run that fails is paid for as a release is: that it failed is told, without "
                "noise."
            )

    def decides(self) -> Iterator[str]:
        conduct, readers = self.policy.conduct, self._readers
        if conduct.consent is not None:
            yield (
                f"The isolate takes no data before {self._agreement(conduct.consent)} signed this "
                "policy; whoever signed can take it back until the first run."
            )
        if conduct.repairs and self._providers:
            providers = listed(self._providers)
            yield f"{providers} may replace or withdraw an own input until a run begins."
        yield f"{listed(readers, 'or')} starts the run by asking for the result."
        if conduct.attempts > 1:
            tells = "whether it failed" if self.policy.result.privacy else "how it ended"
            yield (
                f"After a run that failed the inputs stay and may be replaced; the program may be "
                f"run {conduct.attempts} times in a round, and each attempt tells everybody "
                f"{tells}."
            )
        if conduct.rounds > 1:
            many = "any number of" if conduct.rounds == UNLIMITED else conduct.rounds
            who = self._agreement(conduct.next_round)
            yield f"There may be {many} rounds; {who} begins another."
        else:
            yield "There is one round, and never another."
        if len(readers) > 1:
            yield f"{listed(readers)} can end all of it, when all of them ask."
        else:
            yield f"{readers[0]} can end all of it, alone."
        missing = list(dict.fromkeys([self._author, *self._providers]))
        yield (
            f"{listed(missing, 'or')} can keep the run from happening by not sending; the delegate "
            "can stop everything at any time."
        )

    def delegate_sees(self) -> Iterator[str]:
        yield (
            "This policy, with all names and certificates; who connects from which address, when, "
            "and how many bytes go each way; how long a run takes and how much memory."
        )
        yield (
            "The code that the program is compiled to, which is kept for later isolates. Inputs "
            "and results pass encrypted, and end and begin inside the isolate."
        )

    def tabasco_sees(self) -> Iterator[str]:
        yield (
            "Evidence of the delegate's machine, the digest of this policy, which runtime holds "
            "it, and from which addresses it is asked about the isolate. No input, no result, and "
            "not the policy."
        )
        if self.policy.tabasco_key is None:
            yield "The policy does not say whose verdicts count: everybody must be given its key."

    def not_protected(self) -> Iterator[str]:
        policy = self.policy
        for platform in policy.platforms:
            if platform.name == LINUX_SOFTWARE:
                yield (
                    f"On {platform.name}: whoever owns the delegate's machine can read and change "
                    "everything in the isolate. It keeps out the bridge and other users of that "
                    "machine, and nobody else."
                )
            else:
                yield (
                    f"On {platform.name}: {protection(platform.name)}. What such hardware is known "
                    "to leak (power, timing, caches) is not kept in."
                )
        if not policy.isolation:
            yield "No layer of isolation is asked for: an isolate with no walls is accepted."
        else:
            layers = layer_names(policy.isolation)
            yield f"Of isolation this much is asked for, and no more: {layers}."
        yield (
            "How long a run takes and how large things are can tell something of the inputs to "
            "the delegate and to every principal."
        )
        yield "Nothing here stops a principal from sending false data, or from passing a result on."

    def mistakes(self) -> Iterator[str]:
        policy, conduct = self.policy, self.policy.conduct
        if conduct.repairs:
            yield (
                "A wrong file: it can be replaced until the run; afterwards only another round or "
                "another computation helps."
            )
        else:
            yield "A wrong file: it cannot be replaced; the computation has to be started anew."
        left = conduct.attempts - 1
        yield (
            f"A run that fails: {left} further {'attempt' if left == 1 else 'attempts'} in the "
            "round, with the inputs that are there."
            if left
            else "A run that fails: the computation is over, and has to be started anew."
        )
        yield "A lost key or an ended certificate: that principal's part is over; the others go on."
        yield (
            f"A bridge that ends: the isolate waits {policy.limits.detached_seconds} s for "
            "another. A machine or an isolate that ends: everything in it is gone, and everybody "
            "sends again."
        )
        yield f"A policy that ends ({timestamp(policy.expires_at)}): everything is gone."


def _rounds_of(rounds: int) -> str:
    return "the result" if rounds == 1 else f"the results of up to {rounds} rounds"


def _cost(epsilon: Fraction, delta: Fraction) -> str:
    more = f" and delta {decimal_text(delta)}" if delta else ""
    return f"epsilon {decimal_text(epsilon)}{more}"
