"""Each rule: a policy that it is silent about, and one that it speaks of."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from durango.policy.known_programs import _known
from durango.policy.rules import RULES, Severity, check_policy
from support.named_policies import ROLES, document, parse
from support.policies import DAY, NOW, certificate, document_2021, key_of, pem, text
from veracruz_utils.policy import Policy

TOOLS = Path(__file__).parents[3] / "tools"
PRIVACY = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "1", "sensitivity": "1"}
NOISY = next(digest for digest, known in _known().items() if known.name == "noisy-histogram")
TALLY = next(digest for digest, known in _known().items() if known.name == "secret-ballot")


def changed(person: str, **changes):
    people = document()["identities"]
    for each in people:
        if each["name"] == person:
            each.update(changes)
    return people


SPEAKS = {
    "P101": {"expires_at": "2026-05-31T00:00:00Z"},
    "P102": {
        "identities": changed("north", certificate=pem(certificate("n", not_after=NOW - DAY / 2)))
    },
    "P103": {"expires_at": "2026-06-01T10:00:00Z"},
    "P104": {
        "identities": changed("north", certificate=pem(certificate("m", not_after=NOW + DAY / 2)))
    },
    "P105": {"expires_at": "2029-06-01T10:00:00Z"},
    "P201": {"platforms": [{"name": "linux-software-root", "measurements": ["5a" * 32]}]},
    "P202": {
        "platforms": [
            {"name": "linux-software-root", "measurements": ["5a" * 32]},
            {"name": "nitro", "measurements": ["5a" * 48]},
        ]
    },
    "P204": {"program_digest": "00" * 32},
    "P207": {"isolation": []},
    "P208": {"isolation": ["seccomp"]},
    "P210": {"sinaloa_url": "127.0.0.1:3011"},
    "P301": {"debug": True},
    "P302": {"roles": {"author": ["PiProvider", "ResultReader"], "north": ["DataProvider"]}},
    "P303": {"roles": {"author": ["PiProvider"], "north": ["DataProvider", "ResultReader"]}},
    "P304": {"roles": {**ROLES, "north": ["DataProvider", "ResultReader"]}},
    "P305": {
        "roles": {
            "author": ["PiProvider"],
            "north": ["DataProvider", "ResultReader"],
            "south": ["DataProvider"],
        }
    },
    "P307": {"rounds": 5},
    "P308": {"rounds": 2, "program_digest": NOISY},
    "P310": {"attempts": 11},
    "P311": {"deterministic": True},
    "P401": {"order": [1, 2]},
    "P402": {"roles": {**ROLES, "west": ["StreamProvider"]}},
    "P405": {"program_digest": TALLY, "result": {"type": "Vec<u8>"}},
    "P406": {"result": {"bytes": 10}, "limits": {"output_bytes": 5}},
    "P407": {"expires_at": "2026-06-01T00:01:00Z"},
    "P408": {"result": {"type": "(i64,)", "privacy": PRIVACY | {"total_epsilon": "11"}}},
    "P409": {"result": {"type": "Vec<i64>", "privacy": PRIVACY}},
    "P410": {"result": {"type": "(i64,)", "privacy": PRIVACY}, "rounds": 3},
    "P411": {"result": {"type": "(i64,)", "privacy": PRIVACY}, "attempts": 2},
    "P502": {"roles": {**ROLES, "NORTH": ["ResultReader"]}},
}
SILENT = {
    "P309": {"consent": "all"},
    "P306": {"roles": {**ROLES, "second": ["ResultReader"]}},
    "P403": {"inputs": [{"type": "u32"}] * 3},
    "P404": {"result": {"type": "u32"}},
}


def codes(policy, releases):
    return {finding.rule.code for finding in check_policy(policy, releases=releases, at=NOW)}


@pytest.mark.parametrize("code", SPEAKS)
def test_a_rule_speaks_of_what_it_is_about_and_of_nothing_else(releases, code):
    terms = dict(SPEAKS[code])
    assert code in codes(parse(terms.pop("roles", None), **terms), releases)
    assert code not in codes(parse(), releases)


@pytest.mark.parametrize("code", SILENT)
def test_a_rule_is_silent_where_the_policy_says_it(releases, code):
    terms = dict(SILENT[code])
    assert code in codes(parse(), releases)
    assert code not in codes(parse(terms.pop("roles", None), **terms), releases)


def test_letters_of_two_scripts_in_a_name_are_noticed(releases):
    people = changed("north", name="n\u043erth")  # a Cyrillic o
    assert "P502" in codes(parse(identities=people), releases)
    assert "P502" not in codes(parse(identities=changed("north", name="Süd Ålesund")), releases)


def test_one_key_for_two_is_noticed(releases):
    shared = pem(certificate("again", key=key_of("south")))
    assert "P503" in codes(parse(identities=changed("north", certificate=shared)), releases)


def test_what_2021_could_not_say_is_noticed(releases):
    found = codes(Policy.parse(text(document_2021()), at=None), releases)
    assert {"P504", "P209"} <= found
    assert "P505" not in found


def test_a_nameless_principal_and_another_form_of_the_text_are_noticed(releases):
    people = document()["identities"]
    del people[0]["name"]
    assert {"P501", "P505"} <= codes(parse(identities=people), releases)


def test_measurements_are_asked_about_when_no_key_for_releases_is_trusted(releases):
    assert "P206" in codes(parse(), releases)
    assert "P205" not in codes(parse(), releases)


def test_codes_are_each_ones_own_and_every_rule_has_a_remedy():
    found = [rule.code for rule in RULES]
    assert len(found) == len(set(found)) >= 25
    assert all(rule.remedy and rule.title for rule in RULES)
    spoken = {*SPEAKS, *SILENT, "P501", "P502", "P503", "P504", "P505", "P205", "P206", "P209"}
    # P203 is for policies of 2021 without any measurement.
    assert {*found} - spoken == {"P203"}


def test_the_most_severe_is_told_first(releases):
    policy = parse(debug=True, expires_at="2026-05-31T00:00:00Z")
    severities = [each.rule.severity for each in check_policy(policy, releases=releases, at=NOW)]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.ERROR


def test_the_page_of_rules_is_that_of_the_table(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import policy_rules  # noqa: PLC0415 - a tool, not a package

    assert policy_rules.FILE.read_text() == policy_rules.rendered(), "run tools/policy_rules.py"


def test_time_is_what_it_is_told(releases):
    late = NOW + timedelta(days=3650)
    found = {each.rule.code for each in check_policy(parse(), releases=releases, at=late)}
    assert {"P101", "P102"} <= found
