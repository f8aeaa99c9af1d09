"""Programs in Rust with `std` and crates: how they are built, and what the examples do with them.

No crate is fetched here: that the shipped modules are what their sources build is for
`veracruz-sdk build-examples --check`, which needs the registry and minutes.
"""

import json
import math
import random
import tomllib

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_services import ServiceUnavailableError
from sdk.cli import main
from sdk.errors import BuildError, SourceUnavailableError, StaleModuleError
from sdk.examples import EXAMPLES, Case, build, programs
from sdk.examples.named_types import SCHEMAS
from sdk.toolchains import cargo
from sdk.toolchains.made import producers
from sdk.toolchains.sources import source_folder
from support.rust_toolchain import found_rust, script_of_rustc
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.pinecone import decode, encode

DATA_SOURCE_COUNT, BAD_INPUT, SERVICE_UNAVAILABLE = -2, -4, -7
WITH_CRATES = [name for name in programs.NAMES if build.language_of(name) == "cargo"]
LIBRARIES = source_folder("c").parent
OTHER = b"\0asm\1\0\0\0"


needs_cargo = pytest.mark.skipif(found_rust() is None, reason="there is no cargo and Rust")


def encoded(name, value):
    return encode(SCHEMAS[name].kind, value)


def decoded(name, data):
    return decode(SCHEMAS[name].kind, data)


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def cargo_says(tmp_path, monkeypatch):
    """Puts a script in the place of cargo, which says its version and then does as it is told."""

    def replace(script, version="1.65.0"):
        path = tmp_path / "cargo"
        path.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo cargo {version} && exit\n{script}\n'
        )
        path.chmod(0o755)
        monkeypatch.setenv("VERACRUZ_CARGO", str(path))
        tmp_path.joinpath("compiler").mkdir()
        rustc = script_of_rustc(tmp_path / "compiler")
        monkeypatch.setenv("VERACRUZ_RUSTC", str(rustc))
        return tmp_path

    return replace


@needs_cargo
@pytest.mark.timeout(300)
def test_a_new_program_with_std_builds_and_passes_its_tests(sdk, tmp_path, monkeypatch):
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUSTFLAGS", "--cfg no-such-thing=")  # not taken over, or it would fail
    assert sdk("new", "my-sum", "--language", "rust", "--std").exit_code == 0
    built = json.loads(sdk("build", "my-sum", "--json").stdout)
    module = tmp_path.joinpath("my-sum", "my-sum.wasm").read_bytes()
    assert built["digest"] == str(Digest.of(module))
    assert str(tmp_path).encode() not in module
    tested = sdk("test", "my-sum", "--json")
    assert json.loads(tested.stdout) == {
        "passed": True, "findings": [], "cases": {"sum": [], "cut-off": []},
    }  # fmt: skip


@needs_cargo
@pytest.mark.timeout(300)
def test_a_lock_that_does_not_fit_is_refused_and_one_that_is_missing_is_written(sdk, tmp_path):
    assert sdk("new", "mine", "--language", "rust", "--std").exit_code == 0
    lock = tmp_path / "mine" / "Cargo.lock"
    shipped = lock.read_text()
    lock.write_text(shipped.replace('"program"', '"programme"'))
    done = sdk("build", "mine")
    assert done.exit_code == 1
    assert "--locked" in done.stderr
    lock.unlink()
    tmp_path.joinpath("mine", "src", "main.rs").write_text("fn main() { missing() }")
    done = sdk("build", "mine")
    assert "cannot find function `missing`" in done.stderr
    assert lock.read_text() == shipped


def test_only_rust_has_a_std(sdk, tmp_path):
    done = sdk("new", "mine", "--language", "c", "--std")
    assert done.exit_code == 1
    assert "std is for programs in rust, not in c" in done.stderr
    assert not tmp_path.joinpath("mine").exists()


