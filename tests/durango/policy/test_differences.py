"""In what two policies differ, and what can be said in both formats."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from durango.cli import main
from durango.errors import DurangoError
from durango.identity import Identity
from durango.policy.building import text_of_source
from durango.policy.canonical import canonical_json
from durango.policy.conversion import policy_to_toml, to_2021
from durango.policy.differences import diff_policies, differing_terms, policy_terms
from durango.policy.source import parse_source
from support.named_policies import ROLES, document, parse
from support.policies import NOW, certificate, document_2021, key_of, pem, public_key_der, text
from veracruz_shells.policy_files import read_policy
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import TLS_1_2_SUITES, Policy

PRIVACY = {"mechanism": "gaussian", "epsilon": "0.5", "total_epsilon": "2", "sensitivity": "1.25",
           "delta": "1e-6", "total_delta": "0.00001"}  # fmt: skip
FULL = {
    "rounds": 4,
    "attempts": 2,
    "results_per_reader": 3,
    "next_round": {"least": 1, "of": ["reader"]},
    "consent": ["north", "south"],
    "inputs": [{"name": "patients", "type": "Vec<u32>", "bytes": 40}, {}, {"type": "u8"}],
    "result": {"type": "(i64,)", "bytes": 64, "contributors": 2, "privacy": PRIVACY},
    "limits": {"run_seconds": 7, "fuel": 5000},
    "isolation": ["seccomp", "landlock"],
    "platforms": [
        {"name": "nitro", "measurements": ["5a" * 48], "machine": {"pcr0": ["1b" * 48, "0a" * 48]}},
        {"name": "tpm", "measurements": ["5a" * 32], "machine": {"pcr4": ["44" * 32]}},
    ],
}


def test_policies_are_compared_in_the_terms_of_people():
    second = parse(**{**FULL, "debug": True, "result": {"type": "(i64,)"}})
    found = {
        each.term: (each.first, each.second) for each in diff_policies(parse(), second).differences
    }
    assert found["rounds"] == ("1", "4")
    assert found["debug"] == ("off", "on")
    assert found["consent"] == ("of nobody", "2 of north, south")
    assert found["input 0"][1] == "of north: 'patients', a Vec<u32>, at most 40 bytes"
    assert found["limit run_seconds"][1] == "7"
    noisy = {each.term: each for each in diff_policies(parse(), parse(**FULL)).differences}
    assert noisy["privacy, epsilon"].second == "1/2"
    assert found["platform nitro, machine's pcr0"] == (None, f"{'0a' * 48} or {'1b' * 48}")
    assert found["platform tpm, machine's pcr4"] == (None, "44" * 32)
    assert "program" not in found


def test_a_principal_more_is_told_as_that():
    found = {
        each.term: each
        for each in diff_policies(parse(), parse({**ROLES, "west": ["ResultReader"]})).differences
    }
    assert found["west, roles"].first is None
    assert "only the second has it" in str(found["west, roles"])


def test_every_field_of_a_policy_is_a_term():
    one = document()
    for name, value in {**FULL, "deterministic": False}.items():
        if name in {"deterministic", "next_round", "results_per_reader"}:
            continue  # with others alone
        other = {**one, name: value}
        assert diff_policies(parse(), Policy.parse(text(other), at=None)).differences, name
    assert policy_terms(parse())


def test_the_same_in_another_form_is_told_as_that():
    one = parse()
    other = Policy.parse(canonical_json(one.raw), at=None)
    assert one.digest != other.digest
    assert diff_policies(one, other).differences == ()
    assert "white space" in differing_terms(one, other)
    assert differing_terms(one, parse(rounds=2, results_per_reader=1)) == "they differ in rounds"


@pytest.mark.parametrize("terms", [{}, FULL, {"deterministic": True, "streaming_order": [1]}])
def test_a_policy_goes_to_toml_and_back_with_the_same_meaning(releases, terms):
    policy = parse(**terms)
    source = policy_to_toml(policy)
    again = text_of_source(parse_source(source.encode(), folder=Path()), releases=releases, at=NOW)
    assert diff_policies(policy, Policy.parse(again, at=None)).differences == ()
    source = policy_to_toml(Policy.parse(again, at=None))
    assert (
        text_of_source(parse_source(source.encode(), folder=Path()), releases=releases, at=NOW)
        == again
    )


def test_no_digit_of_a_privacy_budget_is_lost():
    privacy = {**PRIVACY, "epsilon": "0.5", "total_epsilon": "123456789012.123456789012345678"}
    source = policy_to_toml(parse(result={"type": "(i64,)", "privacy": privacy}))
    assert 'total_epsilon = "123456789012.123456789012345678"' in source


def test_a_policy_of_2021_becomes_a_current_one_with_a_key(releases, tmp_path):
    old = Policy.parse(text(document_2021()), at=None)
    key = tmp_path / "tabasco.pem"
    key.write_text(pem(public_key_der(key_of("tabasco")), "PUBLIC KEY") + "\n")
    source = parse_source(policy_to_toml(old, tabasco_key=key).encode(), folder=tmp_path)
    new = Policy.parse(text_of_source(source, releases=releases, at=NOW), at=None)
    assert new.program_digest == old.program_digest
    assert [each.certificate for each in new.identities] == [
        each.certificate for each in old.identities
    ]
    assert (new.conduct.attempts, new.data_provision_order) == (1, old.data_provision_order)


def test_what_2021_has_no_words_for_is_not_lost_in_silence():
    suite = TLS_1_2_SUITES[0].name
    with pytest.raises(DurangoError) as refusal:
        to_2021(parse(**FULL), at=NOW, ciphersuite=suite)
    for what in (
        "limits",
        "consent",
        "types and sizes of inputs",
        "what may leave",
        "what hardware measures of a machine",
    ):
        assert what in str(refusal.value)
    old = json.loads(to_2021(parse(), at=NOW, ciphersuite=suite))
    assert old["pi_hash"] == str(parse().program_digest)
    assert "policy_version" not in old


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"identities": [{"cert": "x", "id": 0, "roles": []}]}, "from before 2021 (it has cert)"),
        ({"mexico_city_hash": "00"}, "from before 2021 (it has mexico_city_hash)"),
        ({"runtime_manager_hash_sgx": "0"}, "from April 2021 on"),
        ({"identities": [{"file_rights": []}], "programs": []}, "from April 2021 on"),
    ],
)
def test_policies_of_other_times_are_told_by_their_time(tmp_path, said, told):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(said))
    with pytest.raises(VeracruzError) as refusal:
        read_policy(path, at=None)
    assert told in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "durango policy build" in str(refusal.value)


def test_a_policy_of_another_time_is_told_even_if_2021_would_have_read_it(tmp_path):
    path = tmp_path / "old.json"
    said = document_2021()
    old = {name: each for name, each in said.items() if not name.startswith("mexico_city_hash")}
    path.write_bytes(text(old | {"mexico_city_hash": "11" * 32}))
    with pytest.raises(VeracruzError, match=r"from before 2021 \(it has mexico_city_hash\)"):
        read_policy(path, at=None)
    path.write_bytes(text(said | {"mexico_city_hash": "11" * 32}))
    assert read_policy(path, at=None).platforms
    path.write_bytes(text(old))
    assert not read_policy(path, at=None).platforms


def test_what_another_format_says_otherwise_is_told_term_by_term(tmp_path):
    now, lifetime = datetime.now(UTC), timedelta(days=30)
    identities = document()["identities"]
    for each in identities:
        person = Identity.create(each["name"], not_before=now, lifetime=lifetime)
        each["certificate"] = person.certificate_pem().decode().strip()
    path, old, key = (tmp_path / name for name in ("policy.json", "old.json", "tabasco.pem"))
    path.write_bytes(parse(identities=identities, expires_at="2030-06-20T00:00:00Z").raw)
    key.write_text(pem(public_key_der(key_of("tabasco")), "PUBLIC KEY"))

    def convert(*words: object):
        return CliRunner().invoke(main, ["policy", "convert", *map(str, words)])

    to_old = convert(path, "--to", "2021", "--output", old)
    assert to_old.exit_code == 0
    for words in ("rounds: 1 -> any number", "attempts: 3 -> 1", "seccomp -> no layer"):
        assert words in to_old.stdout
    keyless = convert(old, "--to", "json", "--output", tmp_path / "new.json")
    assert (keyless.exit_code, keyless.stdout) == (2, "")
    assert "--tabasco-key FILE" in keyless.stderr
    words = ["--to", "json", "--tabasco-key", key, "--output", tmp_path / "new.json", "--json"]
    again = json.loads(convert(old, *words).stdout)
    terms = {each["term"] for each in again["differences"]}
    assert {"format", "cipher suite", "key of tabasco"} <= terms
    assert not {"program", "isolation", "end"} & terms


def test_a_source_in_place_of_a_policy_is_told_as_that(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(policy_to_toml(parse()))
    with pytest.raises(VeracruzError, match=r"is TOML.*durango policy build"):
        read_policy(path, at=None)


def found(first, second) -> dict[str, tuple[str | None, str | None]]:
    told = diff_policies(first, second).differences
    return {each.term: (each.first, each.second) for each in told}


def test_a_principal_of_another_name_is_the_same_by_its_certificate():
    people = document()["identities"]
    people[1]["name"] = "Nordklinik"
    terms = {"consent": ["author", "reader"], "inputs": [{"name": "patients"}, {}, {}]}
    renamed = found(parse(**terms), parse(identities=people, **terms))
    assert renamed == {"north, name": ("north", "Nordklinik")}
    agreed = {"consent": ["north", "south"]}, {"consent": ["Nordklinik", "south"]}
    both = parse(**agreed[0]), parse(identities=people, **agreed[1])
    assert found(*both) == {"north, name": ("north", "Nordklinik")}


def test_another_certificate_under_one_name_is_told_with_both_fingerprints():
    people = document()["identities"]
    people[1]["certificate"] = pem(certificate("another north"))
    first, second = parse(), parse(identities=people)
    assert found(first, second) == {
        "north, certificate": (str(first.identities[1].digest), str(second.identities[1].digest))
    }


def test_two_who_exchanged_their_names_are_told_by_their_certificates():
    people = document()["identities"]
    people[1]["name"], people[2]["name"] = "south", "north"
    told = found(parse(), parse(identities=people))
    assert {"north, certificate", "south, certificate"} <= told.keys()
    assert "north, name" not in told


def test_inputs_in_another_order_are_told_place_by_place():
    told = found(parse(), parse(order=[2, 1, 3]))
    assert told["input 0"] == (
        "of north: a file of any content, at most 1 GiB",
        "of south: a file of any content, at most 1 GiB",
    )
    assert told.keys() == {"input 0", "input 1"}
    more = found(parse(), parse(order=[1, 2, 3, 3]))
    assert more.keys() == {"input 3"}
    assert more["input 3"][0] is None


def test_platforms_and_each_of_their_measurements_are_told():
    platforms = [
        {"name": "nitro", "measurements": ["5a" * 48, "6b" * 48]},
        {"name": "tdx", "measurements": ["5a" * 48]},
    ]
    told = found(parse(), parse(platforms=platforms))
    assert told.keys() == {
        "platform nitro, measurement 6b6b6b6b6b6b",
        "platform tdx, measurement 5a5a5a5a5a5a",
    }
    assert found(parse(platforms=platforms), parse(platforms=platforms[::-1])) == {}


def test_the_numbers_of_principals_change_nothing_but_themselves():
    people = document()["identities"]
    for each in people:
        each["id"] += 10
    other = parse(identities=people, order=[11, 12, 13], consent=["south", "north"])
    told = found(parse(consent=["north", "south"]), other)
    assert set(told) == {f"{name}, number" for name in ROLES}


def test_a_source_is_compared_as_the_policy_that_is_built_of_it(tmp_path):
    (tmp_path / "policy.json").write_bytes(parse(expires_at="2030-06-20T00:00:00Z").raw)

    def diff(*files: str):
        words = ["policy", "diff", *(str(tmp_path / each) for each in files)]
        return CliRunner().invoke(main, [*words, "--config", str(tmp_path / "config")])

    now, lifetime = datetime.now(UTC), timedelta(days=30)
    people = {name: Identity.create(name, not_before=now, lifetime=lifetime) for name in ROLES}
    identities = document()["identities"]
    for each in identities:
        each["certificate"] = people[each["name"]].certificate_pem().decode().strip()
    policy = parse(
        identities=identities, expires_at="2030-06-20T00:00:00Z", rounds=2, results_per_reader=2
    )
    (tmp_path / "policy.json").write_bytes(policy.raw)
    (tmp_path / "policy.toml").write_text(policy_to_toml(policy))
    same = diff("policy.toml", "policy.json")
    assert (same.exit_code, "white space" in same.stdout) == (1, True)
    source = policy_to_toml(policy).replace("most = 2", "most = 3")
    (tmp_path / "policy.toml").write_text(source)
    assert diff("policy.toml", "policy.json").stdout == "rounds: 3 -> 2\n"
    (tmp_path / "policy.toml").write_text("days = ")
    assert diff("policy.toml", "policy.json").exit_code == 1
