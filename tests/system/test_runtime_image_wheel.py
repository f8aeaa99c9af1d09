"""The wheel with a release's image: what is bundled is listed, and every licence is in it."""

import base64
import csv
import hashlib
import importlib.util
import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.utils import parse_wheel_filename

from sonora.image.contents import packages_of
from sonora.image.local import local_image
from sonora.image.source import ARCHIVE, RELEASE
from veracruz_image import MANIFEST

TOOL = Path(__file__).parents[2] / "tools/runtime_image.py"

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg") is None, reason="what libraries belong to is asked of dpkg"
)


@pytest.fixture(scope="module")
def made():
    spec = importlib.util.spec_from_file_location("runtime_image", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    image = local_image()
    made_of = json.loads((image.folder.parent / "sources.json").read_text())
    sources = [Path(each) for each in made_of["files"]]
    packages = packages_of(sources)
    libraries = list(tool._libraries(sources, packages))
    return SimpleNamespace(tool=tool, image=image, packages=packages, libraries=libraries)


def test_the_bill_of_materials_has_every_package_and_library_in_its_version(made):
    raw = made.tool._bill(made.image.manifest, made.packages, made.libraries)
    assert made.tool._bill(made.image.manifest, made.packages, made.libraries) == raw
    bill = json.loads(raw)
    assert bill["bomFormat"] == "CycloneDX"
    assert "timestamp" not in bill["metadata"]
    subject = bill["metadata"]["component"]
    assert subject["hashes"] == [{"alg": "SHA-256", "content": str(made.image.measurement)}]
    versions = {each["name"]: each["version"] for each in bill["components"]}
    assert {"cryptography", "wasmtime", "protobuf", "cpython", "veracruz-mexico-city"} <= set(
        versions
    )
    for name, package in made.packages.items():
        assert versions[name] == package.version
    assert all(each["purl"].startswith("pkg:") for each in bill["components"])


def test_a_wheel_has_the_licence_of_everything_in_it_and_is_the_same_when_made_again(
    made, tmp_path
):
    licences = made.tool._licences(made.packages, made.libraries)
    owners = {path.split("/")[0] for path in licences}
    theirs = {name for name in made.packages if not name.startswith("veracruz")}
    assert owners == theirs | {each.package for each in made.libraries} | {"veracruz"}
    files = {f"{RELEASE}/{ARCHIVE}": b"archive", f"{RELEASE}/{MANIFEST}": b"manifest"}
    wheels = [
        made.tool._write_wheel(tmp_path / name, made.image.manifest, files, licences)
        for name in ("first", "second")
    ]
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    name, version, _, tags = parse_wheel_filename(wheels[0].name)
    assert (name, str(version)) == ("veracruz-runtime-image", made.tool._version())
    assert all(tag.platform.startswith("manylinux") for tag in tags)
    with zipfile.ZipFile(wheels[0]) as wheel:
        record = next(each for each in wheel.namelist() if each.endswith("/RECORD"))
        rows = list(csv.reader(wheel.read(record).decode().splitlines()))
        assert {row[0] for row in rows} == set(wheel.namelist())
        for path, digest, _ in rows:
            if path != record:
                sha256 = hashlib.sha256(wheel.read(path)).digest()
                assert digest == f"sha256={base64.urlsafe_b64encode(sha256).decode().rstrip('=')}"
        metadata = wheel.read(record.replace("RECORD", "METADATA")).decode()
    assert str(made.image.measurement) in metadata