@needs_cargo
def test_a_registry_that_cannot_be_reached_is_an_error_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CARGO_NET_RETRY", "0")
    monkeypatch.setenv("CARGO_HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailableError, match="registry of crates cannot be reached"):
        cargo.compile_example(source_folder("examples") / WITH_CRATES[0], libraries=LIBRARIES)


@pytest.mark.parametrize("options", [["--check"], []])
def test_programs_whose_crates_cannot_be_fetched_are_skipped_by_name(sdk, cargo_says, options):
    folder = cargo_says("printf '%s' 'error: no rand\n\n  [7] Could not connect' >&2; exit 101")
    folder.joinpath("modules").mkdir()
    done = sdk("build-examples", *options, "--language", "cargo", "--folder", folder / "modules")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == ""
    why = "the registry of crates cannot be reached: [7] Could not connect"
    assert done.stderr.splitlines() == [f"skipped {name}: {why}" for name in WITH_CRATES]
    assert list(folder.joinpath("modules").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "error: the lock file needs to be updated",
        "error: failed to download rand\nCaused by:\n  failed to verify the checksum of rand",
        "error: failed to get 200 response from the registry, got 404",
    ],
)
def test_a_program_that_does_not_build_is_not_skipped(sdk, cargo_says, words):
    cargo_says(f"echo '{words}' >&2; exit 101")
    done = sdk("build-examples", "--check", "--language", "cargo")
    assert done.exit_code == 1
    assert words in done.stderr


def builds(module):
    """A script that does what cargo does, with this file as the module."""
    message = json.dumps({"reason": "compiler-artifact", "executable": str(module)})
    return f"case \"$1\" in metadata) echo '{{\"packages\": []}}';; build) echo '{message}';; esac"


def test_a_shipped_module_that_differs_is_told(tmp_path, cargo_says):
    module = tmp_path / "other.wasm"
    module.write_bytes(OTHER)
    cargo_says(builds(module))
    with pytest.raises(StaleModuleError, match=f"{WITH_CRATES[0]}: .* its source builds"):
        build.check_examples(language="cargo")


def test_what_cargo_builds_is_written(tmp_path, cargo_says):
    module = tmp_path / "other.wasm"
    module.write_bytes(OTHER)
    cargo_says(builds(module))
    tmp_path.joinpath("modules").mkdir()
    built = build.write_examples(tmp_path / "modules", language="cargo")
    assert [(one.name, one.digest) for one in built] == [
        (name, Digest.of(tmp_path.joinpath("modules", f"{name}.wasm").read_bytes()))
        for name in WITH_CRATES
    ]
    for path in tmp_path.joinpath("modules").glob("*.wasm"):
        assert path.read_bytes().startswith(OTHER)
        assert producers(path.read_bytes())["processed-by"]["rustc"]


def test_a_package_of_two_programs_is_refused(tmp_path, cargo_says):
    message = json.dumps({"executable": "/a.wasm"})
    cargo_says(f"[ $1 = metadata ] && echo '{{\"packages\": []}}' || echo '{message}\n{message}'")
    with pytest.raises(BuildError, match="the package has 2 programs"):
        cargo.compile_cargo(tmp_path)


@pytest.mark.parametrize("name", WITH_CRATES)
def test_an_example_pins_its_crates_and_is_built_as_a_project_is(name):
    folder = source_folder("examples") / name
    said = tomllib.loads(folder.joinpath("Cargo.toml").read_text())
    template = LIBRARIES / "src" / "sdk" / "projects" / "templates" / "rust-std" / "Cargo.toml"
    project = tomllib.loads(template.read_text())
    assert said["profile"] == project["profile"]
    assert said["workspace"] == project["workspace"]
    for crate in said["dependencies"].values():
        assert crate.get("path", "").startswith("../../") or crate["version"].startswith("=")
    locked = tomllib.loads(folder.joinpath("Cargo.lock").read_text())["package"]
    assert all("checksum" in one or "source" not in one for one in locked)


def test_the_components_of_points_on_a_line_are_the_line(run_program):
    rows = [[1.0, 2.0], [2.0, 4.0], [6.0, 12.0]]
    data = [encoded("measurements", rows[:1]), encoded("measurements", rows[1:])]
    found = decoded("components", run_program("principal-components", *data).output)
    assert found["means"] == pytest.approx([3, 6])
    first, second = found["components"]
    assert first["direction"] == pytest.approx([1 / math.sqrt(5), 2 / math.sqrt(5)])
    assert (first["variance"], second["variance"]) == pytest.approx((35, 0))


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(-1e3, 1e3), min_size=width, max_size=width), min_size=2, max_size=9
        )
    )
)
def test_components_are_upright_and_share_out_all_that_varies(run_program, rows):
    found = decoded(
        "components", run_program("principal-components", encoded("measurements", rows)).output
    )
    components = found["components"]
    assert len(components) == min(len(rows[0]), len(rows) - 1)
    variances = [one["variance"] for one in components]
    assert variances == sorted(variances, reverse=True)
    total = sum(
        math.fsum((x - math.fsum(column) / len(rows)) ** 2 for x in column) / (len(rows) - 1)
        for column in zip(*rows, strict=True)
    )
    assert sum(variances) == pytest.approx(total, rel=1e-9, abs=1e-9)
    for one in components:
        assert math.hypot(*one["direction"]) == pytest.approx(1)
        assert max(one["direction"], key=abs) > 0


