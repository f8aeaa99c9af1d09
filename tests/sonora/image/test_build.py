"""An image holds what an isolate loads and nothing else, the same bytes whenever it is made."""

import marshal
import os
import re
from pathlib import Path

import pytest

from sonora.errors import SonoraError
from sonora.image.build import build_image
from sonora.image.elf import MAGIC, NativeFile
from veracruz_image import ImageLink, verify_image

ROOT = Path(__file__).parents[3]
PACKAGES = {path.parent.name for path in ROOT.glob("*/pyproject.toml")}
LISTED = ROOT / "tests/sonora/isolate_modules.txt"
"""Which of our modules an isolate loads; each is trusted with what principals send."""


def sources(image) -> set[str]:
    return {path for path in image.manifest.entries if path.endswith(".py")}


def modules_of(image) -> set[str]:
    """The names of all modules in the folder of packages."""
    names = set()
    for path in sources(image):
        if "/site-packages/" in path:
            name = path.partition("/site-packages/")[2].removesuffix(".py").replace("/", ".")
            names.add(name.removesuffix(".__init__"))
    return names


def test_an_image_built_again_at_another_place_is_the_same_to_the_last_byte(image, tmp_path):
    build_image(tmp_path / "another")
    again = verify_image(tmp_path / "another")
    assert again.entries == image.manifest.entries
    assert again.measurement == image.measurement


def test_an_image_is_the_same_whatever_its_folder_is_called_by(image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_image(Path("relative"))
    assert verify_image(Path("relative")).measurement == image.measurement


def test_of_our_modules_an_image_has_those_that_are_written_down(image):
    found = {name for name in modules_of(image) if name.partition(".")[0] in PACKAGES}
    lines = LISTED.read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == sorted(listed), "one module a line, sorted"
    added, gone = sorted(found - set(listed)), sorted(set(listed) - found)
    assert not added, (
        f"an isolate now loads {added}. Whatever it loads is trusted with everybody's secrets, and "
        "is measured: to add a module is a decision. If it is meant, add the line to "
        f"{LISTED.relative_to(ROOT)} and say why in the commit; if not, import less"
    )
    assert not gone, f"an isolate no longer loads {gone}: remove the line from {LISTED.name}"


def test_an_image_has_nothing_that_only_shells_need(image):
    tops = {name.partition(".")[0] for name in modules_of(image)}
    assert not tops & {"grpc", "click", "sqlalchemy", "pip", "setuptools", "veracruz_image"}
    assert not [path for path in image.manifest.entries if path.endswith("/logging/__init__.py")]


def test_an_image_has_modules_native_files_compiled_forms_filters_and_a_note_of_a_version(image):
    others = {
        path.rpartition("site-packages/")[2]
        for path, entry in image.manifest.entries.items()
        if not path.endswith((".py", ".pyc"))
        and (image.root / path).is_file()
        and (image.root / path).read_bytes()[:4] != MAGIC
        and not isinstance(entry, ImageLink)
    }
    programs = f"mexico_city/sandbox/programs/{os.uname().machine}"
    (note,) = others - {f"{programs}/{name}" for name in ("front", "keeper", "guest", "compiled")}
    assert len(others) == 5
    assert re.fullmatch(r"wasmtime-[\d.]+\.dist-info/METADATA", note)


def test_every_module_is_compiled_as_if_in_the_image(image):
    compiled = {path for path in image.manifest.entries if path.endswith(".pyc")}
    assert len(compiled) == len(sources(image))
    for path in compiled:
        content = (image.root / path).read_bytes()
        assert content[4] == 1, f"{path} would be compared with its source"
        folder, _, name = path.rpartition("/__pycache__/")
        code = marshal.loads(content[16:])
        assert code.co_filename == f"/{folder}/{name.partition('.')[0]}.py"


def test_no_native_file_looks_for_libraries_outside(image):
    native = [path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]
    seen = 0
    for path in native:
        content = path.read_bytes()
        if content.startswith(MAGIC):
            seen += 1
            file = NativeFile.parse(content)
            assert file.plain == content
            for name in file.needed:
                places = [each.replace("$ORIGIN", str(path.parent)) for each in file.search]
                assert any(
                    (Path(place) / name).exists() for place in [*places, image.root / "usr/lib"]
                ), (path, name)
    assert seen > 20


def test_a_folder_that_is_there_is_not_built_over_and_a_failure_leaves_none(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with pytest.raises(SonoraError, match="there exists already"):
        build_image(tmp_path / "there")
    with pytest.raises(SonoraError, match=r"nowhere.*No such file"):
        build_image(tmp_path / "nowhere" / "image")
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(SonoraError, match="collect: ModuleNotFoundError"):
        build_image(tmp_path / "image")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
