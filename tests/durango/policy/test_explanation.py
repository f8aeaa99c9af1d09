"""What a policy means, told in sentences and as a page."""

from xml.etree import ElementTree as ET

import pytest

from durango.platforms import known_platforms
from durango.policy.known_programs import _known
from durango.policy.meaning import explain_policy
from durango.policy.page import drawing
from support.named_policies import ROLES, parse
from support.page_text import ReadPage, read_alone
from support.policies import document_2021, text
from veracruz_utils.policy import Policy

PSI = next(digest for digest, known in _known().items() if known.name == "private-set-intersection")


def told(*, roles=None, **terms) -> dict[str, str]:
    facts = explain_policy(parse(roles, **terms)).facts
    return {key: "\n".join(lines) for key, lines in facts.items()}


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
    assert (
        "By private-set-intersection: result reader (reader) learns the people that are in"
        in learns
    )
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
    assert "There may be 4 rounds; reader and second together begin another." in decides
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
    for words in (
        "not of type (i64,)",
        "larger than 9 bytes",
        "at least 2 principals",
        "epsilon 0.5",
        "claim",
    ):
        assert words in learns["learns"]


def test_what_a_platform_does_not_protect_is_told_for_each():
    platforms = [
        {"name": "linux-software-root", "measurements": ["5a" * 32]},
        {"name": "nitro", "measurements": ["5a" * 48]},
    ]
    unsafe = told(platforms=platforms)["not_protected"]
    assert "whoever owns the delegate's machine can read and change everything" in unsafe
    assert "On nitro: whoever can log in to the protected machine" in unsafe
    assert "the weakest of them" in unsafe
    assert "with no walls" in told(isolation=[])["not_protected"]


def test_whether_the_policy_names_the_machine_is_told():
    tpm = {"name": "tpm", "measurements": ["5a" * 32]}
    left = told(platforms=[tpm])["not_protected"]
    assert "Which machines are accepted on tpm is left to the attestation service" in left
    machine = {"pcr11": ["11" * 32], "pcr4": ["44" * 32]}
    pinned = told(platforms=[tpm | {"machine": machine}])["not_protected"]
    assert "started from what this policy names: pcr4 and pcr11." in pinned
    assert "left to the attestation service" not in pinned
    software = told(platforms=[tpm | {"name": "linux-software-root"}])["not_protected"]
    assert "left to the attestation service" not in software


def test_text_has_every_sentence():
    explanation = explain_policy(parse())
    text = str(explanation)
    assert all(line in text for section in explanation.sections for line in section.lines)


def test_the_page_is_one_file_that_loads_nothing_and_says_all():
    policy = parse(inputs=[{"name": "patients"}, {}, {}])
    explanation = explain_policy(policy)
    raw = explanation.to_html()
    page = read_alone(raw)
    for section in explanation.sections:
        assert all(line in page.text for line in section.lines)
    for name in (*ROLES, "patients", "isolate", "delegate: bridge.example:3011"):
        assert name in page.text
    assert "PiProvider" not in raw
    assert "gives the program" in page.text
    for digest in (policy.program_digest, *policy.platforms[0].measurements):
        assert (digest.hex() if isinstance(digest, bytes) else str(digest)) in page.text


def test_what_others_chose_is_no_markup_in_the_page():
    policy = parse(inputs=[{"type": "Vec<u32>"}, {}, {}], sinaloa_url="bridge.example:3011")
    page = explain_policy(policy).to_html()
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


def test_a_known_program_is_told_of_with_the_names_of_this_policy():
    (inference,) = (digest for digest, known in _known().items() if known.name == "neural-network")
    roles = {name: ROLES[name] for name in ("author", "north", "south", "reader")}
    learns = told(roles=roles, program_digest=inference)["learns"]
    assert "owner of the model (input 0: north) learns nothing, unless also a reader" in learns
    assert "result reader (reader) learns the class of each image" in learns
    assert "-4, an input does not decode" in learns


@pytest.mark.parametrize("known", _known().values(), ids=lambda known: known.name)
def test_every_known_program_is_told_of_with_all_that_its_author_says(known):
    (digest,) = (digest for digest, other in _known().items() if other is known)
    said = told(program_digest=digest)
    assert known.name in said["summary"]
    for what in known.learns.values():
        assert f"learns {what}." in said["learns"]
    for code, reason in known.codes.items():
        assert f"{code}, {reason}" in said["learns"]


