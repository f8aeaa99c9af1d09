"""What the package offers is what it says it offers."""

import subprocess
import sys

import pytest

import durango


def test_everything_that_is_offered_is_there_and_lives_where_the_stub_says():
    for name in durango.__all__:
        assert getattr(durango, name).__module__ == durango._homes()[name], name
    assert set(durango.__all__) <= set(dir(durango))


def test_there_is_one_class_of_each_name_wherever_it_is_imported_from():
    from veracruz_utils.policy import Policy  # noqa: PLC0415

    assert durango.Policy is Policy


def test_what_is_not_offered_is_not_there():
    for name in ("nothing", "_homes_", "__path_of_nothing__"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(durango, name)


def test_star_imports_give_all_of_it():
    script = "from durango import *; print(Policy.__name__, attest.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["Policy", "attest"]


def test_to_import_it_loads_next_to_nothing():
    script = "import sys; before = {*sys.modules}; import durango; print(*{*sys.modules} - before)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {name for name in done.stdout.split() if not name.startswith("importlib")}
    assert loaded <= {"durango", "warnings"}


@pytest.mark.parametrize("module", ["durango", "durango.cli"])
def test_nothing_is_loaded_before_it_is_asked_for(module):
    script = f"import sys, {module}; print(*{{'grpc', 'OpenSSL', 'msgspec'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
