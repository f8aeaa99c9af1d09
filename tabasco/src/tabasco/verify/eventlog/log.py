"""Event logs of measured boot as values: TCG's for a TPM's registers, CCEL for those of TDX.

A log is signed by nobody. What it says is believed as far as it replays to registers that a quote
vouches for (`replay`), and then only its digests: the data beside a digest are authentic where
they hash to it, which `LoggedEvent.attested` says. A register that no quote covers proves nothing
of its events.

Forms: TCG, "PC Client Platform Firmware Profile" 10 (TCG_PCR_EVENT with SHA-1 alone, and the
crypto-agile TCG_PCR_EVENT2 behind a Spec ID event); the CC event log of UEFI 2.10, 38, is the
latter. All numbers are little-endian.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from veracruz_utils.frozen import frozen

MAX_LOG_BYTES: Final = 1024 * 1024
MAX_EVENTS: Final = 16_384

BANKS: Final[Mapping[int, str]] = {
    0x0004: "sha1",
    0x000B: "sha256",
    0x000C: "sha384",
    0x000D: "sha512",
    0x0012: "sm3",
}
"""Hashes by TCG's number, as `hashlib` calls them."""
DIGEST_BYTES: Final[Mapping[str, int]] = {
    "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32,
}  # fmt: skip

NO_ACTION: Final = 0x03
_SPEC_ID: Final = b"Spec ID Event03\0"
_STARTUP_LOCALITY: Final = b"StartupLocality\0"
_LOCALITIES: Final = frozenset({0, 3, 4})
_OLD_HEADER: Final = 32
_MAX_BANKS: Final = len(BANKS)
_MAX_REGISTER: Final = 31
_NO_REGISTER: Final = 0xFFFFFFFF
_NAMES: Final[Mapping[int, str]] = {
    0x00: "EV_PREBOOT_CERT",
    0x01: "EV_POST_CODE",
    0x03: "EV_NO_ACTION",
    0x04: "EV_SEPARATOR",
    0x05: "EV_ACTION",
    0x06: "EV_EVENT_TAG",
    0x07: "EV_S_CRTM_CONTENTS",
    0x08: "EV_S_CRTM_VERSION",
    0x09: "EV_CPU_MICROCODE",
    0x0A: "EV_PLATFORM_CONFIG_FLAGS",
    0x0B: "EV_TABLE_OF_DEVICES",
    0x0C: "EV_COMPACT_HASH",
    0x0D: "EV_IPL",
    0x0E: "EV_IPL_PARTITION_DATA",
    0x0F: "EV_NONHOST_CODE",
    0x10: "EV_NONHOST_CONFIG",
    0x11: "EV_NONHOST_INFO",
    0x12: "EV_OMIT_BOOT_DEVICE_EVENTS",
    0x13: "EV_POST_CODE2",
    0x80000001: "EV_EFI_VARIABLE_DRIVER_CONFIG",
    0x80000002: "EV_EFI_VARIABLE_BOOT",
    0x80000003: "EV_EFI_BOOT_SERVICES_APPLICATION",
    0x80000004: "EV_EFI_BOOT_SERVICES_DRIVER",
    0x80000005: "EV_EFI_RUNTIME_SERVICES_DRIVER",
    0x80000006: "EV_EFI_GPT_EVENT",
    0x80000007: "EV_EFI_ACTION",
    0x80000008: "EV_EFI_PLATFORM_FIRMWARE_BLOB",
    0x80000009: "EV_EFI_HANDOFF_TABLES",
    0x8000000A: "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
    0x8000000B: "EV_EFI_HANDOFF_TABLES2",
    0x8000000C: "EV_EFI_VARIABLE_BOOT2",
    0x8000000D: "EV_EFI_GPT_EVENT2",
    0x80000010: "EV_EFI_HCRTM_EVENT",
    0x800000E0: "EV_EFI_VARIABLE_AUTHORITY",
    0x800000E1: "EV_EFI_SPDM_FIRMWARE_BLOB",
    0x800000E2: "EV_EFI_SPDM_FIRMWARE_CONFIG",
}


@frozen
class LoggedEvent:
    """One entry of a log.

    Attributes:
        number: its place in the log, from 0.
        register: that it was extended into: a PCR, or in a log of TDX 1 to 4 for RTMR 0 to 3.
        kind: TCG's number of the event's type.
        digests: what was extended, by bank.
        data: what the firmware says about it.
    """

    number: int
    register: int
    kind: int
    digests: Mapping[str, bytes]
    data: bytes

    @property
    def name(self) -> str:
        """TCG's name of the event's type, or its number."""
        return _NAMES.get(self.kind, f"{self.kind:#x}")

    @property
    def extends(self) -> bool:
        """Whether it was extended: an EV_NO_ACTION only informs."""
        return self.kind != NO_ACTION

    @property
    def attested(self) -> bool:
        """Whether its data are what every one of its digests is over.

        Of other events, such as of a program that was started, only the digest is authentic.
        """
        return bool(self.digests) and all(
            hashlib.new(bank, self.data).digest() == digest for bank, digest in self.digests.items()
        )

    def __str__(self) -> str:
        return f"event {self.number} ({self.name})"


@frozen
class EventLog:
    """A log taken apart.

    Attributes:
        banks: for which it has a digest of every event that was extended.
        events: in their order, with those that only inform.
        startup_locality: from which the TPM was started; it is the first value of PCR 0.
    """

    banks: tuple[str, ...]
    events: tuple[LoggedEvent, ...]
    startup_locality: int = 0

    def of(self, register: int) -> tuple[LoggedEvent, ...]:
        """What was extended into a register, in order."""
        return tuple(each for each in self.events if each.extends and each.register == register)

    @property
    def registers(self) -> tuple[int, ...]:
        """Those that something was extended into, ascending."""
        return tuple(sorted({each.register for each in self.events if each.extends}))


