"""The sources of guest libraries and examples that the SDK ships."""

from importlib.resources import files
from pathlib import Path

from sdk.errors import BuildError


def source_folder(name: str) -> Path:
    """The folder `c`, `zig`, `assemblyscript`, `python` (guest libraries) or `examples`.

    It is looked for where a wheel has it, then in the source tree.

    Raises:
        BuildError: it is in neither place.
    """
    package = Path(str(files("sdk"))).resolve()
    for parent in (package / "_sources", package.parents[1]):
        if parent.joinpath("c", "veracruz.c").is_file():
            return parent / name
    raise BuildError("the sources of the guest library are not installed: reinstall veracruz-sdk")
