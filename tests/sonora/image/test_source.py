"""Which image is taken: a folder, an archive that is unpacked once, the installed release's."""

import sys

import pytest

from sonora.errors import SonoraError
from sonora.image import source
from sonora.image.source import RELEASE, find_image, installed_archive
from sonora.linux_launcher import LinuxLauncher
from support.images import remade, replace
from veracruz_image import MANIFEST, ImageError, write_archive


@pytest.fixture(scope="module")
def archive(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "image.tar.xz"
    with path.open("wb") as file:
        write_archive(image.folder, file, preset=0)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_folder_is_taken_where_it_is(image, cache):
    assert find_image(image.folder) == image
    assert not cache.exists()


def test_an_archive_is_unpacked_once_and_started_from_there(image, archive, cache):
    found = find_image(archive)
    assert found.measurement == image.measurement
    assert found.folder.parent == cache / "veracruz" / "images"
    was = found.folder.stat().st_ino
    assert find_image(archive).folder.stat().st_ino == was
    LinuxLauncher(found).close()
    assert [path.name for path in found.folder.parent.iterdir()] == [str(image.measurement)]


def test_no_manifest_is_read_twice(image, archive, monkeypatch):
    unpacked = find_image(archive)
    read = []
    manifest_of = source.read_manifest
    monkeypatch.setattr(source, "read_manifest", lambda at: read.append(at) or manifest_of(at))
    assert find_image(archive) == unpacked
    assert find_image(image.folder) == image
    assert read == [archive, unpacked.folder, image.folder]


def test_what_was_unpacked_and_then_changed_is_refused(archive):
    found = find_image(archive)
    (module,) = found.root.rglob("mexico_city/front.py")
    replace(module, b"")
    with pytest.raises(SonoraError, match=r"mexico_city/front\.py: changed"):
        LinuxLauncher(find_image(archive))
    remade(found.folder)
    with pytest.raises(SonoraError, match="holds another image than its name says: remove it"):
        find_image(archive)


def test_a_bad_archive_leaves_nothing_behind(archive, tmp_path, cache):
    bad = tmp_path / "bad.tar.xz"
    content = archive.read_bytes()
    bad.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match="cut short"):
        find_image(bad)
    assert list((cache / "veracruz" / "images").iterdir()) == []


def test_the_installed_release_is_found_by_its_package(image, archive, tmp_path, monkeypatch):
    package = tmp_path / "site" / RELEASE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "image.tar.xz").hardlink_to(archive)
    monkeypatch.syspath_prepend(package.parent)
    try:
        assert installed_archive() == package / "image.tar.xz"
        assert find_image().measurement == image.measurement
    finally:
        sys.modules.pop(RELEASE, None)


def test_a_manifest_alone_cannot_be_started(image):
    with pytest.raises(ImageError, match="not an archive"):
        find_image(image.folder / MANIFEST)
