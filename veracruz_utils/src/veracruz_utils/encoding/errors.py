"""What can be wrong with types, and with data that are to be of a type.

EncodingError             (a VeracruzError, exit_code 1)
├ TypeExpressionError     a type expression is malformed
├ PineconeError           a value or bytes do not fit their type
│ └ RepeatedError         an element of a set, or a key of a map, is there twice
└ TableError              a CSV file does not fit its type
"""

from veracruz_utils.errors import VeracruzError


class EncodingError(VeracruzError):
    """A type, or data that are to be of it, cannot be used."""


class TypeExpressionError(EncodingError):
    """A type expression is malformed, or describes a type that has no encoding."""


class PineconeError(EncodingError):
    """A value or bytes do not fit their type.

    Attributes:
        reason: what is wrong, without where.
        steps: where in the value, from the outside in: the index of an element, the name of a
            field.
        offset: where in the bytes, if that is known.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: tuple[int | str, ...] = ()
        self.offset: int | None = None

    def inside(self, step: int | str) -> "PineconeError":
        """This error, seen from one level further out."""
        self.steps = (step, *self.steps)
        return self

    @property
    def path(self) -> str:
        """Where in the value, such as `[3].name`; empty for the value itself."""
        names = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)
        return "".join(names).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.steps else self.reason


class RepeatedError(PineconeError):
    """An element of a set, or a key of a map, is there twice; `first` is the earlier index."""

    def __init__(self, first: int) -> None:
        super().__init__(f"repeats element {first}")
        self.first = first


class TableError(EncodingError):
    """A CSV file is malformed, or does not fit its type."""
