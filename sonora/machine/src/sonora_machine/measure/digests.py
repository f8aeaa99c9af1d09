"""The digests of an image's parts: all that predicting a TPM's registers needs of it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from sonora_machine.errors import ImageFormatError
from sonora_machine.uki.authenticode import authenticode_digest
from sonora_machine.uki.unified import UnifiedImage
from veracruz_utils.frozen import frozen

_SIGNATURE: Final = (".pcrsig", "tpm2-pcr-signature.json")
_PUBLIC_KEY: Final = (".pcrpkey", "tpm2-pcr-public-key.pem")
_PACKED: Final = {
    252: (_SIGNATURE, _PUBLIC_KEY),
    257: (_SIGNATURE, _PUBLIC_KEY, (".osrel", "os-release")),
}
"""Which parts a stub puts behind the initramfs, as files of what names, by its generation."""
_MICROCODE: Final = 257
"""From this one on a stub puts microcode before the initramfs."""
GENERATIONS: Final = tuple(_PACKED)
"""The stubs of which it is known how they measure; others are refused."""


@frozen
class ImageDigests:
    """SHA-256 digests of an image.

    Attributes:
        generation: of its stub.
        image: Authenticode digest of the image.
        kernel: Authenticode digest of its kernel.
        command_line: as the stub hands it to the kernel.
        initramfs: as the stub hands it to the kernel, with what it puts behind.
        parts: of the content of its sections, by their names.
    """

    generation: int
    image: bytes
    kernel: bytes
    command_line: str
    initramfs: bytes
    parts: Mapping[str, bytes]

    @staticmethod
    def of(image: UnifiedImage) -> "ImageDigests":
        """Those of `image`.

        Raises:
            ImageFormatError: it is not known how the image's stub measures, its kernel is no PE
                file, or its command line one that the stub would change.
        """
        if image.generation not in _PACKED:
            known = " and ".join(map(str, _PACKED))
            raise ImageFormatError(
                f"the image's stub is {image.stub}, and it is known how those of systemd {known} "
                "measure: build the image with one of them"
            )
        return ImageDigests(
            generation=image.generation,
            image=authenticode_digest(image.data, what="image"),
            kernel=authenticode_digest(image.parts[".linux"], what="kernel"),
            command_line=image.command_line,
            initramfs=initramfs_digest(image.generation, image.parts),
            parts={name: hashlib.sha256(part).digest() for name, part in image.parts.items()},
        )


def initramfs_digest(generation: int, parts: Mapping[str, bytes | memoryview]) -> bytes:
    """Of the initramfs as the kernel gets it: what the stub adds lies behind it, each padded to 4.

    Args:
        generation: of the stub.
        parts: the content of the image's sections, by their names.
    """
    digest = hashlib.sha256()
    for piece in _pieces(generation, parts):
        digest.update(piece)
    return digest.digest()


def _pieces(
    generation: int, parts: Mapping[str, bytes | memoryview]
) -> Iterator[bytes | memoryview]:
    first = () if generation < _MICROCODE else (".ucode",)
    pieces = [parts[name] for name in (*first, ".initrd") if name in parts]
    pieces += [
        _archive(name, bytes(parts[part])) for part, name in _PACKED[generation] if part in parts
    ]
    if len(pieces) == 1:
        yield pieces[0]
        return
    for piece in pieces:
        yield piece
        yield bytes(-len(piece) % 4)


def _archive(name: str, content: bytes) -> bytes:
    """A cpio archive (newc) with this one file in `.extra`, to the byte as the stub writes it."""
    folder = _entry(1, 0o040555, ".extra", b"")
    file = _entry(2, 0o100444, f".extra/{name}", content)
    return folder + file + _entry(0, 0, "TRAILER!!!", b"", form="%08X")


def _entry(inode: int, mode: int, name: str, content: bytes, *, form: str = "%08x") -> bytes:
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + "".join(form % each for each in fields).encode() + path
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
