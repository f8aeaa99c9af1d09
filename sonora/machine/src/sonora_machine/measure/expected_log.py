"""The event log that a machine will have, as far as it is of its image: to compare a real one with.

A log of TCG's crypto-agile form with one bank. What a log says beside a digest is free; here it is
what the digest is of, in words.

Standard: TCG PC Client Platform Firmware Profile 1.06 §10 (TCG_EfiSpecIDEvent, TCG_PCR_EVENT2).
"""

import struct
from collections.abc import Iterable
from typing import Final

from sonora_machine.measure.registers import Extending

_NO_ACTION, _IPL = 0x03, 0x0D
_SHA256: Final = 0x000B
_FIRST: Final = struct.Struct("<II20sI")
_SPECIFICATION: Final = struct.Struct("<16sIBBBBIHHB")
_EVENT: Final = struct.Struct("<IIIH")


def expected_log(extendings: Iterable[Extending]) -> bytes:
    """A log of these, in their order; their registers are called `pcr4` and so on."""
    # Class 0, version 2.0, errata 0, 64-bit numbers; one bank; nothing of the vendor.
    head = _SPECIFICATION.pack(b"Spec ID Event03\0", 0, 0, 2, 0, 2, 1, _SHA256, 32, 0)
    events = [_FIRST.pack(0, _NO_ACTION, bytes(20), len(head)) + head]
    for each in extendings:
        said = each.what.encode()
        number = int(each.register.removeprefix("pcr"))
        events.append(_EVENT.pack(number, _IPL, 1, _SHA256) + each.digest)
        events.append(struct.pack("<I", len(said)) + said)
    return b"".join(events)
