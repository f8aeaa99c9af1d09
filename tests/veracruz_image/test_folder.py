"""Whatever differs from the manifest, anywhere in a folder, is named."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from veracruz_image import (
    MANIFEST,
    ROOT,
    ImageChangedError,
    ImageError,
    ImageFile,
    ImageFolder,
    ImageLink,
    Manifest,
    check,
    copy,
    found_in,
    measurement_of,
    open_folder,
    read_manifest,
    verify_image,
)
from veracruz_image import folder as module
from veracruz_image.folder import put_file, put_folder
from veracruz_image.manifest import FORMAT
from veracruz_utils.digest import Digest


def test_a_folder_is_what_its_manifest_says(image):
    manifest = verify_image(image)
    assert manifest.measurement == measurement_of(image) == measurement_of(image / MANIFEST)
    assert (image / MANIFEST).read_bytes() == manifest.text


def test_times_and_owners_count_for_nothing_and_neither_does_the_place(image, tmp_path):
    before = measurement_of(image)
    for path in (image / ROOT).rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert measurement_of(image.rename(tmp_path / "elsewhere")) == before


def test_what_is_found_is_what_was_written(image):
    with open_folder(image / ROOT) as root:
        found = found_in(root)
    assert list(found) == [
        "lib", "usr", "usr/bin", "usr/bin/python3", "usr/lib", "usr/lib/libc.so",
        "usr/lib/libc.so.6", "usr/lib/python3", "usr/lib/python3/empty.py",
        "usr/lib/python3/os.py",
    ]  # fmt: skip
    assert found["usr"] == ImageFolder(0o755)
    assert found["lib"] == ImageLink("usr/lib")
    assert found["usr/bin/python3"] == ImageFile(0o755, 4, Digest.of(b"\x7fELF"))
    assert found["usr/lib/libc.so"] == ImageFile(0o755, 4000, Digest.of(b"libc" * 1000))
    assert found["usr/lib/python3/empty.py"] == ImageFile(0o644, 0, Digest.of(b""))


def test_the_manifest_of_a_folder_is_read_whatever_is_in_it(image):
    before = read_manifest(image)
    (image / ROOT / "usr/bin/python3").unlink()
    assert read_manifest(image) == before


def exchange(path, content):
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o644)


CHANGES = {
    "usr/lib/libc.so: changed": lambda root: (root / "usr/lib/libc.so").write_bytes(b"other"),
    "usr/lib/python3/os.py: changed": lambda root: exchange(
        root / "usr/lib/python3/os.py", b"import sys;"
    ),
    r"usr/lib/new: added \(file\)": lambda root: (root / "usr/lib/new").touch(),
    r"new: added \(folder\)": lambda root: (root / "new").mkdir(),
    r"new: added \(link to usr\)": lambda root: (root / "new").symlink_to("usr"),
    r"new: added \(queue\)": lambda root: os.mkfifo(root / "new"),
    r"a\\nb \\xff: added": lambda root: os.close(
        os.open(os.fsencode(root) + b"/a\nb \xff", os.O_CREAT)
    ),
    "usr/lib/python3/empty.py: removed": lambda root: (root / "usr/lib/python3/empty.py").unlink(),
    "lib: removed": lambda root: (root / "lib").unlink(),
    r"usr/lib/libd.so: renamed \(was usr/lib/libc.so\)": lambda root: (
        root / "usr/lib/libc.so"
    ).rename(root / "usr/lib/libd.so"),
    r"lib: re-linked \(to usr/bin, was usr/lib\)": lambda root: (
        (root / "lib").unlink(),
        (root / "lib").symlink_to("usr/bin"),
    ),
    r"lib: re-linked \(to /etc, was usr/lib\)": lambda root: (
        (root / "lib").unlink(),
        (root / "lib").symlink_to("/etc"),
    ),
    r"usr/bin/python3: mode \(4755, was 755\)": lambda root: (root / "usr/bin/python3").chmod(
        0o4755
    ),
    r"usr/bin: mode \(1755, was 755\)": lambda root: (root / "usr/bin").chmod(0o1755),
    r"usr/lib: mode \(555, was 755\)": lambda root: (root / "usr/lib").chmod(0o555),
    r"usr/bin/python3: kind \(folder, was file\)": lambda root: (
        (root / "usr/bin/python3").unlink(),
        (root / "usr/bin/python3").mkdir(),
    ),
    r"usr/bin/python3: kind \(link to ../lib/libc.so, was file\)": lambda root: (
        (root / "usr/bin/python3").unlink(),
        (root / "usr/bin/python3").symlink_to("../lib/libc.so"),
    ),
    r"lib: kind \(folder, was link to usr/lib\)": lambda root: (
        (root / "lib").unlink(),
        shutil.copytree(root / "usr/lib", root / "lib"),
    ),
    r"usr/bin/python3: kind \(queue, was file\)": lambda root: (
        (root / "usr/bin/python3").unlink(),
        os.mkfifo(root / "usr/bin/python3"),
    ),
}


@pytest.mark.parametrize("words", CHANGES)
def test_a_change_is_refused_by_name_in_the_folder_and_in_a_copy_of_it(image, tmp_path, words):
    manifest = read_manifest(image)
    CHANGES[words](image / ROOT)
    with pytest.raises(ImageChangedError, match=words):
        verify_image(image)
    (tmp_path / "copy").mkdir()
    with open_folder(image / ROOT) as source, open_folder(tmp_path / "copy") as target:
        if "queue" in words or "xff" in words:
            with pytest.raises(ImageError, match=r"is a queue|no image has such a name"):
                copy(source, target)
        else:
            copy(source, target)
            with pytest.raises(ImageChangedError, match=words):
                check(target, manifest, what="copy")


def test_a_copy_is_what_was_copied_whatever_the_umask(image, tmp_path):
    (tmp_path / "copy").mkdir()
    before = os.umask(0o077)
    try:
        with open_folder(image / ROOT) as source, open_folder(tmp_path / "copy") as target:
            copy(source, target)
            check(target, read_manifest(image), what="copy")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "copy/usr").stat().st_mode) == 0o755


def test_a_folder_that_holds_more_than_any_image_is_given_up(image, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ENTRIES", 5)
    with pytest.raises(ImageError, match="more paths than the 5"):
        verify_image(image)
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_CONTENT_BYTES", 100)
    (tmp_path / "copy").mkdir()
    with (
        open_folder(image / ROOT) as source,
        open_folder(tmp_path / "copy") as target,
        pytest.raises(ImageError, match="more than the 100 bytes"),
    ):
        copy(source, target)


def test_a_folder_may_hold_as_much_as_an_image(image, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    assert verify_image(image)
    monkeypatch.setattr(module, "MAX_ENTRIES", 9)
    with pytest.raises(ImageError, match="more paths than the 9"):
        verify_image(image)
    monkeypatch.undo()
    monkeypatch.setattr(module, "_PIECE_BYTES", 1000)
    for most in (4015, 4014):
        monkeypatch.setattr(module, "MAX_CONTENT_BYTES", most)
        (tmp_path / str(most)).mkdir()
        with open_folder(image / ROOT) as source, open_folder(tmp_path / str(most)) as target:
            if most == 4015:
                copy(source, target)
                check(target, read_manifest(image), what="copy")
            else:
                with pytest.raises(ImageError, match="more than the 4014 bytes"):
                    copy(source, target)


def test_a_file_of_the_largest_size_is_read_to_its_end(image, monkeypatch):
    monkeypatch.setattr(module, "MAX_CONTENT_BYTES", 4000)
    monkeypatch.setattr(module, "_PIECE_BYTES", 1000)
    assert verify_image(image)
    with (image / ROOT / "usr/lib/libc.so").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ImageChangedError, match=r"usr/lib/libc.so: changed"):
        verify_image(image)


def test_a_path_is_looked_at_up_to_500_characters(image):
    folder = image / ROOT / ("d" * 249)
    folder.mkdir()
    (folder / ("e" * 250)).touch()
    with pytest.raises(ImageChangedError, match=r"e{250}: added"):
        verify_image(image)
    (folder / ("e" * 251)).touch()
    with pytest.raises(ImageError, match="or deeper ones"):
        verify_image(image)


def test_a_file_is_closed_to_others_until_all_of_it_is_there(tmp_path):
    def pieces():
        for _ in range(2):
            assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
            yield b"piece"

    with open_folder(tmp_path) as root:
        assert put_file(root, "new", 0o755, pieces()) == 10
    assert (tmp_path / "new").read_bytes() == b"piecepiece"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755


def test_a_folder_is_made_open_to_all_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with open_folder(tmp_path) as root:
            put_folder(root, "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755


@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 9, 10, 11])
def test_of_a_file_no_more_is_read_than_is_wanted(tmp_path, monkeypatch, most):
    monkeypatch.setattr(module, "_PIECE_BYTES", 2)
    (tmp_path / "file").write_bytes(b"0123456789")
    with (tmp_path / "file").open("rb", buffering=0) as file:
        assert b"".join(module._pieces(file.fileno(), most)) == b"0123456789"[:most]
        assert file.tell() == min(most, 10)


def open_descriptors():
    return sorted(Path("/proc/self/fd").iterdir())


def test_nothing_is_left_open(image, tmp_path):
    (tmp_path / "copy").mkdir()
    before = open_descriptors()
    verify_image(image)
    with open_folder(image / ROOT) as source, open_folder(tmp_path / "copy") as target:
        copy(source, target)
    assert open_descriptors() == before


def test_a_folder_that_cannot_be_read_is_named(image):
    with open_folder(image / ROOT) as root:
        pass
    with pytest.raises(ImageError, match=r"^the folder: bad file descriptor$"):
        check(root, read_manifest(image), what="closed")


def test_a_manifest_is_read_no_further_than_it_may_be_long(image):
    most = 4 * 1024 * 1024
    for more in (1, 10):
        (image / MANIFEST).write_bytes(FORMAT.encode() + b"\n" + b"x" * (most - 27 + more))
        with pytest.raises(ImageError, match=f"has {most + 1} bytes, at most {most} are read"):
            read_manifest(image)


def test_a_folder_that_is_too_deep_is_given_up(image):
    deep = os.open(image / ROOT, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=deep)
        deeper = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = deeper
    os.close(deep)
    with pytest.raises(ImageError, match="or deeper ones"):
        verify_image(image)


def test_many_differences_are_counted_and_some_named(image):
    for number in range(25):
        (image / ROOT / f"new{number:02}").touch()
    with pytest.raises(ImageChangedError, match=r"new09: added.*; and 15 more") as caught:
        verify_image(image)
    assert len(caught.value.differences) == 25


@pytest.mark.parametrize("remove", [MANIFEST, ROOT])
def test_a_folder_without_its_parts_is_no_image(image, remove):
    path = image / remove
    path.rename(image.parent / "away")
    with pytest.raises(ImageError, match=f"cannot .*{image}"):
        verify_image(image)


def test_nothing_at_the_path_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ImageError, match=f"cannot read the image {tmp_path}/nothing: No such"):
        measurement_of(tmp_path / "nothing")


def test_another_manifest_beside_the_content_is_refused(image):
    text = (image / MANIFEST).read_bytes().replace(b"644", b"755")
    (image / MANIFEST).write_bytes(text)
    assert Manifest.parse(text)
    with pytest.raises(ImageChangedError, match=r"mode \(644, was 755\)"):
        verify_image(image)
