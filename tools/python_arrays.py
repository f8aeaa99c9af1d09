"""Build the compiled part of `libveracruz.arrays` again, where it is shipped."""

from sdk.toolchains.python_arrays import MODULE, compile_arrays
from sdk.toolchains.sources import source_folder


def main() -> None:
    """Write it below the sources of the guest library for Python."""
    folder = source_folder("python")
    (folder / MODULE).write_bytes(compile_arrays(folder / "arrays"))


if __name__ == "__main__":
    main()
