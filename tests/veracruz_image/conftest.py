"""A small image, as a folder."""

import pytest

from veracruz_image import MANIFEST, ROOT, Manifest, found_in, open_folder

CONTENT = {
    "usr/bin/python3": (b"\x7fELF", 0o755),
    "usr/lib/libc.so": (b"libc" * 1000, 0o755),
    "usr/lib/python3/os.py": (b"import sys\n", 0o644),
    "usr/lib/python3/empty.py": (b"", 0o644),
}


@pytest.fixture
def image(tmp_path):
    return make_image(tmp_path / "image")


def make_image(folder):
    root = folder / ROOT
    for path, (content, mode) in CONTENT.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    for path in [path for path in root.rglob("*") if path.is_dir()]:
        path.chmod(0o755)
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/libc.so.6").symlink_to("libc.so")
    write_manifest(folder)
    return folder


def write_manifest(folder):
    with open_folder(folder / ROOT) as root:
        manifest = Manifest.of(found_in(root))
    (folder / MANIFEST).write_bytes(manifest.text)
    return manifest
