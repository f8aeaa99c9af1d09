"""What can fail in the SDK, as a tree.

SdkError                    (a VeracruzError, exit_code 1)
├ TypeExpressionError       a type expression is malformed
├ PineconeError             a value or bytes do not fit their type
│ └ RepeatedError           an element of a set, or a key of a map, is there twice
├ TableError                a CSV file does not fit its type
├ SchemaError               a schema of a CSV file is malformed
├ GenerationError           sample data of this shape cannot be made
├ ProjectError              a program's folder, or a case in it, is wrong
├ BuildError                the toolchain is missing, or cannot build a program
│ └ SourceUnavailableError  what a program is built with cannot be fetched
├ StaleModuleError          a shipped module is not what its source builds
├ UsageError                a command line or configuration is wrong; exit_code 2
└ NotAllowedError           the policy does not allow a run; exit_code 3
"""

from typing import ClassVar

from veracruz_utils.errors import RefusedError, VeracruzError


class SdkError(VeracruzError):
    """Something in the SDK failed."""


class TypeExpressionError(SdkError):
    """A type expression is malformed, or describes a type that has no encoding."""


class PineconeError(SdkError):
    """A value or bytes do not fit their type.

    Attributes:
        reason: what is wrong, without where.
        steps: where in the value, from the outside in: the index of an element, the name of a
            field.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: tuple[int | str, ...] = ()

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


class TableError(SdkError):
    """A CSV file is malformed, or does not fit its type."""


class SchemaError(SdkError):
    """A schema of a CSV file is malformed."""


class GenerationError(SdkError):
    """Sample data of this shape cannot be made."""


class ProjectError(SdkError):
    """A program's folder, or a case in it, is wrong."""


class BuildError(SdkError):
    """The toolchain is missing, or cannot build a program."""


class SourceUnavailableError(BuildError):
    """What a program is built with has to be fetched from a registry, and cannot be."""


class StaleModuleError(SdkError):
    """A shipped module is not what its source builds."""


class UsageError(SdkError):
    """A command line or a configuration is wrong."""

    exit_code: ClassVar[int] = 2


class NotAllowedError(SdkError, RefusedError):
    """The policy does not allow a run."""

    exit_code: ClassVar[int] = RefusedError.exit_code