class _LogReader:
    __slots__ = ("_data", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        # Compared before anything is cut out: a length of 4 GiB allocates nothing.
        if size > len(self._data) - self.position:
            raise malformed(
                f"the event log is cut off: {size} bytes wanted at {self.position}, "
                f"{len(self._data) - self.position} left"
            )
        self.position += size
        return self._data[self.position - size : self.position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def sized(self) -> bytes:
        return self.take(self.number(4))

    def at_end(self) -> bool:
        """Whether nothing follows but padding, as in the area that firmware sets aside."""
        rest = self._data[self.position : self.position + 1]
        return rest in {b"", b"\0", b"\xff"} and not self._data[self.position :].strip(rest)


def parse_event_log(data: bytes) -> EventLog:
    """The log that `data` is, of either form; zeros or bytes of ones may follow it.

    Raises:
        EvidenceError: stage `format`.
    """
    if len(data) > MAX_LOG_BYTES:
        raise malformed(f"an event log of {len(data)} bytes, at most {MAX_LOG_BYTES} are read")
    reader = _LogReader(data)
    first = _old_event(reader, 0)
    if first.kind == NO_ACTION and first.data.startswith(_SPEC_ID):
        sizes = _banks(first.data)
        events = [first]
        while not reader.at_end():
            events.append(_event(reader, _next(events), sizes))
    else:
        sizes = {0x0004: 20}
        events = [first]
        while not reader.at_end():
            events.append(_old_event(reader, _next(events)))
    return EventLog(
        banks=tuple(BANKS[number] for number in sizes if number in BANKS),
        events=tuple(events),
        startup_locality=_startup_locality(events),
    )


def is_event_log(data: bytes) -> bool:
    """Whether some bytes can be read as a log."""
    if (
        len(data) < _OLD_HEADER
        or not any(data[:_OLD_HEADER])
        or int.from_bytes(data[:4], "little") > _MAX_REGISTER
    ):
        return False
    if int.from_bytes(data[4:8], "little") not in _NAMES:
        return False
    try:
        parse_event_log(data)
    except EvidenceError:
        # Damaged, and yet meant to be one: its parser says what is wrong.
        return data[_OLD_HEADER : _OLD_HEADER + len(_SPEC_ID)] == _SPEC_ID
    return True


def _next(events: list[LoggedEvent]) -> int:
    if len(events) == MAX_EVENTS:
        raise malformed(f"an event log of more than {MAX_EVENTS} events")
    return len(events)


def _old_event(reader: _LogReader, number: int) -> LoggedEvent:
    register, kind = _header(reader, number)
    return LoggedEvent(number, register, kind, {"sha1": reader.take(20)}, reader.sized())


def _event(reader: _LogReader, number: int, sizes: Mapping[int, int]) -> LoggedEvent:
    register, kind = _header(reader, number)
    count = reader.number(4)
    # An event without a digest of a bank would let another log replay to the same register.
    if count != len(sizes):
        raise malformed(f"event {number} has {count} digests, the log's banks are {len(sizes)}")
    digests: dict[int, bytes] = {}
    for _ in range(count):
        bank = reader.number(2)
        if bank not in sizes or bank in digests:
            raise malformed(f"event {number} has a digest of bank {bank:#06x}, or two of them")
        digests[bank] = reader.take(sizes[bank])
    known = {BANKS[bank]: digest for bank, digest in digests.items() if bank in BANKS}
    return LoggedEvent(number, register, kind, known, reader.sized())


def _header(reader: _LogReader, number: int) -> tuple[int, int]:
    """The register and the type of an event."""
    register, kind = reader.number(4), reader.number(4)
    # What only informs may be of no register, as Windows and platform ids of SP 800-155 are.
    if register > _MAX_REGISTER and (register, kind) != (_NO_REGISTER, NO_ACTION):
        raise malformed(f"event {number} is of register {register}, at most {_MAX_REGISTER}")
    return register, kind


def _banks(data: bytes) -> dict[int, int]:
    """The sizes of digests by TCG's number of their hash, from a TCG_EfiSpecIDEvent."""
    reader = _LogReader(data)
    reader.take(len(_SPEC_ID) + 4)
    minor, major = reader.number(1), reader.number(1)
    if (major, minor) != (2, 0):
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"an event log of specification {major}.{minor}, known is 2.0",
        )
    reader.take(2)
    count = reader.number(4)
    if not 0 < count <= _MAX_BANKS:
        raise malformed(f"an event log of {count} banks, 1 to {_MAX_BANKS} are read")
    sizes: dict[int, int] = {}
    for _ in range(count):
        bank, size = reader.number(2), reader.number(2)
        name = BANKS.get(bank)
        if bank in sizes or not 0 < size <= 64 or DIGEST_BYTES.get(name or "", size) != size:
            raise malformed(f"the log's bank {bank:#06x} has digests of {size} bytes, or is twice")
        sizes[bank] = size
    reader.take(reader.number(1))
    return sizes


def _startup_locality(events: list[LoggedEvent]) -> int:
    found = [
        each.data
        for each in events
        if not each.extends and each.register == 0 and each.data.startswith(_STARTUP_LOCALITY)
    ]
    if not found:
        return 0
    locality = found[0][len(_STARTUP_LOCALITY) :]
    # TCG's profile, 10.4.5.3: TPM2_Startup comes from 0 or 3; 4 is of a hardware's own start.
    if len(found) != 1 or len(locality) != 1 or locality[0] not in _LOCALITIES:
        raise malformed("the log names more than one start of the TPM, or an unknown one")
    return locality[0]
