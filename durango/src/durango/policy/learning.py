"""Who gives what and who learns what, in plain sentences."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from durango._say import joined, say, say_many
from durango._words import decimal, size
from durango.policy.voice import Voice, called, listed, place_line, rounds
from veracruz_utils.policy import OPAQUE, Role, decimal_text

if TYPE_CHECKING:
    from fractions import Fraction

_PLACE: Final = re.compile(r"(.*\S) \(input (\d+)\)")
_READER: Final = "result reader"


def gives(voice: Voice) -> Iterator[str]:
    """Who gives what."""
    policy, limits = voice.policy, voice.policy.limits
    yield say(
        "{author} gives the program; the isolate takes no other than that digest.",
        author=voice.author,
    )
    for index, (number, each) in enumerate(
        zip(policy.data_provision_order, policy.inputs, strict=True)
    ):
        yield say(
            "{who} gives input {index}: {what}.",
            who=voice.named(number),
            index=index,
            what=place_line(each, limit=limits.input_bytes),
        )
    for index, (number, each) in enumerate(
        zip(policy.streaming_order, policy.streams, strict=True)
    ):
        yield say(
            "{who} gives stream item {index} of every round: {what}.",
            who=voice.named(number),
            index=index,
            what=place_line(each, limit=limits.input_bytes),
        )
    for identity in policy.identities:
        if identity.client_id not in voice.order and Role.PI_PROVIDER not in identity.roles:
            yield say("{who} gives nothing.", who=called(identity))
    if voice.order:
        yield say(
            "All inputs and stream items of a round together have at most {size}.",
            size=size(limits.total_input_bytes),
        )
    if any(each.type != OPAQUE for each in (*policy.inputs, *policy.streams)):
        yield say(
            "That a file is of its type is checked by its sender's own tool before it leaves; the "
            "isolate checks sizes alone."
        )


def learns(voice: Voice) -> Iterator[str]:
    """Who learns what."""
    policy, readers = voice.policy, voice.readers
    yield say_many(
        len(readers),
        "{who} learns {what}.",
        "{who} learn {what}.",
        who=listed(readers),
        what=_results(voice),
    )
    yield from _others(voice)
    yield from _by_the_program(voice)
    yield from _edge(voice)
    yield from _of_runs(voice)
    if readers == [voice.author]:
        yield say(
            "{author} is both the author of the program and its only reader: nobody else ever sees "
            "what it does with the inputs.",
            author=voice.author,
        )
    both = [name for name in voice.providers if name in readers]
    if both and len(voice.providers) > 1:
        yield say_many(
            len(both),
            "{who} gives data and reads the result: who knows some of the data can tell more of "
            "the others' by it.",
            "{who} give data and read the result: who knows some of the data can tell more of the "
            "others' by it.",
            who=listed(both),
        )
    if policy.conduct.rounds > 1:
        yield _later_rounds(voice)
    if policy.conduct.deterministic:
        yield say(
            "The program's random numbers come from a seed that is in the receipts: every "
            "principal can know them."
        )


def _others(voice: Voice) -> Iterator[str]:
    """Who gets no result."""
    others = [name for name in voice.everybody if name not in voice.readers]
    if not others:
        return
    if voice.policy.debug and voice.author in others:
        yield say_many(
            len(others),
            "{who} gets no result and nobody's input, besides what is said below.",
            "{who} get no result and nobody's input, besides what is said below.",
            who=listed(others),
        )
    else:
        yield say_many(
            len(others),
            "{who} gets no result and nobody's input.",
            "{who} get no result and nobody's input.",
            who=listed(others),
        )


def _later_rounds(voice: Voice) -> str:
    if voice.private:
        return say(
            "In a later round the program sees the result of the round before as well, with its "
            "noise: results of several rounds can tell together what none of them tells alone."
        )
    return say(
        "In a later round the program sees the result of the round before as well: results of "
        "several rounds can tell together what none of them tells alone."
    )


def _results(voice: Voice) -> str:
    conduct = voice.policy.conduct
    most = conduct.results_per_reader
    if conduct.rounds == 1:
        return say("the result")
    several = rounds(conduct.rounds)
    if most >= conduct.rounds:
        return say("the result of every round; there may be {rounds}", rounds=several)
    if len(voice.readers) == 1:
        return say(
            "the results of at most {most} of {rounds}", most=format(most, ","), rounds=several
        )
    return say(
        "the results of at most {most} of {rounds}, each of them for rounds of its own choice",
        most=format(most, ","),
        rounds=several,
    )


def _by_the_program(voice: Voice) -> Iterator[str]:
    program = voice.program
    if program is None:
        yield say(
            "What the result tells of the inputs is the program's doing: it can be anything "
            "that the inputs say."
        )
        return
    for who, what in program.learns.items():
        yield say(
            "By {program}: {who} learns {what}.",
            program=program.name,
            who=_party(voice, who),
            what=say(what),
        )
    if program.codes and not voice.private:
        codes = [
            say("{code}, {reason}", code=code, reason=say(reason))
            for code, reason in sorted(program.codes.items())
        ]
        yield say(
            "Error codes of {program}, which readers are told: {codes}.",
            program=program.name,
            codes=joined(codes, "; "),
        )


def _party(voice: Voice, who: str) -> str:
    """A kind of party, with the name of who that is here, if the program's author says enough."""
    order = voice.policy.data_provision_order
    place = _PLACE.fullmatch(who)
    if who == _READER:
        return say("result reader ({who})", who=listed(voice.readers))
    if place is not None and int(place[2]) < len(order):
        owner = voice.named(order[int(place[2])])
        return say(
            "{party} (input {index}: {who})", party=say(place[1]), index=int(place[2]), who=owner
        )
    return say(who)