@pytest.mark.parametrize(
    "rows", [[], [[1.0, 2.0]], [[1.0], [1.0, 2.0]], [[], []], [[math.nan], [1.0]], [[math.inf]] * 2]
)
def test_rows_that_are_no_table_have_no_components(run_program, rows):
    outcome = run_program("principal-components", encoded("measurements", rows))
    assert (outcome.return_code, outcome.output) == (BAD_INPUT, None)


def test_a_forest_learns_what_no_line_divides(run_program):
    draw = random.Random(7)

    def rows(count):
        return [[draw.uniform(-1, 1), draw.uniform(-1, 1)] for _ in range(count)]

    def label(row):
        return 11 if row[0] * row[1] > 0 else 3

    known = [
        encoded("labelled-rows", [{"features": row, "label": label(row)} for row in rows(150)])
        for _ in range(2)
    ]
    asked = [row for row in rows(300) if abs(row[0] * row[1]) > 0.03]
    outcome = run_program("random-forest-classification", *known, encoded("unlabelled-rows", asked))
    found = decoded("labels", outcome.output)
    right = sum(one == label(row) for one, row in zip(found, asked, strict=True))
    assert right / len(asked) > 0.95


@pytest.mark.parametrize(
    ("labelled", "asked", "code"),
    [
        ([([1.0], 0), ([2.0], 1)], [], 0),
        ([([1.0], 0), ([2.0], 1)], [[1.0, 2.0]], BAD_INPUT),
        ([([1.0], 0), ([2.0, 1.0], 1)], [[1.0]], BAD_INPUT),
        ([([1.0], 4), ([2.0], 4)], [[1.0]], BAD_INPUT),
        ([([math.nan], 0), ([2.0], 1)], [[1.0]], BAD_INPUT),
        ([([], 0), ([], 1)], [[]], BAD_INPUT),
        ([], [[1.0]], BAD_INPUT),
    ],
)
def test_a_forest_grows_from_tables_of_two_kinds_only(run_program, labelled, asked, code):
    rows = [{"features": features, "label": label} for features, label in labelled]
    data = encoded("labelled-rows", rows), encoded("unlabelled-rows", asked)
    assert run_program("random-forest-classification", *data).return_code == code


SITES = [
    [f"{site}{number}" for number in range(size)] for site, size in [("b", 0), ("b", 7), ("c", 40)]
]


def allocated(run_program, sites, **more):
    data = [encoded("participants", site) for site in sites]
    return run_program("trial-allocation", *data, **more)


class Counting:
    """Random bytes that are none."""

    def __init__(self, first):
        self.first = first

    def fill(self, size):
        return bytes((self.first + number) % 256 for number in range(size))


def test_the_draw_is_the_hosts_and_another_one_each_time(run_program):
    example = EXAMPLES["trial-allocation"]
    case = Case(tuple(encoded("participants", site) for site in SITES))
    draws = [allocated(run_program, SITES, random=Counting(first)).output for first in range(8)]
    assert [example.fault(case, [draw]) for draw in draws] == [None] * 8
    assert len(set(draws)) == 8
    assert allocated(run_program, SITES, random=Counting(3)).output == draws[3]
    treated = {sum(one["treated"] for one in decoded("allocation", draw)[1]) for draw in draws}
    assert treated == {3, 4}  # of seven: which half is the larger is drawn, too


def test_without_random_numbers_nobody_is_allocated(run_program):
    class Dry:
        def fill(self, size):
            raise ServiceUnavailableError("dry")

    outcome = allocated(run_program, SITES, random=Dry())
    assert (outcome.return_code, outcome.output) == (SERVICE_UNAVAILABLE, None)


def test_nobody_takes_part_twice(run_program):
    assert allocated(run_program, [["a", "b"], ["b"]]).return_code == BAD_INPUT


@pytest.mark.parametrize("name", WITH_CRATES)
def test_codes_reach_the_host_as_they_are(run_program, name):
    assert run_program(name).return_code == DATA_SOURCE_COUNT
    assert run_program(name, b"\xff", b"\xff").return_code == BAD_INPUT
