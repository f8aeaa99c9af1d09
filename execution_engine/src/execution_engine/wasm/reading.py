"""What a decoder reads besides numbers: names, and that nothing is left."""

from execution_engine.reader import BinaryError, WasmReader


def read_name(reader: WasmReader) -> str:
    """A length and as many bytes of UTF-8."""
    part = reader.part()
    try:
        return reader.data[part.at : part.end].decode()
    except UnicodeDecodeError:
        raise BinaryError("name is not UTF-8", part.at) from None


def expect_end(reader: WasmReader, what: str) -> None:
    """Check that everything was read.

    Raises:
        BinaryError: something is left.
    """
    if reader.at != reader.end:
        raise BinaryError(f"{what} is longer than its content", reader.at)
