"""Decisions are named by their numbers, here and in pages."""

from pathlib import Path

DECISIONS = sorted((Path(__file__).resolve().parents[2] / "docs" / "adr").glob("[0-9]*.md"))


def test_each_decision_has_a_number_of_its_own_which_its_title_says():
    numbers = [int(each.name[:4]) for each in DECISIONS]
    assert numbers == sorted(set(numbers))
    titles = [each.read_text().split(maxsplit=2)[1] for each in DECISIONS]
    assert titles == [f"{number}." for number in numbers]
