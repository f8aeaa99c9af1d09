"""trial-allocation: who of a trial's participants is treated, drawn where nobody can meddle."""

from collections.abc import Sequence
from typing import Final, TypedDict, cast

from sdk.examples.draw import seeded, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import decode, encode

_PARTICIPANTS: Final = NamedType(
    "participants", "Vec<String>", "an input of trial-allocation: those of one site"
)
_ALLOCATION: Final = NamedType(
    "allocation",
    "Vec<Vec<{participant: String, treated: bool}>>",
    "result of trial-allocation, site by site",
)
_SITES: Final = 3


class _Allocated(TypedDict):
    participant: str
    treated: bool


def _generate(seed: int, size: int) -> Case:
    """`size` participants of each site, under numbers that say the site."""
    random = seeded(seed)
    return Case(
        tuple(
            encode(
                _PARTICIPANTS.kind,
                [f"{site}-{number:06}-{whole(random, 10, 99)}" for number in range(size)],
            )
            for site in range(1, _SITES + 1)
        )
    )


def _check(case: Case, results: Sequence[bytes | None]) -> str | None:
    """Everybody once, in order, and half of each site treated: the rest is chance."""
    (result,) = results
    if result is None:
        return "there is no result"
    sites = cast("list[list[_Allocated]]", decode(_ALLOCATION.kind, result))
    if len(sites) != len(case.inputs):
        return f"{len(sites)} sites of {len(case.inputs)}"
    for number, (site, data) in enumerate(zip(sites, case.inputs, strict=True), 1):
        if [one["participant"] for one in site] != decode(_PARTICIPANTS.kind, data):
            return f"site {number} has other participants"
        treated = sum(one["treated"] for one in site)
        if abs(2 * treated - len(site)) > 1:
            return f"site {number} treats {treated} of {len(site)}"
    return None


EXAMPLE: Final = Example(
    name="trial-allocation",
    summary="who of a trial's participants is treated, drawn where nobody can meddle",
    language="rust",
    inputs=tuple(
        Input(f"participants-{number}", _PARTICIPANTS.expression, f"site {number}")
        for number in range(1, _SITES + 1)
    ),
    result=_ALLOCATION.expression,
    types=(_PARTICIPANTS, _ALLOCATION),
    codes={
        -7: "the host has no random numbers now",
        -4: "an input does not decode, or somebody is in there twice",
        -2: "no input",
        -1: "anything else",
    },
    generate=_generate,
    default_size=100,
    check=_check,
)
