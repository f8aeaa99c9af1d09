"""Guest libraries, example programs and the freestanding execution engine.

The parts are modules of their own, imported one by one: `sdk.programs` and `sdk.samples` (what the
demo runs, and on what), `sdk.examples` (what each example is given and computes), `sdk.pinecone`,
`sdk.schemas`, `sdk.tables` and `sdk.csv_cells` (data for programs), `sdk.freestanding` (running a
program offline), `sdk.build` (from source to a module), `sdk.projects` (a program of one's own),
`sdk.generate`.
"""

from sdk.errors import (
    BuildError,
    GenerationError,
    NotAllowedError,
    PineconeError,
    ProjectError,
    RepeatedError,
    SchemaError,
    SdkError,
    SourceUnavailableError,
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
    "ProjectError",
    "RepeatedError",
    "SchemaError",
    "SdkError",
    "SourceUnavailableError",
    "StaleModuleError",
    "TableError",
    "TypeExpressionError",
    "UsageError",
]
