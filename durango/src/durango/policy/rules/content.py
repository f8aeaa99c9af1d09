"""Rules about what goes in and what comes out."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from durango.policy.known_programs import known_program
from durango.policy.rules.rule import Checked, Severity, rule
from durango.policy.terms import releases
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.grammar import parse_type
from veracruz_utils.policy import (
    OPAQUE,
    PolicyFormat,
    Role,
)

_LARGE_EPSILON: Final = 10
_LARGE_DELTA: Final = Fraction(1, 10_000)


@rule(
    "P401", Severity.WARNING, "a provider without a place",
    "give it a place in an order, or take the role away",
)  # fmt: skip
def _without_place(checked: Checked) -> Iterator[str]:
    for identity in checked.policy.identities:
        provides = identity.roles & {Role.DATA_PROVIDER, Role.STREAM_PROVIDER}
        if provides and identity not in checked.providers:
            yield (
                f"{identity.label} is {' and '.join(sorted(provides))}, but no order has a place "
                "for its input"
            )


@rule("P402", Severity.WARNING, "streams without places", "give the streams an order")
def _streams_without_places(checked: Checked) -> Iterator[str]:
    if checked.holders(Role.STREAM_PROVIDER) and not checked.policy.streaming_order:
        yield "there are stream providers, and no stream has a place"


@rule(
    "P403", Severity.NOTE, "inputs of no known type",
    "give `inputs` types, so that a wrong file is caught before it is sent",
)  # fmt: skip
def _opaque_inputs(checked: Checked) -> Iterator[str]:
    places = (*checked.policy.inputs, *checked.policy.streams)
    opaque = sum(place.type == OPAQUE for place in places)
    if opaque and checked.policy.format is PolicyFormat.CURRENT:
        yield f"{opaque} of {len(places)} inputs and streams take a file of any content"


@rule(
    "P404", Severity.NOTE, "a result of no known type",
    "give `result` a type and a size, so that nothing else can leave",
)  # fmt: skip
def _opaque_result(checked: Checked) -> Iterator[str]:
    if checked.policy.result.type == OPAQUE and checked.policy.format is PolicyFormat.CURRENT:
        yield "the result may be anything that the program writes"


@rule(
    "P405", Severity.WARNING, "a result of another type than the program's",
    "take the type that the program writes",
)  # fmt: skip
def _other_result(checked: Checked) -> Iterator[str]:
    program = known_program(checked.policy.program_digest)
    said = checked.policy.result.type
    if (
        program
        and program.result
        and said != OPAQUE
        and parse_type(said) != parse_type(program.result)
    ):
        yield f"the result is to be {said}, {program.name} writes {program.result}"


@rule(
    "P406", Severity.ERROR, "more is asked for than is allowed", "raise the one or lower the other"
)
def _contradiction(checked: Checked) -> Iterator[str]:
    limits, result = checked.policy.limits, checked.policy.result
    if result.most_bytes is not None and result.most_bytes > limits.output_bytes:
        yield f"result.bytes is {result.most_bytes}, limits.output_bytes {limits.output_bytes}"
    for name, places in (("inputs", checked.policy.inputs), ("streams", checked.policy.streams)):
        for index, place in enumerate(places):
            for limit in ("input_bytes", "total_input_bytes"):
                most = getattr(limits, limit)
                if place.most_bytes is not None and place.most_bytes > most:
                    yield f"{name}[{index}].bytes is {place.most_bytes}, limits.{limit} {most}"


@rule("P407", Severity.WARNING, "a run longer than the policy", "let the policy end later")
def _long_run(checked: Checked) -> Iterator[str]:
    left = (checked.policy.expires_at - checked.at).total_seconds()
    if 0 < left < checked.policy.limits.run_seconds:
        longest = checked.policy.limits.run_seconds
        yield f"a run may take {longest} s, the policy ends in {left:.0f} s"


@rule("P408", Severity.WARNING, "a large privacy budget", "an epsilon of 1 or less protects well")
def _large_epsilon(checked: Checked) -> Iterator[str]:
    privacy = checked.policy.result.privacy
    if privacy and privacy.total_epsilon > _LARGE_EPSILON:
        yield f"epsilon is {float(privacy.total_epsilon):g} in all, which protects next to nothing"
    if privacy and privacy.total_delta > _LARGE_DELTA:
        yield (
            f"delta is {float(privacy.total_delta):g} in all: so often somebody's data may show "
            "plainly"
        )


@rule(
    "P409", Severity.WARNING, "a number of items that noise does not hide",
    "have the program write a fixed number of them",
)  # fmt: skip
def _length_shows(checked: Checked) -> Iterator[str]:
    result = checked.policy.result
    if result.privacy and result.kind is not None and _has_sequence(result.kind):
        yield (
            "its result has a Vec: noise is added to the numbers in it, but how many there are is "
            "released as it is"
        )


@rule(
    "P410", Severity.WARNING, "a budget for fewer rounds than there are",
    "raise the total, lower the cost of a release, or allow fewer rounds",
)  # fmt: skip
def _budget_ends_early(checked: Checked) -> Iterator[str]:
    privacy, rounds = checked.policy.result.privacy, checked.policy.conduct.rounds
    if privacy and releases(privacy) < rounds:
        yield (
            f"its privacy budget pays for {releases(privacy)} releases, and it has {rounds} "
            "rounds: later ones will be refused"
        )


@rule(
    "P411", Severity.WARNING, "attempts that the privacy budget pays for",
    "allow one: each tells, without noise, whether the run failed",
)  # fmt: skip
def _paid_attempts(checked: Checked) -> Iterator[str]:
    attempts = checked.policy.conduct.attempts
    if checked.policy.result.privacy and attempts > 1:
        yield (
            f"the program may be run {attempts} times in a round: every one of them costs as much "
            "of its privacy budget as a release, and tells everybody whether it failed"
        )


@rule(
    "P412", Severity.WARNING, "inputs that fit one by one and not together",
    "raise limits.total_input_bytes, or give places less",
)  # fmt: skip
def _too_much_together(checked: Checked) -> Iterator[str]:
    places = (*checked.policy.inputs, *checked.policy.streams)
    together = sum(place.most_bytes or 0 for place in places)
    total = checked.policy.limits.total_input_bytes
    alone = max((place.most_bytes or 0 for place in places), default=0)
    if alone <= total < together:
        yield f"places may take {together} bytes together, limits.total_input_bytes is {total}"


@rule(
    "P413", Severity.WARNING, "an input of another type than the program's",
    "take the types that the program reads",
)  # fmt: skip
def _other_input(checked: Checked) -> Iterator[str]:
    program = known_program(checked.policy.program_digest)
    if program is None:
        return
    for name, places, known in (
        ("inputs", checked.policy.inputs, program.inputs),
        ("streams", checked.policy.streams, program.streams),
    ):
        read = {parse_type(each) for each in known if each != OPAQUE}
        for index, place in enumerate(places):
            if OPAQUE not in (place.type, *known) and place.kind not in read:
                reads = " or ".join(dict.fromkeys(known)) or f"no {name}"
                yield f"{name}[{index}] is to be {place.type}, {program.name} reads {reads}"


@rule(
    "P414", Severity.WARNING, "a program without the inputs that it reads",
    "give `inputs` and `streams` the places that the program reads",
)  # fmt: skip
def _nothing_to_read(checked: Checked) -> Iterator[str]:
    program = known_program(checked.policy.program_digest)
    if program is None:
        return
    for name, places, known in (
        ("inputs", checked.policy.inputs, program.inputs),
        ("streams", checked.policy.streams, program.streams),
    ):
        if known and not places:
            yield f"{program.name} reads {name}, and none has a place"
        if places and not known:
            yield f"{program.name} reads no {name}, and {len(places)} have a place"


def _has_sequence(kind: kinds.TypeKind) -> bool:
    return isinstance(kind, kinds.Sequence) or any(map(_has_sequence, kinds.parts(kind)))
