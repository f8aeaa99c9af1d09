"""An archive is what its manifest says, to the last byte, or it is refused."""

import lzma
import tarfile

import pytest

from veracruz_image import (
    MANIFEST,
    ROOT,
    ImageChangedError,
    ImageError,
    measurement_of,
    read_manifest,
    unpack,
    verify_image,
    write_archive,
)


@pytest.fixture
def archive(image, tmp_path):
    path = tmp_path / "image.tar.xz"
    with path.open("wb") as file:
        write_archive(image, file)
    return path


def repacked(archive, change):
    """The archive with its content, as it lies in it, changed."""
    content = bytearray(lzma.decompress(archive.read_bytes()))
    archive.write_bytes(lzma.compress(bytes(change(content) or content)))
    return archive


def test_an_archive_holds_the_image_and_unpacks_to_it(image, archive, tmp_path):
    assert measurement_of(archive) == measurement_of(image)
    assert read_manifest(archive) == read_manifest(image)
    assert unpack(archive, tmp_path / "again") == verify_image(tmp_path / "again")
    assert measurement_of(tmp_path / "again") == measurement_of(image)


def test_an_image_packed_twice_is_the_same_bytes(image, archive, tmp_path):
    unpack(archive, tmp_path / "again")
    with (tmp_path / "second").open("wb") as file:
        write_archive(tmp_path / "again", file)
    assert (tmp_path / "second").read_bytes() == archive.read_bytes()


def test_any_tar_reads_it(image, archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "by-tar", filter="data")
    assert measurement_of(tmp_path / "by-tar") == measurement_of(image)


def test_a_changed_image_is_not_packed(image, tmp_path):
    (image / ROOT / "usr/lib/libc.so").write_bytes(b"other")
    with (
        (tmp_path / "archive").open("wb") as file,
        pytest.raises(ImageChangedError, match=r"usr/lib/libc.so: changed"),
    ):
        write_archive(image, file)


def test_no_byte_of_the_content_can_be_another(archive):
    original = archive.read_bytes()
    size = len(lzma.decompress(original))
    for place in range(0, size, 97):
        archive.write_bytes(original)

        def flip(content, place=place):
            content[place] ^= 1

        with pytest.raises(ImageError):
            verify_image(repacked(archive, flip))


def test_no_byte_of_the_file_can_be_another(archive):
    original = archive.read_bytes()
    for place in range(len(original)):
        archive.write_bytes(
            original[:place] + bytes([original[place] ^ 0x10]) + original[place + 1 :]
        )
        with pytest.raises(ImageError):
            verify_image(archive)


def test_an_archive_cut_anywhere_is_refused(archive):
    original = archive.read_bytes()
    for end in range(len(original)):
        archive.write_bytes(original[:end])
        with pytest.raises(ImageError):
            verify_image(archive)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content + bytes(512), "behind the last file"),
        (lambda content: content + b"x", "behind the last file"),
        (lambda content: content[:-1], "cut short"),
        (lambda content: content[512:], "not an archive|does not begin"),
        (lambda content: b"x" * 1024, "not an archive"),
        (lambda content: bytes(100_000), "not an archive"),
    ],
)
def test_what_is_behind_or_missing_is_refused(archive, change, words):
    with pytest.raises(ImageError, match=words):
        verify_image(repacked(archive, change))


def test_a_second_stream_behind_the_first_is_refused(archive):
    archive.write_bytes(archive.read_bytes() + lzma.compress(b"more"))
    with pytest.raises(ImageError, match="behind the last file"):
        verify_image(archive)


def test_an_archive_that_wants_much_memory_or_says_a_large_manifest_is_refused(archive):
    content = lzma.decompress(archive.read_bytes())
    greedy = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 * 1024 * 1024}]
    archive.write_bytes(lzma.compress(content, filters=greedy))
    with pytest.raises(ImageError, match=r"(?i)memory"):
        verify_image(archive)
    info = tarfile.TarInfo(MANIFEST)
    info.size = 8 * 1024**3 - 1
    archive.write_bytes(lzma.compress(info.tobuf(tarfile.USTAR_FORMAT)))
    with pytest.raises(ImageError, match="does not begin with"):
        verify_image(archive)


def test_other_files_of_a_tar_are_refused(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "by-tar", filter="data")
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(tmp_path / "by-tar" / MANIFEST, MANIFEST)
        tar.add(tmp_path / "by-tar" / ROOT, ROOT)
    with pytest.raises(ImageError, match="not an archive"):
        verify_image(archive)


def test_unpacking_a_bad_archive_or_over_something_fails_by_name(archive, tmp_path):
    (tmp_path / "there" / ROOT).mkdir(parents=True)
    with pytest.raises(ImageError, match="there/root: File exists"):
        unpack(archive, tmp_path / "there")

    def flip(content):
        content[content.index(b"libclibc")] ^= 1

    with pytest.raises(ImageChangedError, match=r"usr/lib/libc.so: changed"):
        unpack(repacked(archive, flip), tmp_path / "new")
