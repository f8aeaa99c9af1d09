"""Who gives what and who learns what, in plain sentences."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from durango._words import size
from durango.policy.voice import Voice, called, counted, listed, place_line, verb
from veracruz_utils.policy import OPAQUE, Role, decimal_text

if TYPE_CHECKING:
    from fractions import Fraction

_PLACE: Final = re.compile(r"\(input (\d+)\)")
_READER: Final = "result reader"


def gives(voice: Voice) -> Iterator[str]:
    """Who gives what."""
    policy, limits = voice.policy, voice.policy.limits
    yield f"{voice.author} gives the program; the isolate takes no other than that digest."
    for kind, order, terms in (
        ("input", policy.data_provision_order, policy.inputs),
        ("stream item", policy.streaming_order, policy.streams),
    ):
        for index, (number, each) in enumerate(zip(order, terms, strict=True)):
            when = " of every round" if kind == "stream item" else ""
            place = place_line(each, limit=limits.input_bytes)
            yield f"{voice.named(number)} gives {kind} {index}{when}: {place}."
    for identity in policy.identities:
        if identity.client_id not in voice.order and Role.PI_PROVIDER not in identity.roles:
            yield f"{called(identity)} gives nothing."
    if voice.order:
        yield (
            f"All inputs and stream items of a round together have at most "
            f"{size(limits.total_input_bytes)}."
        )
    if any(each.type != OPAQUE for each in (*policy.inputs, *policy.streams)):
        yield (
            "That a file is of its type is checked by its sender's own tool before it leaves; the "
            "isolate checks sizes alone."
        )


def learns(voice: Voice) -> Iterator[str]:
    """Who learns what."""
    policy, readers = voice.policy, voice.readers
    yield f"{listed(readers)} {verb(readers, 'learns', 'learn')} {_results(voice)}."
    if others := [name for name in voice.everybody if name not in readers]:
        also = ", besides what is said below" if policy.debug and voice.author in others else ""
        yield (
            f"{listed(others)} {verb(others, 'gets', 'get')} no result and nobody's input{also}."
        )
    yield from _by_the_program(voice)
    yield from _edge(voice)
    yield from _of_runs(voice)
    if readers == [voice.author]:
        yield (
            f"{voice.author} is both the author of the program and its only reader: nobody "
            "else ever sees what it does with the inputs."
        )
    both = [name for name in voice.providers if name in readers]
    if both and len(voice.providers) > 1:
        yield (
            f"{listed(both)} {verb(both, 'gives', 'give')} data and {verb(both, 'reads', 'read')} "
            "the result: who knows some of the data can tell more of the others' by it."
        )
    if policy.conduct.rounds > 1:
        yield (
            "In a later round the program sees the result of the round before as well"
            f"{', with its noise' if voice.private else ''}: results of several rounds can tell "
            "together what none of them tells alone."
        )
    if policy.conduct.deterministic:
        yield (
            "The program's random numbers come from a seed that is in the receipts: every "
            "principal can know them."
        )


def _results(voice: Voice) -> str:
    conduct = voice.policy.conduct
    rounds, most = conduct.rounds, conduct.results_per_reader
    if rounds == 1:
        return "the result"
    if most >= rounds:
        return f"the result of every round; there may be {counted(rounds, 'round')}"
    each = "" if len(voice.readers) == 1 else ", each of them for rounds of its own choice"
    return f"the results of at most {most:,} of {counted(rounds, 'round')}{each}"


def _by_the_program(voice: Voice) -> Iterator[str]:
    program = voice.program
    if program is None:
        yield (
            "What the result tells of the inputs is the program's doing: it can be anything "
            "that the inputs say."
        )
        return
    for who, what in program.learns.items():
        yield f"By {program.name}: {_party(voice, who)} learns {what}."
    if program.codes and not voice.private:
        codes = "; ".join(f"{code}, {reason}" for code, reason in sorted(program.codes.items()))
        yield f"Error codes of {program.name}, which readers are told: {codes}."


def _party(voice: Voice, who: str) -> str:
    """A kind of party, with the name of who that is here, if the program's author says enough."""
    order = voice.policy.data_provision_order
    place = _PLACE.search(who)
    if who == _READER:
        return f"{who} ({listed(voice.readers)})"
    if place is not None and int(place[1]) < len(order):
        return _PLACE.sub(f"(input {place[1]}: {voice.named(order[int(place[1])])})", who)
    return who


def _edge(voice: Voice) -> Iterator[str]:
    terms = voice.policy.result
    if terms.type != OPAQUE:
        yield f"No result leaves that is not of type {terms.type}."
    if terms.most_bytes is not None:
        yield f"No result leaves that is larger than {size(terms.most_bytes)}."
    if terms.contributors:
        yield (
            f"The program is not run unless at least {terms.contributors} principals gave an input "
            "that is not empty."
        )
    privacy = terms.privacy
    if privacy is not None:
        yield (
            f"The isolate adds {privacy.mechanism} noise to every number of a result: "
            f"{_cost(privacy.epsilon, privacy.delta)} for each, "
            f"{_cost(privacy.total_epsilon, privacy.total_delta)} in all, for contributors who "
            f"change it by at most {decimal_text(privacy.sensitivity)}. All readers get the same."
        )
        yield (
            "That no contributor changes it further is this policy's claim: the isolate cannot "
            "know, and the program has to see to it."
        )
        yield (
            "A run that fails is paid for as a release is: that it failed is told, without noise."
        )


def _of_runs(voice: Voice) -> Iterator[str]:
    """What is told beside the result."""
    ended = (
        "whether each run ended with a result; how one failed nobody learns"
        if voice.private
        else "how each run ended: well, with an error code, by a trap, by a limit, with its "
        "process, or with a result that was withheld"
    )
    yield (
        "Every principal learns who has sent what when, its size in bytes, whose word is awaited, "
        f"how often the program ran, and {ended}; never the content."
    )
    if not voice.private:
        yield _details(voice)
    if voice.policy.debug:
        yield (
            f"{voice.author} learns what the program says while it runs, its code, and where in it "
            "a run failed: that can be anything, the inputs included (debug is on)."
        )
    elif not voice.private:
        yield (
            f"{voice.author} learns of a failed run by which trap or limit it ended, and not "
            "where, on what, or with which error code"
            f"{'; as a reader, the code as well' if voice.author in voice.readers else ''}."
        )


def _details(voice: Voice) -> str:
    conduct, told = voice.policy.conduct, list(voice.readers)
    rationed = conduct.results_per_reader < conduct.rounds
    if voice.policy.debug and not rationed and voice.author not in told:
        told.append(voice.author)
    fuel = voice.policy.limits.fuel is not None
    what = ["the program's code", "how long it took", *["the fuel it used"] * fuel]
    learn, have = verb(told, "learns", "learn"), verb(told, "it may have", "they may have")
    which = f"of each run of a round whose result {have}" if rationed else "of each run"
    return f"{listed(told)} {learn} {which} as well {listed(what)}."


def _cost(epsilon: "Fraction", delta: "Fraction") -> str:
    more = f" and delta {decimal_text(delta)}" if delta else ""
    return f"epsilon {decimal_text(epsilon)}{more}"
