"""Programs for UEFI firmware, of a few instructions each: a machine that says a word and ends.

PE/COFF with one section, as the firmware's loader wants it; position-independent.
"""

from enum import IntEnum


class Reset(IntEnum):
    """How a program has the machine end (UEFI 2.10, 8.5.1)."""

    RESTART = 0
    SHUTDOWN = 2


def says_and_ends(word: str, how: Reset) -> bytes:
    """A program that writes `word` on the console, then has the machine end."""
    text = (word + "\r\n\0").encode("utf-16-le")
    code = bytes.fromhex(
        "4883ec28"      # sub rsp, 40
        "4889d3"        # mov rbx, rdx          the system table
        "488b4a40"      # mov rcx, [rdx+64]     its ConOut
        "488d1519000000"  # lea rdx, [rip+25]   the text
        "ff5108"        # call [rcx+8]          OutputString
        "488b4358"      # mov rax, [rbx+88]     its runtime services
    ) + b"\xb9" + int(how).to_bytes(4, "little") + bytes.fromhex(  # mov ecx, how
        "31d2"          # xor edx, edx          success
        "4531c0"        # xor r8d, r8d          no data
        "4531c9"        # xor r9d, r9d
        "ff5068"        # call [rax+104]        ResetSystem
        "ebfe"          # jmp to itself
    )  # fmt: skip
    assert len(code) == 18 + 25
    return _program(code + text)


def says_nothing() -> bytes:
    """A program that never ends."""
    return _program(b"\xeb\xfe")


def _program(code: bytes) -> bytes:
    body = code + bytes(-len(code) % 512)

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little")

    dos = b"MZ" + bytes(58) + number(64, 4)
    file_header = number(0x8664, 2) + number(1, 2) + bytes(12) + number(240, 2) + number(0x22, 2)
    optional = (
        number(0x20B, 2) + bytes(2) + number(len(body), 4) + bytes(8)
        + number(4096, 4) + number(4096, 4)              # entry, base of code
        + bytes(8) + number(4096, 4) + number(512, 4)    # image base, alignments
        + bytes(4) + number(1, 2) + bytes(10)            # version 1: it takes an initramfs as
        + number(4096 * 2, 4) + number(512, 4) + bytes(4)  # today's kernels do
        + number(10, 2) + bytes(2)                       # an EFI application
        + bytes(32) + bytes(4) + number(16, 4) + bytes(128)
    )  # fmt: skip
    assert len(optional) == 240
    section = (
        b".text\0\0\0" + number(len(code), 4) + number(4096, 4)
        + number(len(body), 4) + number(512, 4) + bytes(12) + number(0x60000020, 4)
    )  # fmt: skip
    head = dos + b"PE\0\0" + file_header + optional + section
    return head + bytes(512 - len(head)) + body
