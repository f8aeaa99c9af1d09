import hashlib
import importlib.util
import py_compile
import shutil
import sys
import sysconfig
from pathlib import Path

import cryptography

import mexico_city
from sonora.isolates import LinuxLauncher
from sonora.measurement import (
    digest_files,
    measure_this_process,
    measured_files,
    measurement_of,
)

DIGEST = hashlib.sha256(b"").digest()
ROOT = Path(__file__).parents[2]
PACKAGES = {path.parent.name for path in ROOT.glob("*/pyproject.toml")}
LISTED = Path(__file__).with_name("isolate_modules.txt")
"""Which of our modules an isolate loads; each is trusted with what principals send."""


def loaded(path: Path, name: str):
    """A module loaded from this file."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_process_has_the_same_measurement():
    assert measurement_of(measure_this_process()) == measurement_of(measure_this_process())
    assert len(measurement_of(measure_this_process())) == 32


def test_a_changed_byte_changes_it_and_another_folder_does_not(tmp_path):
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
        monkeypatch.setattr("sonora.measurement._mapped_libraries", lambda: set(paths))
        digests = digest_files(measured_files({}))
        del digests["interpreter"]
        return digests

    first = named(contents)
    assert set(first) == {"native:libsame.so", "native:libsame.so#1"}
    assert set(first.values()) == {hashlib.sha256(content).digest() for content in contents}
    assert named(contents[::-1]) == first


def test_a_runtime_is_measured_with_interpreter_engine_libraries_and_all_of_its_own(isolates):
    names = set(isolates.launcher.files)
    assert "interpreter" in names
    assert any(name.startswith("native:") and "wasmtime" in name for name in names)
    assert any(name.startswith("native:libc") for name in names)
    assert "module:cryptography.hazmat.bindings._rust" in names
    assert {"module:json", "module:ctypes", "module:OpenSSL.SSL"} <= names


def test_of_our_modules_an_isolate_loads_those_that_are_written_down(isolates):
    names = {name.removeprefix("module:") for name in isolates.launcher.files}
    loaded = {name for name in names if name.partition(".")[0] in PACKAGES}
    lines = LISTED.read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == sorted(listed), "one module a line, sorted"
    added, gone = sorted(loaded - set(listed)), sorted(set(listed) - loaded)
    assert not added, (
        f"an isolate now loads {added}. Whatever it loads is trusted with everybody's secrets, and "
        "is measured: to add a module is a decision. If it is meant, add the line to "
        f"{LISTED.relative_to(ROOT)} and say why in the commit; if not, import less"
    )
    assert not gone, f"an isolate no longer loads {gone}: remove the line from {LISTED.name}"


def test_a_runtime_has_nothing_loaded_that_only_shells_need(isolates):
    modules = {name.removeprefix("module:").partition(".")[0] for name in isolates.launcher.files}
    assert not modules & {"grpc", "click", "sqlalchemy", "logging"}


def test_names_carry_no_paths_and_digests_are_those_of_the_files(isolates):
    files = isolates.launcher.files
    assert not [name for name in files if "/" in name or "\\" in name]
    front = Path(mexico_city.__file__).parent / "front.py"
    assert files["module:mexico_city.front"] == hashlib.sha256(front.read_bytes()).digest()
    interpreter = Path(sys.executable).resolve()
    assert files["interpreter"] == hashlib.sha256(interpreter.read_bytes()).digest()
    assert isolates.launcher.measurement == measurement_of(files)


def test_a_runtime_with_one_other_file_has_another_measurement_by_that_file_alone(
    isolates, tmp_path, monkeypatch
):
    """Installed elsewhere, with a comment more in one module and a false cache beside another."""
    copy = tmp_path / "mexico_city"
    shutil.copytree(Path(mexico_city.__file__).parent, copy)
    front = copy / "front.py"
    front.write_text(front.read_text() + "# another\n")
    false = tmp_path / "false.py"
    false.write_text("raise SystemExit")
    py_compile.compile(
        str(false),
        cfile=importlib.util.cache_from_source(str(copy / "lifecycle.py")),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    monkeypatch.syspath_prepend(tmp_path)
    launcher = LinuxLauncher()
    launcher.close()
    original = isolates.launcher
    assert launcher.measurement != original.measurement
    assert set(launcher.files) == set(original.files)
    changed = {name for name, digest in launcher.files.items() if digest != original.files[name]}
    assert changed == {"module:mexico_city.front"}


def test_the_same_files_installed_elsewhere_have_the_same_measurement(
    isolates, tmp_path, monkeypatch
):
    """As wheels lay them out in another folder; here they are editable, from their sources."""
    modules = [name[7:] for name in isolates.launcher.files if name.startswith("module:")]
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    for top in tops:
        _copy(sys.modules.get(top) or importlib.import_module(top), tmp_path)
    site = Path(cryptography.__file__).parents[1]
    for beside in (*site.glob("*.libs"), *site.glob("wasmtime-*.dist-info")):
        shutil.copytree(beside, tmp_path / beside.name)
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    paths = [path for path in sys.path if any(path.startswith(each) for each in standard)]
    kept = [path for path in paths if "site-packages" not in path]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *kept])
    launcher = LinuxLauncher()
    launcher.close()
    assert launcher.files == isolates.launcher.files
    assert launcher.measurement == isolates.launcher.measurement


def _copy(module, folder):
    """A package, or a module that is one file, into `folder`."""
    if hasattr(module, "__path__"):
        source = Path(next(iter(module.__path__)))
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(module.__file__, folder)
