"""An archive is what its manifest says, to the last byte, or it is refused."""

import lzma
import stat
import tarfile

import pytest

from veracruz_image import (
    MANIFEST,
    ROOT,
    ImageChangedError,
    ImageError,
    Manifest,
    found_in,
    measurement_of,
    open_folder,
    read_manifest,
    unpack,
    verify_image,
    write_archive,
)
from veracruz_image import archive as module


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
    assert stat.S_IMODE((tmp_path / "again" / MANIFEST).stat().st_mode) == 0o644


def test_an_image_packed_twice_is_the_same_bytes(image, archive, tmp_path):
    unpack(archive, tmp_path / "again")
    with (tmp_path / "second").open("wb") as file:
        write_archive(tmp_path / "again", file)
    assert (tmp_path / "second").read_bytes() == archive.read_bytes()


def test_any_tar_reads_it(image, archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "by-tar", filter="data")
    assert measurement_of(tmp_path / "by-tar") == measurement_of(image)


def test_an_archive_says_the_same_to_any_tar_and_nothing_of_who_made_it(archive):
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert {(each.mtime, each.uid, each.gid, each.uname, each.gname) for each in members} == {
        (0, 0, 0, "", "")
    }
    assert [(each.name, each.type, each.mode, each.size, each.linkname) for each in members] == [
        ("manifest.txt", tarfile.REGTYPE, 0o644, members[0].size, ""),
        ("root/lib", tarfile.SYMTYPE, 0o777, 0, "usr/lib"),
        ("root/usr", tarfile.DIRTYPE, 0o755, 0, ""),
        ("root/usr/bin", tarfile.DIRTYPE, 0o755, 0, ""),
        ("root/usr/bin/python3", tarfile.REGTYPE, 0o755, 4, ""),
        ("root/usr/lib", tarfile.DIRTYPE, 0o755, 0, ""),
        ("root/usr/lib/libc.so", tarfile.REGTYPE, 0o755, 4000, ""),
        ("root/usr/lib/libc.so.6", tarfile.SYMTYPE, 0o777, 0, "libc.so"),
        ("root/usr/lib/python3", tarfile.DIRTYPE, 0o755, 0, ""),
        ("root/usr/lib/python3/empty.py", tarfile.REGTYPE, 0o644, 0, ""),
        ("root/usr/lib/python3/os.py", tarfile.REGTYPE, 0o644, 11, ""),
    ]


def test_an_archive_is_read_in_pieces_of_any_size(image, archive, tmp_path, monkeypatch):
    size = archive.stat().st_size
    for piece in (1, 7, size - 1, size):
        monkeypatch.setattr(module, "_PIECE_BYTES", piece)
        assert verify_image(archive) == read_manifest(image)
        unpack(archive, tmp_path / str(piece))
        assert measurement_of(tmp_path / str(piece)) == measurement_of(image)
    archive.write_bytes(archive.read_bytes() + b"x")  # behind the last piece
    with pytest.raises(ImageError, match="behind the last file"):
        verify_image(archive)


def test_the_manifest_of_an_archive_is_read_whatever_is_in_it(image, archive):
    def flip(content):
        content[content.index(b"libclibc")] ^= 1

    assert read_manifest(repacked(archive, flip)) == read_manifest(image)
    with pytest.raises(ImageChangedError, match=r"usr/lib/libc.so: changed"):
        verify_image(archive)


def test_the_manifest_of_an_archive_has_at_most_4_mib(archive):
    most = 4 * 1024 * 1024
    for size, words in ((most, "cut short"), (most + 1, "does not begin with")):
        info = tarfile.TarInfo(MANIFEST)
        info.size = size
        archive.write_bytes(lzma.compress(info.tobuf(tarfile.USTAR_FORMAT)))
        with pytest.raises(ImageError, match=words):
            verify_image(archive)


def test_a_path_without_a_place_in_an_archive_is_not_packed(image, tmp_path):
    path = image / ROOT / ("a" * 100) / ("b" * 100)
    path.mkdir(parents=True)
    (path / ("c" * 48)).touch()
    for made in (path.parent, path, path / ("c" * 48)):
        made.chmod(0o755)
    with open_folder(image / ROOT) as root:
        (image / MANIFEST).write_bytes(Manifest.of(found_in(root)).text)
    with (
        (tmp_path / "archive").open("wb") as file,
        pytest.raises(ImageError, match="has no place in an archive: name is too long"),
    ):
        write_archive(image, file)


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
def test_what_is_behind_or_missing_is_refused(archive, tmp_path, change, words):
    repacked(archive, change)
    with pytest.raises(ImageError, match=words):
        verify_image(archive)
    with pytest.raises(ImageError, match=words):
        unpack(archive, tmp_path / "new")


def test_a_second_stream_behind_the_first_is_refused(archive):
    archive.write_bytes(archive.read_bytes() + lzma.compress(b"more"))
    with pytest.raises(ImageError, match="behind the last file"):
        verify_image(archive)


def test_an_archive_that_wants_much_memory_or_says_a_large_manifest_is_refused(archive):
    content = lzma.decompress(archive.read_bytes())
    greedy = [{"id": lzma.FILTER_LZMA2, "dict_size": 192 * 1024 * 1024, "mf": lzma.MF_HC3}]
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
