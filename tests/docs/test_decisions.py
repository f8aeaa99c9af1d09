"""Decisions are named by their numbers, here and in pages."""

from pathlib import Path

DECISIONS = sorted((Path(__file__).resolve().parents[2] / "docs" / "adr").glob("[0-9]*.md"))


def test_each_decision_has_a_number_of_its_own_which_its_title_says():
    numbers = [int(each.name[:4]) for each in DECISIONS]
    assert numbers == sorted(set(numbers))
    titles = [each.read_text().split(maxsplit=2)[1] for each in DECISIONS]
    assert titles == [f"{number}." for number in numbers]


def test_the_page_of_decisions_names_each_by_its_title():
    page = (DECISIONS[0].parent / "README.md").read_text().replace("\n  ", " ")
    entries = [line for line in page.splitlines() if line.startswith("- ")]
    titles = [each.read_text().splitlines()[0].removeprefix("# ") for each in DECISIONS]
    files = [each.name for each in DECISIONS]
    assert entries == [f"- [{title}]({name})" for title, name in zip(titles, files, strict=True)]
