"""What is known of each example program: inputs, data to try it on, and what it should compute.

Every module of this package describes one example in its `EXAMPLE`; nothing else lists them. Its
source is in `examples/NAME`, the module that the source builds in `sdk.examples.programs`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from sdk.examples.model import Example

__all__ = ["EXAMPLES"]


def _all() -> dict[str, Example]:
    names = (module.name for module in iter_modules(__path__))
    found = (import_module(f"{__name__}.{name}").EXAMPLE for name in sorted(names))
    return {example.name: example for example in found}


EXAMPLES: Final = _all()
"""Every example by its name."""