def _edge(voice: Voice) -> Iterator[str]:
    terms = voice.policy.result
    if terms.type != OPAQUE:
        yield say("No result leaves that is not of type {type}.", type=terms.type)
    if terms.most_bytes is not None:
        yield say("No result leaves that is larger than {size}.", size=size(terms.most_bytes))
    if terms.contributors:
        yield say(
            "The program is not run unless at least {number} principals gave an input that is not "
            "empty.",
            number=terms.contributors,
        )
    privacy = terms.privacy
    if privacy is not None:
        yield say(
            "The isolate adds {mechanism} noise to every number of a result: {cost} for each, "
            "{total} in all, for contributors who change it by at most {sensitivity}. All readers "
            "get the same.",
            mechanism=str(privacy.mechanism),
            cost=_cost(privacy.epsilon, privacy.delta),
            total=_cost(privacy.total_epsilon, privacy.total_delta),
            sensitivity=decimal(decimal_text(privacy.sensitivity)),
        )
        yield say(
            "That no contributor changes it further is this policy's claim: the isolate cannot "
            "know, and the program has to see to it."
        )
        yield say(
            "A run that fails is paid for as a release is: that it failed is told, without noise."
        )


def _of_runs(voice: Voice) -> Iterator[str]:
    """What is told beside the result."""
    if voice.private:
        yield say(
            "Every principal learns who has sent what when, its size in bytes, whose word is "
            "awaited, how often the program ran, and whether each run ended with a result; how one "
            "failed nobody learns; never the content."
        )
    else:
        yield say(
            "Every principal learns who has sent what when, its size in bytes, whose word is "
            "awaited, how often the program ran, and how each run ended: well, with an error code, "
            "by a trap, by a limit, with its process, or with a result that was withheld; never "
            "the content."
        )
        yield _details(voice)
    if voice.policy.debug:
        yield say(
            "{author} learns what the program says while it runs, its code, and where in it "
            "a run failed: that can be anything, the inputs included (debug is on).",
            author=voice.author,
        )
    elif not voice.private and voice.author in voice.readers:
        yield say(
            "{author} learns of a failed run by which trap or limit it ended, and not where, on "
            "what, or with which error code; as a reader, the code as well.",
            author=voice.author,
        )
    elif not voice.private:
        yield say(
            "{author} learns of a failed run by which trap or limit it ended, and not where, on "
            "what, or with which error code.",
            author=voice.author,
        )


def _details(voice: Voice) -> str:
    conduct, told = voice.policy.conduct, list(voice.readers)
    rationed = conduct.results_per_reader < conduct.rounds
    if voice.policy.debug and not rationed and voice.author not in told:
        told.append(voice.author)
    what = (
        say("the program's code, how long it took and the fuel it used")
        if voice.policy.limits.fuel is not None
        else say("the program's code and how long it took")
    )
    if rationed:
        return say_many(
            len(told),
            "{who} learns of each run of a round whose result it may have as well {what}.",
            "{who} learn of each run of a round whose result they may have as well {what}.",
            who=listed(told),
            what=what,
        )
    return say_many(
        len(told),
        "{who} learns of each run as well {what}.",
        "{who} learn of each run as well {what}.",
        who=listed(told),
        what=what,
    )


def _cost(epsilon: "Fraction", delta: "Fraction") -> str:
    if delta:
        return say(
            "epsilon {epsilon} and delta {delta}",
            epsilon=decimal(decimal_text(epsilon)),
            delta=decimal(decimal_text(delta)),
        )
    return say("epsilon {epsilon}", epsilon=decimal(decimal_text(epsilon)))
