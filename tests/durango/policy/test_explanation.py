"""What a policy means, told in sentences and as a page."""

import re
from html.parser import HTMLParser

from durango.policy.explanation import explain, explanation_facts, explanation_text
from durango.policy.known_programs import _known
from durango.policy.page import explanation_page
from support.named_policies import ROLES, parse

PSI = next(digest for digest, known in _known().items() if known.name == "private-set-intersection")


def told(*, roles=None, **terms) -> dict[str, str]:
    sections = explain(parse(roles, **terms))
    return {key: "\n".join(lines) for key, lines in explanation_facts(sections).items()}


def test_everybody_is_told_by_name_and_everything_they_give_by_its_type():
    inputs = [{"name": "patients", "type": "Vec<u32>", "bytes": 4000}, {}, {}]
    gives = told(inputs=inputs)["gives"]
    assert "north gives input 0: 'patients', a Vec<u32>, at most 4,000 bytes." in gives
    assert "south gives input 1: a file of any content" in gives
    assert "reader gives nothing." in gives
    assert "author gives the program" in gives


def test_who_learns_what_is_the_programs_authors_word_where_it_is_known():
    learns = told(program_digest=PSI)["learns"]
    assert "reader learns the result." in learns
    assert "By private-set-intersection: result reader learns the people that are in" in learns
    unknown = told()
    assert "can be anything" in unknown["learns"]
    assert "none of those shipped" in unknown["summary"]


def test_an_author_who_is_the_only_reader_is_told_of():
    roles = {"author": ["PiProvider", "ResultReader"], "north": ["DataProvider"]}
    assert "both the author of the program and its only reader" in told(roles=roles)["learns"]
    assert "only reader" not in told()["learns"]


def test_who_can_stop_repeat_and_end_is_told_with_numbers():
    roles = {**ROLES, "second": ["ResultReader"]}
    terms = {"rounds": 4, "attempts": 2, "next_round": "all", "consent": "all"}
    decides = told(roles=roles, **terms)["decides"]
    assert "There may be 4 rounds; reader and second together begins another." in decides
    assert "reader and second can end all of it, when all of them ask." in decides
    assert "may be run 2 times in a round" in decides
    assert "takes no data before author, north, south, east, reader and second" in decides
    assert "There is one round, and never another." in told()["decides"]
    assert "reader can end all of it, alone." in told()["decides"]


def test_what_is_told_of_a_run_is_told_by_reader_and_by_everybody():
    learns = told()["learns"]
    assert "how each run ended: well, with an error code" in learns
    assert "reader learns of each run as well the program's code and how long it took." in learns
    metered = told(debug=True, limits={"fuel": 5})["learns"]
    assert (
        "reader and author learn of each run as well the program's code, how long it took"
        in metered
    )
    assert "the fuel it used" in metered
    privacy = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "2", "sensitivity": "1"}
    noisy = told(result={"type": "(i64,)", "privacy": privacy}, limits={"fuel": 5})["learns"]
    assert "whether each run ended with a result; how one failed nobody learns" in noisy
    assert "A run that fails is paid for as a release is" in noisy
    for word in ("of each run as well", "how long it took", "fuel", "by a trap", "how it failed"):
        assert word not in noisy


def test_noise_and_what_may_leave_are_told():
    privacy = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "2", "sensitivity": "1"}
    learns = told(result={"type": "(i64,)", "contributors": 2, "bytes": 9, "privacy": privacy})
    for words in ("not a (i64,)", "larger than 9 bytes", "at least 2 principals", "epsilon 0.5"):
        assert words in learns["learns"]


def test_what_a_platform_does_not_protect_is_told_for_each():
    platforms = [
        {"name": "linux-software-root", "measurements": ["5a" * 32]},
        {"name": "nitro", "measurements": ["5a" * 48]},
    ]
    unsafe = told(platforms=platforms)["not_protected"]
    assert "whoever owns the delegate's machine can read and change everything" in unsafe
    assert "On nitro: as strong as" in unsafe
    assert "with no walls" in told(isolation=[])["not_protected"]


def test_text_has_every_sentence():
    sections = explain(parse())
    text = explanation_text(sections)
    assert all(line in text for section in sections for line in section.lines)


class _Page(HTMLParser):
    """Every tag and attribute of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in {"meta", "path", "rect", "line"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in {"path", "rect", "line"}:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_one_file_that_loads_nothing_and_says_all():
    policy = parse(inputs=[{"name": "patients"}, {}, {}])
    sections = explain(policy)
    raw = explanation_page(policy, sections)
    page = _Page(raw)
    assert page.open == []
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "onload"}
    assert "<script" not in raw
    assert not re.search(r"url\((?!#tip)", raw)
    for section in sections:
        assert all(line in page.text for line in section.lines)
    for name in (*ROLES, "patients", "isolate", "delegate: bridge.example:3011"):
        assert name in page.text


def test_what_others_chose_is_no_markup_in_the_page():
    policy = parse(inputs=[{"type": "Vec<u32>"}, {}, {}], sinaloa_url="bridge.example:3011")
    page = explanation_page(policy, explain(policy))
    assert "Vec&lt;u32&gt;" in page
    assert "Vec<u32>" not in page


def test_a_name_of_several_words_stands_in_quotes_so_that_no_name_is_two_people():
    roles = {**ROLES, "north and south": ["ResultReader"]}
    assert 'reader and "north and south" learn the result.' in told(roles=roles)["learns"]


def test_numbers_of_privacy_are_told_as_they_are():
    numbers = {"epsilon": "0.1234567", "total_epsilon": "999999999999.999999", "sensitivity": "1"}
    privacy = {"mechanism": "laplace", **numbers}
    learns = told(result={"type": "(i64,)", "privacy": privacy})["learns"]
    assert "epsilon 0.1234567 for each, epsilon 999999999999.999999 in all" in learns
