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
