"""What a program in Python may ask of the isolate that runs it.

A program is a module with a function `main`, which is given its inputs and gives its result:

    def main(inputs):
        return str(sum(map(float, inputs[0].decode().split()))).encode()

`inputs` is a sequence of bytes, in the order of the policy; each is read when it is first asked
for. `open_input` gives one as a file, of which no more is in memory than is read. What `main`
returns is the result: bytes, text (as UTF-8), or None for none. A whole number is a return code
instead: 0 for success, any other goes to the readers in place of a result. `raise
libveracruz.Failure(code)` does the same from anywhere. Any other exception ends the run with return
code -1. Under a policy that says `debug`, the program's provider reads what was printed last, and
what an exception was.
"""

import io as _io

from wit_world.imports import host as _host

PIECE_BYTES = 256 * 1024

SUCCESS = 0
GENERIC = -1
DATA_SOURCE_COUNT = -2
DATA_SOURCE_SIZE = -3
BAD_INPUT = -4
INVARIANT_FAILED = -5
NOT_IMPLEMENTED = -6
SERVICE_UNAVAILABLE = -7


class Failure(Exception):
    """Ends the run with a return code, by convention one of those above."""

    def __init__(self, code=GENERIC, message=""):
        super().__init__(message)
        self.code = code


def refuse_input(index, reason=0, message=""):
    """What to raise to say which input the program refuses, and why, by a number of its own.

    Who may read the return code is told the input's name in the policy. The index is at most 65535,
    the reason 255.
    """
    return _refusal(0x52000000, index, reason, message)


def refuse_stream(index, reason=0, message=""):
    """As `refuse_input`, of a stream."""
    return _refusal(0x53000000, index, reason, message)


def _refusal(first, index, reason, message):
    if not (0 <= index <= 0xFFFF and 0 <= reason <= 0xFF):
        return Failure(BAD_INPUT, message)
    return Failure(first + 256 * index + reason, message)


class HostError(Exception):
    """The host answered a call by a status, such as -4 for an input that is not there."""

    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


def inputs():
    """All inputs, as bytes, in the order of the policy."""
    return [read_input(index) for index in range(input_count())]


def input_count():
    """How many inputs there are."""
    return _host.input_count()


def input_size(index):
    """Bytes of an input."""
    return _asked(_host.input_size, index)


def read_input(index):
    """An input, all of it."""
    size = input_size(index)
    try:
        return _gathered(size, lambda *piece: _host.read_input(index, *piece))
    except MemoryError:
        raise MemoryError(
            f"input {index} has {size} bytes, more than there is room for: "
            f"read it in pieces, from open_input({index})"
        ) from None


def open_input(index, mode="rb", *, encoding="utf-8", newline=None):
    """An input as a file, binary (`rb`) or text (`r`), which is read in pieces."""
    if mode not in ("r", "rt", "rb"):
        raise ValueError(f"mode {mode!r}: an input is read, as 'r' or 'rb'")
    file = _io.BufferedReader(_Input(index), PIECE_BYTES)
    if mode == "rb":
        return file
    text = _io.TextIOWrapper(file, encoding=encoding, newline=newline)
    text._CHUNK_SIZE = PIECE_BYTES  # a call of the host for 8 KiB at a time would be slow
    return text


def streams():
    """This round's items of all streams, as bytes."""
    return [read_stream(index) for index in range(stream_count())]


def stream_count():
    """How many streams there are."""
    return _host.stream_count()


def stream_size(index):
    """Bytes of this round's item of a stream."""
    return _asked(_host.stream_size, index)


def read_stream(index):
    """This round's item of a stream, all of it."""
    return _gathered(stream_size(index), lambda *piece: _host.read_stream(index, *piece))


def previous_result():
    """The result of the round before, empty when it had none; None in round one."""
    if not _host.has_previous_result():
        return None
    return _gathered(_host.previous_result_size(), _host.read_previous_result)


def random_bytes(size):
    """Random bytes of the platform."""
    return _gathered(size, lambda _offset, piece: _host.getrandom(piece))


def write_output(result):
    """Register the result, once: what `main` returns does it too."""
    view = memoryview(result).cast("B")
    last = False
    for start in range(0, max(len(view), 1), PIECE_BYTES):
        last = start + PIECE_BYTES >= len(view)
        _asked(_host.write_output, bytes(view[start : start + PIECE_BYTES]), last)


def say(text):
    """Say something to the author, who reads the last 4096 bytes under `debug`; `print` does it."""
    _asked(_host.message, (text.encode() if isinstance(text, str) else bytes(text))[-4096:])


class _Input(_io.RawIOBase):
    def __init__(self, index):
        self._index, self._size, self._at = index, input_size(index), 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=_io.SEEK_SET):
        base = (0, self._at, self._size)[whence]
        if base + offset < 0:
            raise ValueError(f"negative position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer):
        size = max(0, min(len(buffer), PIECE_BYTES, self._size - self._at))
        if size:
            buffer[:size] = _asked(_host.read_input, self._index, self._at, size)
            self._at += size
        return size


def _gathered(size, read):
    content = _io.BytesIO()
    if size > PIECE_BYTES:  # room for all of it at once: growing would take twice as much
        content.seek(size - 1)
        content.write(b"\0")
        content.seek(0)
    for start in range(0, size, PIECE_BYTES):
        content.write(_asked(read, start, min(PIECE_BYTES, size - start)))
    return content.getvalue()


def _asked(call, *arguments):
    """What the host gives; its status as an exception."""
    try:
        return call(*arguments)
    except Exception as error:
        status = getattr(error, "value", None)
        if isinstance(status, int):
            raise HostError(status) from None
        raise
