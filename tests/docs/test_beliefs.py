"""What docs/explanation/what-tabasco-believes.md says is what the code does."""

import re
from pathlib import Path

import pytest

from sonora.enrolment_watch import CHECK_INTERVAL_S
from tabasco.registry.audit import CLOCK_LEEWAY
from tabasco.registry.key_ring import DEFAULT_OVERLAP_DAYS
from tabasco.registry.models import Base
from tabasco.service.attestation import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/what-tabasco-believes.md").read_text("utf-8")
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| ")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
TABLES = {
    "roots", "challenges", "instances", "instance_values", "policies", "reference_values",
    "platform_keys", "revocations", "providers", "administrators", "audit", "shared_keys",
}  # fmt: skip


def seconds(duration):
    return f"{int(duration.total_seconds())} s"


@pytest.mark.parametrize(
    ("belief", "column", "said"),
    [
        ("the time is right", 2, f"{int(CLOCK_LEEWAY.total_seconds()) // 3600} h"),
        ("a challenge was given out by us", 1, seconds(Settings().challenge_validity)),
        (
            "an instance's key signs for a root attester",
            1,
            seconds(Settings().enrolment_validity),
        ),
        ("a result", 0, seconds(Settings().result_validity)),
        ("a result key that was rotated out signs", 0, f"{DEFAULT_OVERLAP_DAYS} days"),
        ("Sonora believes that it is enrolled", 0, f"{CHECK_INTERVAL_S} s"),
    ],
)
def test_a_bound_is_the_constant_in_the_code(belief, column, said):
    assert said in ROWS[belief][column]


def test_results_outlive_a_revocation_by_no_more_than_is_said():
    assert f"for at most {seconds(Settings().result_validity)}" in PAGE


@pytest.mark.parametrize("belief", ROWS)
def test_every_place_in_the_code_is_there_with_the_name_that_is_said(belief):
    place = ROWS[belief][-1]
    for path in re.findall(r"`((?:\w+/)+\w*(?:\.py)?)`", place):
        package = "" if path.startswith("sonora/") else "tabasco/"
        file = ROOT / path.split("/")[0] if package == "" else ROOT / "tabasco"
        found = file / "src" / (package + path)
        assert found.exists(), found
        for name in re.findall(rf"`{re.escape(path)}` `([\w.]+)`", place):
            assert name.split(".")[-1] in found.read_text("utf-8"), name


def test_there_is_no_table_of_the_database_that_the_page_does_not_know():
    """Whoever adds one adds a belief, or says here that it is none."""
    assert set(Base.metadata.tables) == TABLES
