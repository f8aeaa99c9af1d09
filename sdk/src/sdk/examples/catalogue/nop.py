"""nop: nothing, successfully."""

from typing import Final

from sdk.examples.model import Case, Example

EXAMPLE: Final = Example(
    name="nop",
    summary="nothing, successfully",
    language="rust",
    result=None,
    codes={},
    generate=lambda _seed, _size: Case(()),
)
