"""secret-ballot: how many voted for what, if enough voted at all."""

from collections import Counter
from typing import Final

from sdk.examples.draw import seeded, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_TERMS: Final = NamedType(
    "ballot-terms",
    "{choices: Vec<String>, least_voters: u32, least_votes: u32}",
    "input 0 of secret-ballot",
)
_BALLOT: Final = NamedType("ballot", "u32", "a ballot of secret-ballot: the number of a choice")
_TALLY: Final = NamedType(
    "tally",
    "{voters: u32, spoiled: u32, tally: Vec<(String, u32)>}",
    "result of secret-ballot",
)
_CHOICES: Final[list[Value]] = ["yes", "no", "neither"]
_VOTERS: Final = 9


def _generate(seed: int, size: int) -> Case:
    """Nine ballots, some of them spoiled; a choice needs `size` modulo 3 votes."""
    random = seeded(seed)
    terms: Value = {"choices": _CHOICES, "least_voters": 5, "least_votes": size % 3}
    ballots = [encode(_BALLOT.kind, whole(random, 0, len(_CHOICES))) for _ in range(_VOTERS)]
    return Case((encode(_TERMS.kind, terms), *ballots))


def _expected(case: Case) -> list[Value]:
    terms = decode(_TERMS.kind, case.inputs[0])
    assert isinstance(terms, dict)
    choices, least, votes = terms["choices"], terms["least_voters"], terms["least_votes"]
    assert isinstance(choices, list)
    assert isinstance(least, int)
    assert isinstance(votes, int)
    cast = Counter(int.from_bytes(data, "little") for data in case.inputs[1:])
    valid = {number: cast[number] for number in range(len(choices))}
    voters = sum(valid.values())
    tally: list[Value] = [
        (choice, valid[number])
        for number, choice in enumerate(choices)
        if voters >= least and valid[number] >= votes
    ]
    return [{"voters": voters, "spoiled": len(case.inputs) - 1 - voters, "tally": tally}]


EXAMPLE: Final = Example(
    name="secret-ballot",
    summary="how many voted for what, if enough voted at all",
    language="rust",
    inputs=(
        Input("terms", _TERMS.expression, "election office"),
        *(Input(f"ballot-{number}", _BALLOT.expression, "voter") for number in range(1, 10)),
    ),
    result=_TALLY.expression,
    types=(_TERMS, _BALLOT, _TALLY),
    codes={-2: "no terms", -4: "an input does not decode"},
    generate=_generate,
    expected=_expected,
)
