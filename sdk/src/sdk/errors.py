"""What can fail in the SDK, as a tree.

SdkError                    (a VeracruzError, exit_code 1)
├ SchemaError               a schema of a CSV file is malformed
├ GenerationError           sample data of this shape cannot be made
├ ProjectError              a program's folder, or a case in it, is wrong
├ BuildError                the toolchain is missing, or cannot build a program
│ └ SourceUnavailableError  what a program is built with cannot be fetched
├ AdaptationError           a program that speaks WASI cannot be adapted
├ StaleModuleError          a shipped module is not what its source builds
├ UsageError                a command line or configuration is wrong; exit_code 2
└ NotAllowedError           the policy does not allow a run; exit_code 3
"""

from typing import ClassVar

from veracruz_utils.errors import RefusedError, VeracruzError


class SdkError(VeracruzError):
    """Something in the SDK failed."""


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


class AdaptationError(SdkError):
    """A program that speaks WASI cannot be adapted."""


class StaleModuleError(SdkError):
    """A shipped module is not what its source builds."""


class UsageError(SdkError):
    """A command line or a configuration is wrong."""

    exit_code: ClassVar[int] = 2


class NotAllowedError(SdkError, RefusedError):
    """The policy does not allow a run."""

    exit_code: ClassVar[int] = RefusedError.exit_code
