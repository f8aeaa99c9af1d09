"""`sonora image build`, `verify`, `diff`, and `sonora measure`, as people run them."""

import json

import pytest
from click.testing import CliRunner

from sonora.cli import main
from support.images import copy_of, remade, replace
from veracruz_image import MANIFEST, measurement_of

pytestmark = pytest.mark.usefixtures("unprotected")


def sonora(*arguments, status=0):
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exit_code == status, done.stderr
    return done


@pytest.fixture
def other(image, tmp_path):
    """The image with a module that is another one."""
    made = copy_of(image, tmp_path / "other")
    (module,) = made.root.rglob("mexico_city/front.py")
    replace(module, module.read_bytes() + b"# another\n")
    return remade(made.folder)


def test_an_image_is_built_and_what_is_in_it_is_told(image, tmp_path):
    done = sonora("image", "build", tmp_path / "image", "--json")
    told = json.loads(done.stdout)
    assert told["measurement"] == str(image.measurement) == str(measurement_of(tmp_path / "image"))
    assert "cryptography" in told["packages"]
    assert told["paths"] == len(image.manifest.entries)
    assert "wasmtime" in done.stderr


def test_a_build_of_other_versions_than_the_lock_has_is_refused(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("cffi==0.0.1 \\\n    --hash=sha256:00\n")
    done = sonora("image", "build", tmp_path / "image", "--lock", lock, status=1)
    assert "cffi is installed in version" in done.stderr
    assert "lock has 0.0.1" in done.stderr
    assert not (tmp_path / "image").exists()


def test_an_image_is_verified_and_what_is_wrong_is_named(image, other):
    assert sonora("image", "verify", image.folder).stdout == f"{image.measurement}\n"
    assert sonora("image", "verify", other.folder / MANIFEST).stdout == f"{other.measurement}\n"
    replace(other.folder / MANIFEST, image.manifest.text)
    done = sonora("image", "verify", other.folder, status=1)
    assert "mexico_city/front.py: changed" in done.stderr
    assert done.stdout == ""


def test_what_differs_between_two_images_is_said_path_by_path(image, other):
    assert sonora("image", "diff", image.folder, image.folder).stdout == "the same image\n"
    done = sonora("image", "diff", image.folder, other.folder, "--json", status=1)
    (difference,) = json.loads(done.stdout)["differences"]
    assert difference["path"].endswith("/mexico_city/front.py")
    assert difference["what"] == "changed"
    text = sonora("image", "diff", image.folder, other.folder / MANIFEST, status=1).stdout
    assert "/mexico_city/front.py: changed (" in text


def test_a_measurement_is_that_of_the_image_that_is_named(image, other, monkeypatch):
    done = sonora("measure", "--image", other.folder, "--json")
    assert json.loads(done.stdout) == {
        "platform": "linux-software-root",
        "measurement": str(other.measurement),
    }
    monkeypatch.setenv("SONORA_IMAGE", str(image.folder))
    assert sonora("measure").stdout == f"{image.measurement}\n"


def test_without_an_image_the_way_to_one_is_said(monkeypatch):
    monkeypatch.delenv("SONORA_IMAGE", raising=False)
    monkeypatch.setattr("sonora.image.source.installed_archive", lambda: None)
    done = sonora("measure", status=1)
    assert "install the package veracruz-runtime-image, or build one" in done.stderr
