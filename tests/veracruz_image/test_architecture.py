import pytest

from veracruz_image import ImageError, ImageFile, ImageFolder, Manifest, architecture_of
from veracruz_utils.digest import Digest

FILE = ImageFile(0o755, 0, Digest.of(b""))


def image_with(*paths):
    folders = {path.rpartition("/")[0] for path in paths} | {"usr"}
    entries = {folder: ImageFolder(0o755) for folder in folders if folder}
    return Manifest.of(entries | dict.fromkeys(paths, FILE))


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        ("usr/lib/ld-linux-x86-64.so.2", "x86_64"),
        ("usr/lib64/ld-linux-x86-64.so.2", "x86_64"),
        ("usr/lib/ld-linux-aarch64.so.1", "aarch64"),
    ],
)
def test_an_image_is_for_the_machines_of_its_loader(loader, name):
    assert architecture_of(image_with(loader, "usr/lib/libc.so.6")) == name


@pytest.mark.parametrize(
    "paths",
    [
        ["usr/lib/libc.so.6"],
        ["usr/lib/ld-musl-x86_64.so.1"],
        ["usr/lib/ld-linux-x86-64.so.2.old"],
        ["usr/lib/ld-linux-x86-64.so.2", "usr/lib/ld-linux-aarch64.so.1"],
    ],
)
def test_an_image_without_one_loader_that_is_known_is_for_none(paths):
    with pytest.raises(ImageError, match="for which machines"):
        architecture_of(image_with(*paths))
