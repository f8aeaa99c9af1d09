"""What a software root says of the process that it vouches in."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

from sonora.evidence.own_process import (
    digest_files,
    measure_this_process,
    measured_files,
    measurement_of,
)

DIGEST = hashlib.sha256(b"").digest()


def loaded(path: Path, name: str):
    """A module loaded from this file."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_process_has_the_same_measurement():
    first = measurement_of(measure_this_process())
    assert len(first) == 32
    assert measurement_of(measure_this_process()) == first


def test_a_changed_byte_changes_it_and_another_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr("sonora.evidence.own_process._mapped_libraries", set)
    values = []
    for folder, content in (("a", "x = 1\n"), ("b", "x = 1\n"), ("c", "x = 2\n")):
        path = tmp_path / folder / "sample.py"
        path.parent.mkdir()
        path.write_text(content)
        files = measured_files({"sample": loaded(path, "sample")})
        values.append(measurement_of(digest_files(files)))
    assert values[0] == values[1] != values[2]


def test_the_measurement_is_over_the_list_of_names_and_digests():
    one = measurement_of({"a": DIGEST})
    assert one != measurement_of({"b": DIGEST})
    assert one != measurement_of({"a": DIGEST, "b": DIGEST})
    assert one != measurement_of({"a": hashlib.sha256(b"x").digest()})
    assert measurement_of({"a": DIGEST, "b": DIGEST}) == measurement_of({"b": DIGEST, "a": DIGEST})


def test_no_two_lists_of_files_run_together():
    joined = b"a" + DIGEST + (1).to_bytes(8) + b"b"
    assert measurement_of({joined.decode("latin-1"): DIGEST}) != measurement_of(
        {"a": DIGEST, "b": DIGEST}
    )


def test_every_library_counts_even_if_another_has_its_name(tmp_path, monkeypatch):
    paths = [tmp_path / folder / "libsame.so" for folder in ("a", "b")]
    contents = [b"one", b"two"]

    def named(order):
        for path, content in zip(paths, order, strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        monkeypatch.setattr("sonora.evidence.own_process._mapped_libraries", lambda: set(paths))
        digests = digest_files(measured_files({}))
        del digests["interpreter"]
        return digests

    first = named(contents)
    assert set(first) == {"native:libsame.so", "native:libsame.so#1"}
    assert set(first.values()) == {hashlib.sha256(content).digest() for content in contents}
    assert named(contents[::-1]) == first


def test_a_module_without_a_specification_counts_by_its_file(tmp_path):
    wrapper = ModuleType("wrapper")
    wrapper.__spec__ = None
    wrapper.__file__ = str(tmp_path / "wrapped.py")
    assert measured_files({"wrapper": wrapper})["module:wrapper"] == tmp_path / "wrapped.py"
