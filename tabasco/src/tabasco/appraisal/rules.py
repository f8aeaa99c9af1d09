"""What a policy may ask of one value."""

from typing import Annotated

import msgspec

from tabasco.verify.proven import Fact

HexText = Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{2}){1,128}$")]
"""Up to 128 bytes in hexadecimal."""


class AppraisalRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What one fact has to be; each operator that is given has to hold, and one has to be given.

    `equals` and `one_of` compare what is shown; `at_least` and `at_most` are of numbers alone.
    """

    equals: str | None = None
    one_of: tuple[str, ...] | None = None
    at_least: int | None = None
    at_most: int | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__struct_fields__):
            raise ValueError("a rule without operator")

    def holds(self, found: Fact) -> bool:
        """Whether the fact is as this asks."""
        shown = str(found)
        bounded = self.at_least is not None or self.at_most is not None
        if bounded and not isinstance(found, int):
            return False
        return (
            (self.equals is None or shown == self.equals)
            and (self.one_of is None or shown in self.one_of)
            and (self.at_least is None or int(found) >= self.at_least)
            and (self.at_most is None or int(found) <= self.at_most)
        )

    def __str__(self) -> str:
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return " and ".join(
            f"{name.replace('_', ' ')} {value!r}"
            for name, value in given.items()
            if value is not None
        )
