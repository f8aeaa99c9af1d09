"""Small PE files, made by the format's description alone."""

import struct

from sonora_machine.uki import PeFile, write_uki

STUB = {".text": b"\xc3" * 40, ".sdmagic": b"#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####"}
TABLE = 64 + 24 + 240
"""Where the table of sections is in a made file."""


def made_pe(sections=STUB, *, room=16, certificates=b"", behind=b"", machine=0x8664) -> bytes:
    """A PE file for 64 bits with these sections.

    Args:
        sections: name and content of each.
        room: how many sections the headers have room for.
        certificates: the certificate table; it is the end of a file.
        behind: what lies behind the sections.
        machine: the kind of processor.
    """
    headers_size = -(-(TABLE + room * 40) // 512) * 512
    table, body, address = b"", b"", 4096
    for name, content in sections.items():
        raw = content + bytes(-len(content) % 512)
        at = headers_size + len(body)
        table += struct.pack("<8sIIII", name.encode(), len(content), address, len(raw), at)
        table += bytes(12) + struct.pack("<I", 0x4000_0040)
        body += raw
        address += -(-max(len(raw), 1) // 4096) * 4096
    body += behind
    where = (headers_size + len(body), len(certificates)) if certificates else (0, 0)
    optional = struct.pack("<HBBIIIII", 0x20B, 0, 0, 512, 512, 0, 4096, 4096)
    optional += struct.pack("<QIIHHHHHHI", 1 << 32, 4096, 512, 0, 0, 257, 13, 1, 1, 0)
    optional += struct.pack("<IIIHHQQQQII", address, headers_size, 0x1234, 10, 0, 0, 0, 0, 0, 0, 16)
    optional += bytes(4 * 8) + struct.pack("<II", *where) + bytes(11 * 8)
    coff = struct.pack("<HHIIIHH", machine, len(sections), 1_700_000_000, 0, 0, 240, 0x22E)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + coff + optional + table
    return head.ljust(headers_size, b"\0") + body + certificates


def stub_of(generation: int) -> bytes:
    """A file that says it is a stub of this generation of systemd."""
    magic = f"#### LoaderInfo: systemd-stub {generation}.13-1~deb13u1 ####\0".encode()
    return made_pe({".text": b"\xc3", ".sdmagic": magic})


OURS = (".osrel", ".cmdline", ".uname", ".linux", ".initrd")
"""What is put behind a stub, which has parts of its own."""


def rewritten(image: bytes, **changes: bytes) -> bytes:
    """A unified kernel image with other parts: `cmdline=...` is another command line."""
    pe = PeFile.parse(image)
    parts = {name: content for name in OURS if (content := pe.content(image, name)) is not None}
    begin = min(each.offset for each in pe.sections if each.name in parts)
    stub = bytearray(image[:begin])
    struct.pack_into("<H", stub, pe.coff + 2, len(pe.sections) - len(parts))
    return write_uki(bytes(stub), parts | {f".{name}": data for name, data in changes.items()})
