"""One set of entries has one text, and what an image cannot have no manifest can say."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_image import (
    ImageError,
    ImageFile,
    ImageFolder,
    ImageLink,
    Manifest,
    ManifestError,
)
from veracruz_utils.digest import Digest

HEAD = "veracruz-image-manifest-v1\n"
HEX = "0" * 64
FILE = ImageFile(0o644, 1, Digest(bytes(32)))
GOOD = (
    f"{HEAD}link lib usr/lib\nfolder 755 usr\nfolder 755 usr/lib\nfile 755 usr/lib/a 12 {HEX}\n"
    f"file 644 usr/lib/b 0 {HEX}\nlink usr/lib/c ../lib/a\n"
)


def test_a_text_is_a_manifest_with_every_path_and_the_measurement_is_its_digest():
    manifest = Manifest.parse(GOOD.encode())
    assert manifest.entries == {
        "lib": ImageLink("usr/lib"),
        "usr": ImageFolder(0o755),
        "usr/lib": ImageFolder(0o755),
        "usr/lib/a": ImageFile(0o755, 12, Digest(bytes(32))),
        "usr/lib/b": ImageFile(0o644, 0, Digest(bytes(32))),
        "usr/lib/c": ImageLink("../lib/a"),
    }
    assert manifest.text == GOOD.encode()
    assert manifest.measurement.value == hashlib.sha256(GOOD.encode()).digest()
    assert manifest.content_bytes == 12


def lines(*entries: str) -> bytes:
    return (HEAD + "".join(f"{entry}\n" for entry in entries)).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with"),
        (b"veracruz-image-manifest-v2\n", "does not begin with"),
        (HEAD.encode() + b"folder 755 \xff\n", "not ASCII"),
        (HEAD.encode() + b"folder 755 a", "end of a line"),
        (HEAD.encode() + bytes(5_000_000), "at most"),
        (lines("folder 755 a", "folder 755 a"), "'a' is out of order"),
        (lines("folder 755 b", "folder 755 a"), "'a' is out of order"),
        (lines("folder 755 a", f"file 644 a 0 {HEX}"), "out of order"),
        (lines("folder 755 .."), "no path"),
        (lines("folder 755 ."), "no path"),
        (lines("folder 755 /a"), "no path"),
        (lines("folder 755 a", "folder 755 a/"), "no path"),
        (lines("folder 755 a", "folder 755 a/../b"), "no path"),
        (lines("folder 755 a", "folder 755 a//b"), "no path"),
        (lines("folder 755 \t"), "no path"),
        (lines(f"folder 755 {'a' * 101}"), "no path"),
        (lines(f"file 644 a/b 0 {HEX}"), "lies in a, which is no folder"),
        (lines(f"file 644 a 0 {HEX}", f"file 644 a/b 0 {HEX}"), "lies in a, which is no folder"),
        (lines("folder 755 b", "link c b", f"file 644 c/d 0 {HEX}"), "lies in c"),
        (lines("folder 4755 a"), "is no entry"),
        (lines("folder 644 a"), "is no entry"),
        (lines(f"file 4755 a 0 {HEX}"), "is no entry"),
        (lines(f"file 777 a 0 {HEX}"), "is no entry"),
        (lines(f"file 0644 a 0 {HEX}"), "is no entry"),
        (lines(f"file 644 a 00 {HEX}"), "is no entry"),
        (lines(f"file 644 a -1 {HEX}"), "is no entry"),
        (lines(f"file 644 a 1e9 {HEX}"), "is no entry"),
        (lines(f"file 644 a 0 {HEX[:-1]}"), "64 lowercase"),
        (lines(f"file 644 a 0 {HEX[:-1]}A"), "64 lowercase"),
        (lines(f"file 644 a 9999999999 {HEX}"), "at most"),
        (lines("device 644 a"), "is no entry"),
        (lines("folder 755 a "), "is no entry"),
        (lines("folder  755 a"), "is no entry"),
        (lines(""), "is no entry"),
        (lines("link a /etc"), "leaves the image"),
        (lines("link a ../etc"), "leaves the image"),
        (lines("folder 755 a", "link a/b ../../etc"), "leaves the image"),
        (lines("folder 755 a", "link b a/../a"), "leaves the image"),
        (lines("link a ."), "leaves the image"),
        (lines("link a b"), "no file or folder of the image"),
        (lines("link a a"), "no file or folder of the image"),
        (lines("folder 755 a", "link b a", "link c b"), "no file or folder of the image"),
        (lines(*(f"folder 755 {number:05}" for number in range(20_001))), "at most"),
    ],
)
def test_what_no_image_can_have_is_refused(data, words):
    with pytest.raises(ManifestError, match=words):
        Manifest.parse(data)


@pytest.mark.parametrize(
    "entries",
    [
        {"a": ImageFile(0o4755, 0, Digest(bytes(32)))},
        {"a": ImageFolder(0o700)},
        {"a": ImageLink("/etc")},
        {"a/b": FILE},
        {"a\n": FILE},
        {"é": FILE},
        {"": FILE},
    ],
)
def test_nor_can_it_be_made_of_what_was_found(entries):
    with pytest.raises(ManifestError):
        Manifest.of(entries)


@pytest.mark.parametrize(
    ("size", "words"), [(4 * 1024 * 1024, "end of a line"), (4 * 1024 * 1024 + 1, "at most")]
)
def test_a_text_has_at_most_4_mib(size, words):
    with pytest.raises(ManifestError, match=words):
        Manifest.parse(HEAD.encode().ljust(size, b"x"))


def test_a_line_that_is_refused_is_named_by_its_number():
    for bad in ("x", f"file 644 c 0 {HEX[:-1]}", "folder 755 a"):
        with pytest.raises(ManifestError, match="line 4 of the manifest"):
            Manifest.parse(lines("folder 755 a", "folder 755 b", bad))


def test_an_image_has_at_most_20_000_paths():
    folders = {f"{number:05}": ImageFolder(0o755) for number in range(20_000)}
    assert len(Manifest.of(folders).entries) == 20_000
    with pytest.raises(ManifestError, match="20001 paths"):
        Manifest.of(folders | {"x": ImageFolder(0o755)})


def test_the_files_have_at_most_1_gib():
    def manifest(size):
        files = [ImageFile(0o644, each, Digest(bytes(32))) for each in (size - 7, 7)]
        return Manifest.of({"a": files[0], "b": ImageFolder(0o755), "c": files[1]})

    assert manifest(1 << 30).content_bytes == 1 << 30
    with pytest.raises(ManifestError, match="the files have 1073741825 bytes"):
        manifest((1 << 30) + 1)


def nested(depth):
    return {"/".join("d" * (level + 1)): ImageFolder(0o755) for level in range(depth)}


def test_a_path_has_at_most_250_characters():
    folders = nested(75)
    deepest = list(folders)[-1]
    for size in (250, 251):
        path = f"{deepest}/".ljust(size, "x")
        if size == 250:
            assert path in Manifest.of(folders | {path: FILE}).entries
        else:
            with pytest.raises(ManifestError, match="no path"):
                Manifest.of(folders | {path: FILE})


def test_a_link_has_at_most_250_characters():
    folders = nested(84) | {"d/x": FILE, "d/xy": FILE}
    deepest = list(nested(84))[-1]
    for target in ("../" * 83 + "x", "../" * 83 + "xy"):
        entries = folders | {f"{deepest}/l": ImageLink(target)}
        if len(target) == 250:
            assert Manifest.of(entries)
        else:
            with pytest.raises(ManifestError, match="leaves the image"):
                Manifest.of(entries)


@pytest.mark.parametrize(
    ("link", "target", "holds"),
    [
        ("d/d/d/l", "x", True),
        ("d/d/d/l", "../y", True),
        ("d/d/d/l", "../../z", True),
        ("d/d/d/l", "../../../d/z", True),
        ("d/d/d/l", "..", True),
        ("d/d/d/l", "../..", True),
        ("d/d/d/l", "../x", False),
        ("d/d/d/l", "../z", False),
        ("d/d/d/l", "../../y", False),
        ("d/d/d/l", "../../../z", False),
        ("d/d/d/l", "../../..", False),
        ("d/d/d/l", "../../../../d", False),
        ("l", "d/z", True),
        ("l", "z", False),
        ("l", "..", False),
        ("d/l", "z", True),
        ("d/l", "d/y", True),
        ("d/l", "d/..", False),
    ],
)
def test_a_link_is_followed_from_the_folder_that_it_lies_in(link, target, holds):
    entries = nested(3) | {"d/d/d/x": FILE, "d/d/y": FILE, "d/z": FILE, link: ImageLink(target)}
    if holds:
        assert Manifest.of(entries).entries[link] == ImageLink(target)
    else:
        with pytest.raises(ManifestError, match="is a link"):
            Manifest.of(entries)


names = st.text(st.sampled_from("ab._-+"), min_size=1, max_size=3).filter(
    lambda name: name not in {".", ".."}
)


@given(st.dictionaries(names, st.dictionaries(names, st.sampled_from([FILE, ImageFolder(0o755)]))))
def test_every_manifest_is_read_back_from_its_text(tree):
    entries = {}
    for folder, content in tree.items():
        entries[folder] = ImageFolder(0o755)
        entries.update({f"{folder}/{name}": entry for name, entry in content.items()})
    manifest = Manifest.of(entries)
    assert Manifest.parse(manifest.text) == manifest
    assert list(manifest.entries) == sorted(entries)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_our_error(data):
    for text in (data, HEAD.encode() + data):
        try:
            manifest = Manifest.parse(text)
        except ImageError:
            continue
        assert manifest.text == text
