"""How a policy says a computation is conducted, and what it means by not saying it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.policies import NOW, certificate, current_document, document_2021, pem, text
from veracruz_utils.policy import (
    OPAQUE,
    UNLIMITED,
    Agreement,
    InputTerms,
    Mechanism,
    Policy,
    PolicyError,
    PolicyErrorCode,
    ResultTerms,
    decimal_text,
)

PEOPLE = [
    {"id": 0, "name": "author", "roles": ["PiProvider"]},
    {"id": 1, "name": "north", "roles": ["DataProvider", "ResultReader"]},
    {"id": 2, "name": "south", "roles": ["DataProvider", "ResultReader"]},
    {"id": 3, "roles": ["ResultReader"]},
]
PRIVACY = {
    "mechanism": "laplace",
    "epsilon": "0.5",
    "total_epsilon": "2",
    "sensitivity": "1",
}


def document(**terms):
    people = [{**each, "certificate": pem(certificate(f"member {each['id']}"))} for each in PEOPLE]
    return current_document() | {
        "identities": people,
        "data_provision_order": [1, 2],
        "streaming_order": [],
        **terms,
    }


def parse(**terms) -> Policy:
    return Policy.parse(text(document(**terms)), at=NOW)


def refused(path: str, code: PolicyErrorCode, **terms) -> str:
    with pytest.raises(PolicyError) as refusal:
        parse(**terms)
    assert (refusal.value.path, refusal.value.code) == (path, code)
    return refusal.value.detail


def test_what_is_not_said_is_the_safest_that_lets_a_computation_end():
    policy = parse()
    conduct = policy.conduct
    assert (conduct.rounds, conduct.attempts, conduct.results_per_reader) == (1, 3, 1)
    assert conduct.next_round == Agreement(1, frozenset({1, 2, 3}))
    assert conduct.consent is None
    assert conduct.repairs
    assert not conduct.deterministic
    assert not conduct.canonical_nans
    assert policy.inputs == (InputTerms(), InputTerms())
    assert policy.streams == ()
    assert policy.result == ResultTerms(OPAQUE, None, 0, None)


def test_a_policy_with_streams_has_rounds_for_them():
    policy = parse(streaming_order=[1])
    assert policy.conduct.rounds == policy.conduct.results_per_reader == 100


def test_a_policy_of_2021_means_what_it_meant():
    conduct = Policy.parse(text(document_2021()), at=NOW).conduct
    assert conduct.canonical_nans
    assert (conduct.rounds, conduct.attempts) == (UNLIMITED, 1)
    assert conduct.results_per_reader == UNLIMITED
    assert conduct.next_round.least == 1
    assert not conduct.repairs


def test_principals_have_names_and_those_without_are_called_by_their_number():
    policy = parse()
    assert [each.label for each in policy.identities] == ["author", "north", "south", "client 3"]
    assert policy.named(2) == "south"


@pytest.mark.parametrize(
    "name", [" lead", "-", "a,b", "a\tb", "a\u202eb", "u\u0308", "a" * 65, "north"]
)
def test_a_name_is_a_short_word_of_its_own(name):
    people = document()["identities"]
    people[2]["name"] = name
    refused("$.identities[2].name", PolicyErrorCode.NAME, identities=people)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("any", Agreement(1, frozenset({1, 2, 3}))),
        ("all", Agreement(3, frozenset({1, 2, 3}))),
        (["north", 3], Agreement(2, frozenset({1, 3}))),
        ({"least": 2, "of": ["north", "south", 3]}, Agreement(2, frozenset({1, 2, 3}))),
    ],
)
def test_who_must_agree_to_another_round(said, meant):
    assert parse(rounds=2, next_round=said).conduct.next_round == meant


def test_consent_is_asked_of_everybody_the_author_included():
    assert parse(consent="all").conduct.consent == Agreement(4, frozenset({0, 1, 2, 3}))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (["author"], "$.next_round[0]"),
        (["nobody"], "$.next_round[0]"),
        (["north", "north"], "$.next_round[1]"),
        ([], "$.next_round"),
        ({"least": 2, "of": ["north"]}, "$.next_round"),
        ({"least": 1, "of": [77]}, "$.next_round.of[0]"),
    ],
)
def test_an_agreement_that_can_never_be_is_refused(said, path):
    refused(path, PolicyErrorCode.AGREEMENT, next_round=said)


def test_an_agreement_is_met_by_enough_of_those_whose_word_counts():
    agreement = Agreement(2, frozenset({1, 2, 3}))
    assert not agreement.met({1, 9})
    assert agreement.awaited({1, 9}) == {2, 3}
    assert agreement.met({1, 3})
    assert agreement.awaited({1, 3}) == frozenset()


def test_nobody_has_more_results_than_there_are_rounds():
    assert parse(rounds=4, results_per_reader=9).conduct.results_per_reader == 4
    assert parse(rounds=4, results_per_reader=2).conduct.results_per_reader == 2


def test_every_place_of_an_order_can_say_what_it_takes():
    inputs = [{"name": "patients", "type": "Vec<u32>", "bytes": 400}, {}]
    assert parse(inputs=inputs).inputs == (InputTerms("patients", "Vec<u32>", 400), InputTerms())


def test_terms_of_inputs_are_one_for_each_place():
    detail = refused("$.inputs", PolicyErrorCode.INPUT_TERMS, inputs=[{}])
    assert "1 entries" in detail
    assert "has 2" in detail
    twice = [{"name": "a"}, {"name": "a"}]
    refused("$.inputs[1].name", PolicyErrorCode.NAME, inputs=twice)


def test_more_contributors_than_there_are_could_never_be():
    refused("$.result.contributors", PolicyErrorCode.INPUT_TERMS, result={"contributors": 3})


def test_under_privacy_there_is_one_attempt_unless_the_policy_says_more():
    result = {"type": "Vec<i64>", "privacy": PRIVACY}
    assert parse(result=result).conduct.attempts == 1
    assert parse(result=result, attempts=2).conduct.attempts == 2


def test_privacy_is_read_as_exact_fractions():
    privacy = parse(result={"type": "Vec<i64>", "privacy": PRIVACY}).result.privacy
    assert privacy.mechanism is Mechanism.LAPLACE
    assert (privacy.epsilon, privacy.total_epsilon) == (Fraction(1, 2), 2)
    gaussian = PRIVACY | {"mechanism": "gaussian", "delta": "1e-6", "total_delta": "0.00001"}
    privacy = parse(result={"type": "Vec<i64>", "privacy": gaussian}).result.privacy
    assert privacy.delta == Fraction(1, 10**6)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"epsilon": "0"}, "epsilon"),
        ({"epsilon": "-1"}, "epsilon"),
        ({"epsilon": "NaN"}, "epsilon"),
        ({"epsilon": "1/2"}, "epsilon"),
        ({"sensitivity": "0"}, "sensitivity"),
        ({"total_epsilon": "0.4"}, "total_epsilon"),
        ({"delta": "0.1", "total_delta": "1"}, "delta"),
        ({"mechanism": "gaussian"}, "delta"),
        ({"mechanism": "gaussian", "delta": "1", "total_delta": "2"}, "delta"),
        ({"mechanism": "gaussian", "delta": "0.1"}, "total_delta"),
    ],
)
def test_privacy_that_promises_nothing_is_refused(change, field):
    result = {"type": "Vec<i64>", "privacy": PRIVACY | change}
    refused(f"$.result.privacy.{field}", PolicyErrorCode.PRIVACY, result=result)


def test_noise_needs_a_type_and_no_determinism():
    refused("$.result.type", PolicyErrorCode.PRIVACY, result={"privacy": PRIVACY})
    result = {"type": "Vec<i64>", "privacy": PRIVACY}
    refused("$.deterministic", PolicyErrorCode.PRIVACY, result=result, deterministic=True)


@pytest.mark.parametrize(
    "kind",
    ["opaque", "f64", "Vec<(u8, String)>", "HashSet<u8>", "Option<u8>", "bool", "()", "Vec<u9>"],
)
def test_noise_is_for_whole_numbers_alone(kind):
    code = PolicyErrorCode.INVALID_VALUE if kind == "Vec<u9>" else PolicyErrorCode.PRIVACY
    refused("$.result.type", code, result={"type": kind, "privacy": PRIVACY})


@pytest.mark.parametrize("kind", ["i8", "{a: u64, b: [(usize, i16); 3]}", "Vec<Vec<u32>>"])
def test_every_shape_of_whole_numbers_may_have_noise(kind):
    assert parse(result={"type": kind, "privacy": PRIVACY}).result.privacy is not None


def test_noise_and_debugging_do_not_go_together():
    result = {"type": "Vec<i64>", "privacy": PRIVACY}
    refused("$.debug", PolicyErrorCode.PRIVACY, result=result, debug=True)


def test_a_number_has_no_more_decimals_than_a_balance_can_tell():
    tiny = PRIVACY | {"epsilon": "1e-41"}
    detail = refused(
        "$.result.privacy.epsilon", PolicyErrorCode.PRIVACY, result={"type": "u8", "privacy": tiny}
    )
    assert "more than 40 decimal places" in detail


def test_a_type_is_one_of_the_encodings_grammar():
    policy = parse(inputs=[{"type": "Vec<(u8, f64)>"}, {}], result={"type": "{a: u8}"})
    assert str(policy.inputs[0].kind) == "Vec<(u8, f64)>"
    assert policy.inputs[1].kind is None
    assert str(policy.result.kind) == "{a: u8}"
    detail = refused("$.inputs[0].type", PolicyErrorCode.INVALID_VALUE, inputs=[{"type": "u9"}, {}])
    assert "unknown type 'u9'" in detail
    refused("$.result.type", PolicyErrorCode.INVALID_VALUE, result={"type": ""})


@pytest.mark.parametrize("field", ["rounds", "attempts", "results_per_reader"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_numbers_of_rounds_are_numbers(field, value):
    refused(f"$.{field}", PolicyErrorCode.INVALID_VALUE, **{field: value})


@pytest.mark.parametrize(
    ("terms", "path"),
    [
        ({"inputs": [{"tpye": "u32"}, {}]}, "$.inputs[0]"),
        ({"result": {"most": 1}}, "$.result"),
        ({"result": {"type": "u32", "privacy": PRIVACY | {"seed": "1"}}}, "$.result.privacy"),
        ({"consent": {"least": 1, "of": ["north"], "until": "then"}}, "$.consent"),
    ],
)
def test_unknown_fields_are_refused_inside_as_well(terms, path):
    refused(path, PolicyErrorCode.UNKNOWN_FIELD, **terms)


@pytest.mark.parametrize("text", ["0", "7", "0.5", "0.000001", "12.25", "1000"])
def test_a_decimal_number_is_shown_as_it_was_read(text):
    assert decimal_text(Fraction(text)) == text


@given(st.lists(st.decimals(0, 100, places=8), max_size=5))
def test_a_sum_of_decimal_numbers_is_shown_exactly(numbers):
    total = sum(map(Fraction, numbers), Fraction(0))
    assert Fraction(decimal_text(total)) == total


def test_a_type_is_on_one_line():
    assert "line ends" in refused(
        "$.inputs[0].type", PolicyErrorCode.INVALID_VALUE, inputs=[{"type": "(u8,\r u8)"}, {}]
    )
