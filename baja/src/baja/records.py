"""Where the records of TLS begin and end, which is told in clear in front of each (RFC 8446 §5.1).

What a record costs whoever opens it does not depend on its size alone: thousands of tiny ones, or
of KeyUpdates, which bring nothing, fit into what one large one takes. So who shares its time
between sessions takes records by number.
"""

from typing import Final

_HEADER_BYTES: Final = 5
_LENGTH: Final = slice(3, 5)


class RecordCounter:
    """The records of one direction of one connection."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._missing = 0  # of the body of the record that has begun

    def take(self, data: memoryview, most: int) -> tuple[int, int]:
        """How many bytes of `data` to take, and how many records end in them.

        Args:
            data: what came next.
            most: so many records end in what is taken, or all of `data` is taken.
        """
        position = records = 0
        while position < len(data) and records < most:
            if not self._missing and not self._header and len(data) - position >= _HEADER_BYTES:
                # A whole header, as nearly all are; the bytes one by one, for slices take longer.
                self._missing = data[position + 3] << 8 | data[position + 4]
                position += _HEADER_BYTES
            elif not self._missing:
                wanted = _HEADER_BYTES - len(self._header)
                self._header += data[position : position + wanted]
                position += min(wanted, len(data) - position)
                if len(self._header) < _HEADER_BYTES:
                    break
                self._missing = int.from_bytes(self._header[_LENGTH])
                self._header.clear()
            step = min(self._missing, len(data) - position)
            position += step
            self._missing -= step
            records += not self._missing
        return position, records
