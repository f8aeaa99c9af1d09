"""random-source: four random bytes."""

from collections.abc import Sequence
from typing import Final

from sdk.examples.model import Case, Example, NamedType

_BYTES: Final = NamedType("random-bytes", "Vec<u8>", "result of random-source")
_COUNT: Final = 4


def _check(_: Case, results: Sequence[bytes | None]) -> str | None:
    (result,) = results
    if result is None or len(result) != 1 + _COUNT or result[0] != _COUNT:
        return f"the result is not {_COUNT} bytes behind their count"
    return None


EXAMPLE: Final = Example(
    name="random-source",
    summary="four random bytes that nobody chose",
    language="rust",
    result=_BYTES.expression,
    types=(_BYTES,),
    codes={-7: "the host has no random numbers now", -1: "anything else"},
    generate=lambda _seed, _size: Case(()),
    check=_check,
)
