"""Reads cpio archives as the kernel's documentation has them, apart from what writes them."""


def unpacked(archive: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """Mode, content and device of each entry, by path."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        _, mode, uid, gid, links, mtime, size, _, _, major, minor, length, check = fields
        assert (uid, gid, mtime, check, links) == (0, 0, 0, 0, 1)
        name = archive[at + 110 : at + 110 + length]
        assert name.endswith(b"\0")
        begin = at + 110 + length
        begin += -begin % 4
        content = archive[begin : begin + size]
        at = begin + size
        at += -at % 4
        if name == b"TRAILER!!!\0":
            assert at == len(archive)
            return found
        found[name[:-1].decode()] = (mode, content, (major, minor))