def test_who_gets_nothing_is_told_by_name():
    learns = told()["learns"]
    assert "author, north, south and east get no result and nobody's input." in learns
    assert "nobody's input, besides" in told(debug=True)["learns"]
    authors = {"author": ["PiProvider", "ResultReader"], "north": ["DataProvider"]}
    assert "north gets no result and nobody's input." in told(roles=authors, debug=True)["learns"]
    alone = told(roles={"me": ["PiProvider", "DataProvider", "ResultReader"]})
    assert "no result" not in alone["learns"]
    assert "One principal takes part: me." in alone["summary"]


def test_results_of_fewer_rounds_than_there_are_are_told_as_that():
    learns = told(rounds=5, results_per_reader=2)["learns"]
    assert "reader learns the results of at most 2 of 5 rounds." in learns
    assert "of each run of a round whose result it may have as well" in learns
    assert "the result of the round before" in learns
    assert "the result of every round; there may be 5 rounds." in told(rounds=5)["learns"]


def test_what_can_be_replaced_when_is_told_for_inputs_and_for_streams():
    once = told()["mistakes"]
    assert "until there is a result, also after a run that failed. Afterwards it counts;" in once
    again = told(rounds=3, streaming_order=[1])["mistakes"]
    assert "it counts and stays in every round" in again
    assert "Afterwards the next round takes a new one." in again
    assert "also after a run that failed" not in told(attempts=1)["mistakes"]
    assert "If it is the key of reader, nobody gets a result" in once


def test_a_policy_of_2021_is_told_of_as_it_is_run():
    policy = Policy.parse(text(document_2021()), at=None)
    said = {each.key: "\n".join(each.lines) for each in explain_policy(policy).sections}
    assert "may replace or withdraw" in said["decides"]
    assert "any number of rounds" in said["decides"]
    assert "An error code of the program is no failure but an outcome" in said["mistakes"]
    assert "as which principal" in said["delegate"]
    assert "whose verdicts count" in said["attestation_service"]


def test_who_has_to_sign_can_stop_by_not_signing():
    said = told(consent=["north", "south"])["decides"]
    assert "north or south by not signing" in said
    assert "not signing" not in told(consent={"least": 1, "of": ["north", "south"]})["decides"]
    assert "Nobody has to sign" in told()["decides"]


@pytest.mark.parametrize("name", [*known_platforms(), "moon-base"])
def test_of_every_platform_it_is_told_who_is_not_kept_out(name):
    unsafe = told(platforms=[{"name": name, "measurements": ["5a" * 32]}])["not_protected"]
    assert f"On {name}: " in unsafe
    known = "nothing is known here" not in unsafe
    assert known == (name not in {"moon-base", "trustzone"})


@pytest.mark.parametrize("count", [1, 2, 4, 20, 60])
def test_the_drawing_has_a_box_for_everybody_and_none_over_another(count):
    roles = {"author": ["PiProvider", "ResultReader"]}
    roles |= {f"hospital {number}": ["DataProvider"] for number in range(count - 1)}
    picture = ET.fromstring(drawing(parse(roles)))
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    rects = [each.attrib for each in picture.iter("rect") if "stroke-dasharray" not in each.attrib]
    boxes = [tuple(float(each[side]) for side in ("x", "y", "width", "height")) for each in rects]
    assert len(boxes) == count + 2  # the author twice, and the isolate
    for index, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for left, top, other_w, other_h in boxes[:index]:
            assert x >= left + other_w or left >= x + w or y >= top + other_h or top >= y + h


def test_a_name_that_is_too_long_for_its_box_is_there_whole():
    name = "Universitätsklinikum an der Grenze & Partner (Nord)"
    policy = parse({**ROLES, name: ["ResultReader"]})
    page = explain_policy(policy).to_html()
    assert name in ReadPage(page).text
    assert "&amp; Partner (Nord)</title>" in page


def test_the_page_has_the_fingerprints_that_are_compared():
    policy = parse()
    page = ReadPage(explain_policy(policy).to_html())
    assert all(str(each.digest) in page.text for each in policy.identities)


def test_a_reader_who_gives_data_beside_others_is_told_of():
    roles = {**ROLES, "north": ["DataProvider", "ResultReader"]}
    assert "north gives data and reads the result" in told(roles=roles)["learns"]
    alone = {"author": ["PiProvider"], "north": ["DataProvider", "ResultReader"]}
    assert "gives data and reads" not in told(roles=alone)["learns"]
    assert "gives data and reads" not in told()["learns"]
