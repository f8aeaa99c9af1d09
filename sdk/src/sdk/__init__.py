"""What the author of a program needs: libraries, compilers, examples, data and an offline engine.

The rooms, imported one by one, from the ground up: `sdk.toolchains` (from sources to a module),
`sdk.adaptation` (programs that speak WASI), `sdk.encoding` (values and tables to bytes and back),
`sdk.examples` (the example programs), `sdk.projects` (a program of one's own, and its tests),
`sdk.freestanding` (running a program offline), `sdk.commands` (the command lines), with `sdk.cli`
as their face.
"""

from sdk.errors import (
    AdaptationError,
    BuildError,
    GenerationError,
    NotAllowedError,
    ProjectError,
    SchemaError,
    SdkError,
    SourceUnavailableError,
    StaleModuleError,
    UsageError,
)

__all__ = [
    "AdaptationError",
    "BuildError",
    "GenerationError",
    "NotAllowedError",
    "ProjectError",
    "SchemaError",
    "SdkError",
    "SourceUnavailableError",
    "StaleModuleError",
    "UsageError",
]
