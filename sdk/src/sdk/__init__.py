"""Guest libraries, example programs and the freestanding execution engine.

The parts are modules of their own, imported one by one: `sdk.programs` and `sdk.samples` (what the
demo runs, and on what), `sdk.examples` (what each example is given and computes), `sdk.pinecone`,
`sdk.schemas` and `sdk.tables` (data for programs), `sdk.freestanding` (running a program offline),
`sdk.build` (from C to a module), `sdk.generate`.
"""

from sdk.errors import (
    BuildError,
    GenerationError,
    NotAllowedError,
    PineconeError,
    RepeatedError,
    SdkError,
    StaleModuleError,
    TableError,
    TypeExpressionError,
    UsageError,
)

__all__ = [
    "BuildError",
    "GenerationError",
    "NotAllowedError",
    "PineconeError",
    "RepeatedError",
    "SdkError",
    "StaleModuleError",
    "TableError",
    "TypeExpressionError",
    "UsageError",
]
