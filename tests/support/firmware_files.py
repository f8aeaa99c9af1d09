"""Small firmware files for confidential machines, made by the format's description alone."""

import struct
import uuid

TDX_METADATA = "e47a6535-984a-4798-865e-4685a7bf8ec2"
SEV_METADATA = "dc886566-984a-4798-a75e-5585a7bf67cc"
TABLE = "96b582de-1fb2-45f7-baea-a366c55a082d"
SIZE = 0x4000
TDX = (
    (0x1000, 0x3000, 0xFFFF_D000, 0x3000, 0, 1),
    (0, 0x1000, 0xFFFF_C000, 0x1000, 1, 0),
    (0, 0, 0x80_9000, 0x2000, 2, 0),
    (0, 0, 0x10_0000_0000, 0x10_0000_0000, 4, 2),
)
"""Code that is measured, variables, memory for tables, and much memory that is added later."""
SEV = ((0x80_0000, 0x9000, 1), (0x80_D000, 0x1000, 2))


def made_firmware(tdx=TDX, sev=SEV, *, size=SIZE) -> bytes:
    """A firmware with this metadata; without what is None."""
    metadata, entries = b"", []
    for name, magic, form, sections in (
        (TDX_METADATA, b"TDVF", "<IIQQII", tdx),
        (SEV_METADATA, b"ASEV", "<III", sev),
    ):
        if sections is None:
            continue
        body = b"".join(struct.pack(form, *each) for each in sections)
        entries.append((name, len(metadata)))
        metadata += struct.pack("<4sIII", magic, 16 + len(body), 1, len(sections)) + body
    start = 0x2000  # of the metadata
    table = b"".join(
        entry(name, struct.pack("<I", size - start - offset)) for name, offset in entries
    )
    end = struct.pack("<H", len(table) + 18) + uuid.UUID(TABLE).bytes_le + bytes(32)
    body = bytes(range(256)) * (start // 256) + metadata
    return body.ljust(size - len(table) - len(end), b"\x5a") + table + end


def entry(name: str, content: bytes) -> bytes:
    """An entry of the table at a firmware's end."""
    return content + struct.pack("<H", len(content) + 18) + uuid.UUID(name).bytes_le
