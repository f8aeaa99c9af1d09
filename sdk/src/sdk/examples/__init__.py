"""What is known of each example program: inputs, data to try it on, and what it should compute.

Every module of this package describes one example in its `EXAMPLE`; nothing else lists them. Its
source is in `examples/NAME`, the module that the source builds in `sdk.programs`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from sdk.examples._model import Case, Example, Input, NamedType, Stream, same

__all__ = ["EXAMPLES", "Case", "Example", "Input", "NamedType", "Stream", "load", "same"]


def _all() -> dict[str, Example]:
    names = (module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    found = (import_module(f"{__name__}.{name}").EXAMPLE for name in sorted(names))
    return {example.name: example for example in found}


EXAMPLES: Final = _all()
"""Every example by its name."""


def load(name: str) -> Example:
    """The example of that name; KeyError if there is none."""
    return EXAMPLES[name]
