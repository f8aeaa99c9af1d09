import base64
import hashlib
import re

import pytest

from support.page_text import read_alone
from veracruz_shells import page

HOSTILE = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "</style><b>",
    "a\x1b[31mred",
    "\u202emoc.elpmaxe",
    "two\nlines",
    "\udcff",
]


def page_of(words: str) -> str:
    """A page in which everything says the same."""
    parts = [
        page.paragraph(words),
        page.bullets([words, page.Code(words)]),
        page.table([(words, page.Code(words))], head=(words, words), caption=words),
        page.steps([page.Step(words, ((words, words),), passed=False)]),
        page.verdict(words, words, good=False),
    ]
    return page.page(words, page.section(words, *parts), about=words, heading=words, lang=words)


@pytest.mark.parametrize("words", HOSTILE)
def test_whatever_is_said_stays_text_in_every_piece(words):
    raw = page_of(words)
    found = read_alone(raw)
    assert found.tags == read_alone(page_of("words")).tags
    assert found.text.count(words if words.isprintable() else repr(words)) == 17
    raw.encode()


def test_the_one_style_is_the_one_that_the_page_allows():
    raw = page.page("title", about="about")
    (style,) = re.findall(r"<style>(.*)</style>", raw, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in raw


def test_what_failed_is_told_in_words_and_not_by_colour_alone():
    chain = page.steps([page.Step("first", ()), page.Step("second", (), passed=False)])
    assert "first: passed" in chain
    assert "second: failed" in chain


def test_a_section_or_a_table_of_nothing_is_left_out():
    assert page.section("title", page.table([]), page.bullets([])) == ""
    assert page.page("title", "", about="about").count("<section>") == 0
