"""Pinecone, the encoding of inputs and results of 2021's programs, for a program in Python.

    reader = Reader(inputs[0])
    points = reader.sequence(lambda: (reader.f64(), reader.f64()), least=16)
    reader.finish()
    ...
    return Writer().f64(gradient).f64(intercept).content

Numbers have fixed width and are little-endian; lengths and the numbers of variants are varints.
Every input is somebody else's: what cannot be read is a DecodeError, and no length is believed
before there are as many bytes.
"""

import struct

_U8, _U16, _U32, _U64 = (struct.Struct("<" + code) for code in "BHIQ")
_I8, _I16, _I32, _I64 = (struct.Struct("<" + code) for code in "bhiq")
_F32, _F64 = struct.Struct("<f"), struct.Struct("<d")
_MAX = 2**64 - 1


class DecodeError(ValueError):
    """The bytes are no encoding of what was asked for."""


class Reader:
    """A cursor over encoded bytes."""

    def __init__(self, content):
        self._content = bytes(content)
        self._at = 0

    @property
    def remaining(self):
        """How many bytes are left."""
        return len(self._content) - self._at

    def finish(self):
        """Insist that everything was read."""
        if self.remaining:
            raise DecodeError(f"{self.remaining} bytes are left over")

    def take(self, size):
        """The next `size` bytes."""
        if size > self.remaining:
            raise DecodeError(f"{size} bytes are needed, {self.remaining} are left")
        self._at += size
        return self._content[self._at - size : self._at]

    def varint(self):
        """A length, or the number of a variant."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > _MAX or (byte == 0 and shift):
                    break
                return value
        raise DecodeError("a varint is too long")

    def count(self, least=1):
        """The length of a sequence whose elements have at least `least` bytes each."""
        count = self.varint()
        if count * least > self.remaining:
            raise DecodeError(f"{count} elements are announced, {self.remaining} bytes are left")
        return count

    def sequence(self, read, least=1):
        """A list of what `read` reads."""
        return [read() for _ in range(self.count(least))]

    def mapping(self, read_key, read_value, least=1):
        """A dict; a key that comes twice is an error."""
        pairs = self.sequence(lambda: (read_key(), read_value()), least)
        found = dict(pairs)
        if len(found) != len(pairs):
            raise DecodeError("a key comes twice")
        return found

    def option(self, read):
        """None, or what `read` reads."""
        return read() if self.boolean() else None

    def boolean(self):
        """False or True."""
        byte = self.take(1)[0]
        if byte > 1:
            raise DecodeError(f"expected a bool, 0 or 1, got {byte}")
        return byte == 1

    def text(self):
        """A string."""
        try:
            return self.take(self.varint()).decode()
        except UnicodeDecodeError:
            raise DecodeError("text is not UTF-8") from None

    def char(self):
        """One character."""
        code = self.u32()
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise DecodeError(f"{code} is not the code point of a character")
        return chr(code)

    def _number(self, layout):
        return layout.unpack(self.take(layout.size))[0]


class Writer:
    """Bytes that grow; every method gives the writer back."""

    def __init__(self):
        self._parts = bytearray()

    @property
    def content(self):
        """What was written."""
        return bytes(self._parts)

    def varint(self, value):
        """A length, or the number of a variant."""
        if not 0 <= value <= _MAX:
            raise ValueError(f"{value} is not a length")
        while value > 0x7F:
            self._parts.append(value & 0x7F | 0x80)
            value >>= 7
        self._parts.append(value)
        return self

    def sequence(self, elements, write):
        """As many elements, each written by `write`."""
        self.varint(len(elements))
        for element in elements:
            write(element)
        return self

    def mapping(self, content, write_key, write_value):
        """A dict, in its order."""
        self.varint(len(content))
        for key, value in content.items():
            write_key(key)
            write_value(value)
        return self

    def option(self, value, write):
        """None, or a value written by `write`."""
        self.boolean(value is not None)
        if value is not None:
            write(value)
        return self

    def boolean(self, value):
        """False or True."""
        self._parts.append(bool(value))
        return self

    def text(self, value):
        """A string."""
        encoded = value.encode()
        self.varint(len(encoded))
        self._parts += encoded
        return self

    def char(self, value):
        """One character."""
        return self.u32(ord(value))

    def _number(self, layout, value):
        self._parts += layout.pack(value)
        return self


def _numbers():
    """`u8` to `u64`, `i8` to `i64`, `f32`, `f64`, for both."""
    layouts = {
        "u8": _U8, "u16": _U16, "u32": _U32, "u64": _U64, "i8": _I8, "i16": _I16, "i32": _I32,
        "i64": _I64, "f32": _F32, "f64": _F64,
    }  # fmt: skip
    for name, layout in layouts.items():
        setattr(Reader, name, lambda self, layout=layout: self._number(layout))
        setattr(Writer, name, lambda self, value, layout=layout: self._number(layout, value))


_numbers()
