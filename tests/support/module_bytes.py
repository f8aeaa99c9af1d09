"""Modules put together byte by byte, for what the text format cannot say."""

MAGIC = b"\0asm\1\0\0\0"


def leb(value: int) -> bytes:
    """An unsigned LEB128 number."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def text(value: str) -> bytes:
    """A name: its length and its bytes."""
    return leb(len(value.encode())) + value.encode()


def section(number: int, content: bytes) -> bytes:
    """A section with its size."""
    return bytes((number,)) + leb(len(content)) + content


def custom(name: str, content: bytes = b"") -> bytes:
    """A custom section."""
    return section(0, text(name) + content)


def producers(**fields: list[tuple[str, str]]) -> bytes:
    """A producers section: field, and pairs of name and version."""
    content = leb(len(fields))
    for field, values in fields.items():
        content += text(field) + leb(len(values))
        content += b"".join(text(name) + text(version) for name, version in values)
    return custom("producers", content)
