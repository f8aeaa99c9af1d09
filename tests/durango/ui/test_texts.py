"""The page's languages: nothing is missing in either, and every file is what it was made from."""

import hashlib
import json
import re
import sys
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from durango._say import Sentence, say, say_many, translated
from durango._words import decimal, milliseconds, size, timestamp
from durango.bundles import ReceiptBundle, verify_bundle
from durango.chain import chain_of
from durango.evidence import GateCheck
from durango.policy.explanation import sections_of
from durango.policy.known_programs import _known
from durango.policy.page import comparable, who_takes_part
from durango.ui.gate_words import EXPLAINED, NAMES
from durango.ui.texts import texts
from support.forged_bundles import Forger
from support.named_policies import parse
from veracruz_shells.local_page import STATIC
from veracruz_shells.local_page.languages import LANGUAGES, language_of
from veracruz_utils.policy import LINUX_SOFTWARE

SAME: set[str] = set()
"""What is the same in both languages."""
ROOT = Path(__file__).parents[3]
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""SHA-256 of `dist/htmx.min.js` of htmx.org 2.0.11, as npm has it."""


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    import texts as tool  # noqa: PLC0415 - it is found only now

    yield tool
    sys.path.remove(str(ROOT / "tools"))


PAGES = pytest.mark.parametrize("package", ["durango", "sinaloa"])


@PAGES
def test_all_that_a_page_says_is_there_in_german(tool, package):
    catalogue = tool.translated(package)
    assert set(tool.PAGES) == {"durango", "sinaloa"}
    assert len(catalogue) > {"durango": 100, "sinaloa": 30}[package]
    for message in catalogue:
        if message.id:
            strings = [message.string] if isinstance(message.string, str) else message.string
            assert all(strings), message.id
            assert not message.fuzzy, message.id


@PAGES
def test_german_has_the_same_gaps_to_fill_as_english(tool, package):
    for message in tool.translated(package):
        ids = [message.id] if isinstance(message.id, str) else message.id
        strings = [message.string] if isinstance(message.string, str) else message.string
        for said, meant in zip(strings, ids, strict=True):
            if message.id:
                gaps = r"%\(\w+\)s|\{\w+\}|<[^>]+>"
                assert sorted(re.findall(gaps, said)) == sorted(re.findall(gaps, meant)), meant


@PAGES
def test_the_catalogue_is_what_the_sources_say_now(tool, package):
    for path, content in tool.files(package).items():
        assert path.read_bytes() == content, "run `make texts`"


def of_a_policy(**terms) -> list[str]:
    policy = parse(**terms)
    sections = sections_of(policy)
    said = [line for each in sections for line in (each.title, *each.lines)]
    return [
        *said,
        *(what for what, _ in comparable(policy)),
        *(x[1] for x in who_takes_part(policy)),
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"consent": "all", "debug": True},
        {"rounds": 5, "results_per_reader": 2, "attempts": 1},
        {"rounds": 2, "attempts": 2, "deterministic": True},
        {"isolation": ["landlock"], "platforms": [{"name": "sgx", "measurements": ["5a" * 32]}]},
        *({"program_digest": digest} for digest in _known()),
    ],
    ids=",".join,
)
def test_every_sentence_about_a_policy_is_said_in_german(terms):
    for sentence in of_a_policy(**terms):
        assert isinstance(sentence, Sentence), sentence
        german = translated(sentence, texts("de"))
        assert german != sentence or sentence in SAME, sentence
        assert "{" not in german


def test_a_sentence_is_its_english_text_and_keeps_what_fills_it():
    sentence = say("{who} gives nothing.", who=say("nobody"))
    assert sentence == "nobody gives nothing."
    assert json.dumps([sentence]) == '["nobody gives nothing."]'
    assert translated(sentence, texts("de")) == "niemand gibt nichts."
    assert say_many(2, "{n} day", "{n} days", n=2) == "2 days"
    assert translated("{not} a sentence", texts("de")) == "{not} a sentence"
    assert say("{who} gives nothing.", who="{0} {x}") == "{0} {x} gives nothing."


def test_numbers_sizes_and_moments_follow_the_language_wherever_they_are_said():
    at = datetime(2026, 3, 9, 16, 5, 7, tzinfo=UTC)
    said = say("{who} gives nothing.", who=size(2164))
    assert said == "2,164 bytes gives nothing."
    assert translated(said, texts("de")) == "2.164 Bytes gibt nichts."
    assert translated(milliseconds(2164), texts("de")) == "2.164 ms"
    assert translated(decimal("0.5"), texts("de")) == "0,5"
    assert translated(timestamp(at), texts("de")) == "09.03.2026, 16:05:07 UTC"
    assert translated(timestamp(at), texts("en")) == "2026-03-09T16:05:07Z"
    assert json.dumps([timestamp(at)]) == '["2026-03-09T16:05:07Z"]'


def test_no_template_writes_a_quantity_by_itself():
    """They have filters for it, which know the language."""
    for package in ("durango.ui", "sinaloa.dashboard"):
        found = [*Path(str(resources.files(package))).rglob("*.html")]
        assert found
        for path in found:
            assert not re.search(
                r"\.format\(|\|\s*(filesizeformat|round|format)", path.read_text()
            ), path


def test_what_vouches_for_what_is_said_in_german_as_well():
    attestation = verify_bundle(ReceiptBundle.parse(Forger().bundle())).attestation
    links = chain_of(attestation)
    assert len(links) > 3
    for said in (words for each in links for words in (each.name, each.found, each.because)):
        assert isinstance(said, Sentence), said
        assert translated(said, texts("de")) != said
    platforms = [each.found for each in attestation.checks if LINUX_SOFTWARE in each.found]
    assert any("Vertrauensanker" in str(translated(each, texts("de"))) for each in platforms)


def test_every_check_of_the_gate_has_words_for_people():
    assert set(NAMES) == set(EXPLAINED) == set(GateCheck)


@pytest.mark.parametrize(
    ("headers", "chosen", "expected"),
    [
        ({}, None, "en"),
        ({"Accept-Language": "fr-FR,de;q=0.8"}, None, "de"),
        ({"Accept-Language": "de-AT"}, "en", "en"),
        ({"Accept-Language": "en", "Cookie": "veracruz_language=de"}, None, "de"),
        ({"Cookie": "veracruz_language=../../x"}, "xx", "en"),
    ],
)
def test_the_language_is_what_was_chosen_or_what_the_browser_prefers(headers, chosen, expected):
    assert language_of(Headers(headers), chosen) == expected
    assert set(LANGUAGES) == {"en", "de"}
    assert texts("de").gettext("Overview") == "Überblick"


def test_the_kept_library_is_the_one_that_was_published_with_its_licence_beside_it():
    static = resources.files("veracruz_shells.local_page") / "static"
    assert hashlib.sha256((static / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert "Zero-Clause BSD" in (static / "htmx.LICENSE").read_text()


def test_the_page_names_no_other_machine():
    page = Path(str(resources.files("durango.ui")))
    for path in [*page.rglob("*.html"), STATIC / "page.css", STATIC / "page.js"]:
        found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", path.read_text())
        assert found == [], path
