"""Each rule: a policy that it is silent about, and one that it speaks of."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from durango.policy.checking import check_policy
from durango.policy.known_programs import _known
from durango.policy.rules import RULES, Checked, Severity
from support.named_policies import ROLES, document, parse
from support.policies import DAY, NOW, certificate, document_2021, key_of, pem, text
from veracruz_utils.policy import Policy

TOOLS = Path(__file__).parents[3] / "tools"
PRIVACY = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "1", "sensitivity": "1"}
NOISY = next(digest for digest, known in _known().items() if known.name == "noisy-histogram")
TALLY = next(digest for digest, known in _known().items() if known.name == "secret-ballot")
SUM = next(
    digest for digest, known in _known().items() if known.name == "number-stream-accumulation"
)


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
    "P211": {"sinaloa_url": "tabasco.example:3010"},
    "P212": {"sinaloa_url": "tabasco.example:3011"},
    "P213": {"platforms": [{"name": "nirto", "measurements": ["5a" * 48]}]},
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
    "P313": {"consent": ["author", "south", "reader"]},
    "P401": {"order": [1, 2]},
    "P402": {"roles": {**ROLES, "west": ["StreamProvider"]}},
    "P405": {"program_digest": TALLY, "result": {"type": "Vec<u8>"}},
    "P406": {"result": {"bytes": 10}, "limits": {"output_bytes": 5}},
    "P407": {"expires_at": "2026-06-01T00:01:00Z"},
    "P408": {"result": {"type": "(i64,)", "privacy": PRIVACY | {"total_epsilon": "11"}}},
    "P409": {"result": {"type": "Vec<i64>", "privacy": PRIVACY}},
    "P410": {"result": {"type": "(i64,)", "privacy": PRIVACY}, "rounds": 3},
    "P411": {"result": {"type": "(i64,)", "privacy": PRIVACY}, "attempts": 2},
    "P412": {"inputs": [{"bytes": 400}] * 3, "limits": {"total_input_bytes": 1000}},
    "P413": {"program_digest": TALLY, "inputs": [{"type": "Vec<f64>"}, {}, {}]},
    "P414": {"program_digest": SUM},
    "P502": {"roles": {**ROLES, "NORTH": ["ResultReader"]}},
}
SILENT = {
    "P309": {"consent": "all"},
    "P306": {"roles": {**ROLES, "second": ["ResultReader"]}},
    "P403": {"inputs": [{"type": "u32"}] * 3},
    "P404": {"result": {"type": "u32"}},
    "P214": {
        "platforms": [
            {
                "name": "nitro",
                "measurements": ["5a" * 48],
                "machine": {"pcr0": ["5a" * 48]},
            }
        ]
    },
}


def codes(policy, releases):
    return {
        finding.rule.code for finding in check_policy(policy, releases=releases, at=NOW).remarks
    }


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


@pytest.mark.parametrize(
    "name",
    [
        "n\u043erth",  # a Cyrillic o
        "\u0440\u0430\u0440\u0430\u0435\u043f",  # beside "papaen" nothing, see below
        "S-outh", "SOUTH", "sou th", "s0uth", "author.", "reader_",
    ],
)  # fmt: skip
def test_names_that_could_be_taken_for_others_are_noticed(releases, name):
    alike = name != "\u0440\u0430\u0440\u0430\u0435\u043f"
    found = codes(parse(identities=changed("north", name=name)), releases)
    assert ("P502" in found) == alike


@pytest.mark.parametrize(
    "name",
    ["Süd Ålesund", "\u6771\u4eac\u306e\u30c7\u30fc\u30bf A", "\uc11c\uc6b8 \u75c5\u9662",
     "\u0421\u0435\u0432\u0435\u0440", "\u0391\u03b8\u03ae\u03bd\u03b1"],
)  # fmt: skip
def test_a_name_in_any_one_language_is_no_oddity(releases, name):
    assert "P502" not in codes(parse(identities=changed("north", name=name)), releases)


def test_numbers_in_names_tell_them_apart(releases):
    roles = {**ROLES, "ward 1-11": ["ResultReader"], "ward 11-1": ["ResultReader"]}
    assert "P502" not in codes(parse(roles), releases)
    roles |= {"ward-11-1": ["ResultReader"]}
    assert "P502" in codes(parse(roles), releases)


def test_addresses_of_this_machine_are_told_from_names_that_begin_alike(releases):
    for ours in ("127.0.0.1:3011", "127.8.8.8:3011", "localhost:3011", "[::1]:3011"):
        assert "P210" in codes(parse(sinaloa_url=ours), releases)
    for others in ("localhost.example:3011", "127.example:3011", "[::1:2]:3011", "10.0.0.1:3011"):
        assert "P210" not in codes(parse(sinaloa_url=others), releases)


def test_services_of_one_machine_for_a_trial_are_no_delegate_that_vouches_for_itself(releases):
    local = {"sinaloa_url": "127.0.0.1:3011", "tabasco_url": "127.0.0.1:3010"}
    assert not {"P211", "P212"} & codes(parse(**local), releases)
    assert "P211" in codes(parse(**local | {"sinaloa_url": "127.0.0.1:3010"}), releases)


def test_a_consent_that_no_key_can_give_makes_a_policy_useless(releases):
    mute = pem(certificate("mute", key=ec.generate_private_key(ec.SECP256K1())))
    people = changed("north", certificate=mute)
    assert "P312" in codes(parse(identities=people, consent="all"), releases)
    assert "P312" not in codes(parse(identities=people, consent="any"), releases)
    assert "P312" not in codes(parse(identities=people), releases)
    assert "P312" not in codes(parse(consent="all"), releases)


def test_inputs_of_a_known_program_may_be_of_its_types_in_any_number(releases):
    kind = _known()[TALLY].inputs
    for places in (
        [{"type": kind[0]}, {"type": kind[1]}, {}],
        [{"type": kind[0].replace(" ", "")}] * 3,
    ):
        assert "P413" not in codes(parse(program_digest=TALLY, inputs=places), releases)
    assert "P414" in codes(parse(program_digest=TALLY, streaming_order=[1]), releases)
    assert "P414" not in codes(parse(program_digest=TALLY), releases)
    assert "P414" not in codes(parse(program_digest=SUM, streaming_order=[1]), releases)


def test_no_shipped_program_is_spoken_of_when_its_own_types_are_taken(releases):
    for digest, known in _known().items():
        roles = {"author": ["PiProvider"], "reader": ["ResultReader"], "north": ["DataProvider"]}
        terms = {
            "order": [2] * len(known.inputs), "streaming_order": [2] * len(known.streams),
            "inputs": [{"type": each} for each in known.inputs],
            "streams": [{"type": each} for each in known.streams],
            "result": {"type": known.result or "opaque"},
        }  # fmt: skip
        found = codes(parse(roles, program_digest=digest, **terms), releases)
        assert not {"P405", "P413", "P414"} & found, known.name


@given(st.integers(-3 * 86400, 3 * 86400), st.integers(-3 * 86400, 3 * 86400))
def test_ends_of_policy_and_certificate_are_told_by_the_second(policy_ends, certificate_ends):
    over = NOW + timedelta(seconds=certificate_ends)
    short = certificate("brief", not_before=NOW - 10 * DAY, not_after=over)
    ends = f"{NOW + timedelta(seconds=policy_ends):%Y-%m-%dT%H:%M:%SZ}"
    policy = parse(identities=changed("north", certificate=pem(short)), expires_at=ends)
    checked = Checked(policy, NOW, (), trusts_releases=False)
    found = {rule.code for rule in RULES if rule.code < "P105" and list(rule.find(checked))}
    told = {
        "P101": policy_ends <= 0,
        "P102": certificate_ends < 0,
        "P103": 0 < policy_ends <= 86400,
        "P104": 0 <= certificate_ends < policy_ends,
    }
    assert found == {code for code, is_so in told.items() if is_so}


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50))
def test_a_place_or_result_above_its_limit_is_an_error_and_within_it_none(place, result, most, out):
    limits = {"input_bytes": most, "total_input_bytes": 1000, "output_bytes": out}
    policy = parse(inputs=[{"bytes": place}, {}, {}], result={"bytes": result}, limits=limits)
    checked = Checked(policy, NOW, (), trusts_releases=False)
    (rule,) = (each for each in RULES if each.code == "P406")
    assert len(list(rule.find(checked))) == (place > most) + (result > out)


def test_one_key_for_two_is_noticed(releases):
    shared = pem(certificate("again", key=key_of("south")))
    assert "P503" in codes(parse(identities=changed("north", certificate=shared)), releases)


def test_what_2021_could_not_say_is_noticed(releases):
    found = codes(Policy.parse(text(document_2021()), at=None), releases)
    assert {"P504", "P209"} <= found
    assert "P505" not in found


def test_a_policy_of_2021_without_any_measurement_is_an_error(releases):
    said = document_2021()
    assert "P203" not in codes(Policy.parse(text(said), at=None), releases)
    without = {name: each for name, each in said.items() if not name.startswith("mexico_city_hash")}
    assert "P203" in codes(Policy.parse(text(without), at=None), releases)


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
    assert {*found} - spoken == {"P203", "P312"}  # each has a test of its own


def test_the_most_severe_is_told_first(releases):
    policy = parse(debug=True, expires_at="2026-05-31T00:00:00Z")
    severities = [
        each.rule.severity for each in check_policy(policy, releases=releases, at=NOW).remarks
    ]
    assert severities == sorted(severities, key=list(Severity).index)
    assert severities[0] is Severity.ERROR


def test_the_page_of_rules_is_that_of_the_table(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import policy_rules  # noqa: PLC0415 - a tool, not a package

    assert policy_rules.FILE.read_text() == policy_rules.rendered(), "run tools/policy_rules.py"


def test_time_is_what_it_is_told(releases):
    late = NOW + timedelta(days=3650)
    found = {each.rule.code for each in check_policy(parse(), releases=releases, at=late).remarks}
    assert {"P101", "P102"} <= found
