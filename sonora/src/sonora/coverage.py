"""What a measurement covers, in few words: out of the names of its files."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coverage:
    """The interpreter is always covered; what else is.

    Attributes:
        modules: how many modules, those of the standard library among them.
        native_libraries: how many native libraries that are no modules.
        packages: the top-level packages beside the standard library, sorted.
    """

    modules: int
    native_libraries: int
    packages: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "interpreter": True,
            "modules": self.modules,
            "native_libraries": self.native_libraries,
            "packages": list(self.packages),
        }

    def as_text(self) -> str:
        """The same in a sentence."""
        return (
            f"covers the interpreter, {self.native_libraries} native libraries and {self.modules}"
            f" modules: the standard library's, and those of {', '.join(self.packages)}"
        )


def coverage_of(names: Iterable[str]) -> Coverage:
    """What files of these names, as `sonora.measurement` gives them, cover."""
    listed = list(names)
    modules = [name.removeprefix("module:") for name in listed if name.startswith("module:")]
    packages = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return Coverage(
        modules=len(modules),
        native_libraries=sum(name.startswith("native:") for name in listed),
        packages=tuple(sorted(packages)),
    )
