"""What the READMEs of the examples tell a reader to type works as it stands."""

import json
import os
import re
import subprocess
import sysconfig
from functools import partial
from importlib.util import find_spec

import pytest

from sdk.examples import programs
from sdk.examples.people import generate_people, people_csv
from sdk.toolchains.sources import source_folder
from support import command_server

INSTALLED = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
MODEL = [pytest.approx(0, abs=0.5), pytest.approx(3, abs=2)]
LAST_LINES = {
    "intersection-set-sum": 22.0,
    "logistic-regression": MODEL,
    "private-set-intersection-sum": [2, 17],
    "sealed-bid-auction": {"winner": "ann", "price": 25},
    "secret-ballot": {"voters": 3, "spoiled": 0, "tally": [["yes", 1], ["no", 2]]},
    "federated-averaging": [4.0, 2.0],
    "group-by-join": [{"group": "north", "people": 2, "mean": 1.5}],
    "forest-inference": [-0.5, 2.5],
    "neural-network": [1, 0],
    "linear-regression": {"gradient": 0.5, "intercept": 1.0},
    "number-stream-accumulation": 108.0,
    "sql-query": {
        "columns": ["city", "total"],
        "rows": [[{"Text": "Oaxaca"}, {"Real": 7.5}]],
    },
    "principal-components": {
        "means": pytest.approx([3, 6]),
        "components": [
            {
                "variance": pytest.approx(70 / 3),
                "direction": pytest.approx([5**-0.5, 2 * 5**-0.5]),
            },
            {
                "variance": pytest.approx(0, abs=1e-9),
                "direction": [pytest.approx(2 * 5**-0.5), pytest.approx(-(5**-0.5))],
            },
        ],
    },
    "random-forest-classification": [7, 5, 7],
    "survey-summary": {
        "north": {
            "asked": 5,
            "refused": 1,
            "ages": [25, 61],
            "grades": [[1, 1], [2, 2]],
            "words": ["good", "too slow"],
        },
    },
    "string-edit-distance": pytest.approx(0.961, abs=0.001),
}


@pytest.fixture
def run_commands(tmp_path):
    """Gives the output of the indented lines of a README, run as a script in a folder."""
    return partial(run_script, path=command_server.path(), folder=tmp_path)


def run_script(text, *, path, folder):
    script = "\n".join(re.findall(r"^    (.*)$", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def readme_of(name):
    return source_folder("examples").joinpath(name, "README.md").read_text()


@pytest.mark.parametrize("name", LAST_LINES)
def test_the_commands_of_an_examples_readme_compute_what_they_should(name, run_commands):
    output = run_commands(readme_of(name))
    assert json.loads(output.splitlines()[-1]) == LAST_LINES[name]


def test_the_commands_for_the_intersection_give_who_is_in_both_files(run_commands):
    output = run_commands(readme_of("private-set-intersection"))
    both = generate_people(seed=1, size=4000, overlap=1200)
    first, second = (people_csv(people).splitlines() for people in both)
    expected = [first[0], *(line for line in first[1:] if line in set(second[1:]))]
    assert output.splitlines()[1:] == expected
    assert len(expected) == 1 + 1200


@pytest.mark.timeout(600)  # the compiler's first run fills its cache
def test_the_commands_of_the_sdks_readme_work_as_they_are_installed(tmp_path):
    source = source_folder("c").parent
    for folder in ("c", "examples"):
        tmp_path.joinpath(folder).symlink_to(source / folder)
    run_script(source.joinpath("README.md").read_text(), path=INSTALLED, folder=tmp_path)
    built = tmp_path.joinpath("program.wasm").read_bytes()
    assert programs.load("forest-inference").startswith(built)  # and names its compiler


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("nop", lambda report: report["return_code"] == 0),
        ("random-source", lambda found: len(found) == 4),
        ("moving-average-convergence-divergence", lambda found: len(found) == 5),
        ("idash2017-logistic-regression", lambda found: found[1] == 100.0),
        ("noisy-histogram", lambda found: len(found) == 2),
    ],
)
def test_the_commands_of_other_readmes_work(name, holds, run_commands):
    output = run_commands(readme_of(name))
    assert holds(json.loads(output.splitlines()[-1]))


CHECKED = {
    *LAST_LINES, "nop", "random-source", "moving-average-convergence-divergence",
    "idash2017-logistic-regression", "private-set-intersection",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({*programs.NAMES} - CHECKED))
def test_the_commands_of_every_other_readme_run_the_example(name, run_commands):
    text = readme_of(name)
    assert "freestanding-execution-engine run" in text
    run_commands(text)


@pytest.mark.timeout(600)  # it builds a component
@pytest.mark.skipif(find_spec("componentize_py") is None, reason="veracruz-sdk[python] is missing")
def test_the_commands_of_the_program_in_python_work(run_commands, tmp_path, monkeypatch):
    name = "statistics-of-two-tables"
    monkeypatch.setenv("EXAMPLE", str(source_folder("examples") / name))
    monkeypatch.setenv("FREESTANDING_EXECUTION_ENGINE_RUN_COMPILE_SECONDS", "600")
    run_commands(readme_of(name))
    found = json.loads(tmp_path.joinpath("result.json").read_bytes())
    assert found == {
        "rows": [3, 3], "joined": 2, "means": [175.0, 70.0], "variances": [50.0, 200.0],
        "correlation": pytest.approx(1),
    }  # fmt: skip
