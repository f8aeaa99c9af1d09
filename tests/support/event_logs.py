"""Event logs by hand, of both forms."""

import hashlib
import struct

NO_ACTION, SEPARATOR, ACTION, PROGRAM = 0x03, 0x04, 0x80000007, 0x80000003
NUMBERS = {"sha1": 4, "sha256": 11, "sha384": 12, "sha512": 13, "sm3": 18}
SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32}
LOCALITY = b"StartupLocality\0"


def old(register, kind, data, digest=None):
    """An event of the form of SHA-1."""
    digest = hashlib.sha1(data).digest() if digest is None else digest
    return struct.pack("<II20sI", register, kind, digest, len(data)) + data


def spec_id(*banks, version=(0, 2), sizes=None):
    """The event that a crypto-agile log begins with."""
    head = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, *version, 0, 2, len(banks))
    for bank in banks:
        head += struct.pack("<HH", NUMBERS[bank], (sizes or SIZES)[bank])
    return old(0, NO_ACTION, head + b"\0", bytes(20))


def agile(register, kind, data, *banks, digests=None):
    """An event of the crypto-agile form."""
    digests = digests or {bank: hashlib.new(bank, data).digest() for bank in banks}
    head = struct.pack("<III", register, kind, len(digests))
    for bank, digest in digests.items():
        head += struct.pack("<H", NUMBERS[bank]) + digest
    return head + struct.pack("<I", len(data)) + data


def boot(bank="sha256", *, programs=(b"shim", b"grub")):
    """A log of a small boot into registers 4 and 5, of one bank."""
    events = [agile(register, SEPARATOR, bytes(4), bank) for register in (4, 5)]
    events += [
        agile(
            4, PROGRAM, b"path of " + each, bank, digests={bank: hashlib.new(bank, each).digest()}
        )
        for each in programs
    ]
    return spec_id(bank) + b"".join(events)


def extended(bank, *digests, start=None):
    """What a register is after these."""
    value = bytes(SIZES[bank]) if start is None else start
    for digest in digests:
        value = hashlib.new(bank, value + digest).digest()
    return value
