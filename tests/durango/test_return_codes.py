"""What a reader is told of a program's error code."""

from hypothesis import given
from hypothesis import strategies as st

from durango.return_codes import meaning_of
from sdk.examples import programs
from support.policies import NOW, current_document, text
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy
from veracruz_utils.refused_inputs import RefusedInput, refused_input_of

INTERSECTION = str(Digest.of(programs.load("private-set-intersection")))


def policy(digest=INTERSECTION, **terms):
    said = {"program_digest": digest, "streaming_order": [], **terms}
    return Policy.parse(text(current_document() | said), at=NOW)


def test_a_code_of_a_shipped_program_means_what_its_author_says_and_whose_input_it_may_be():
    assert meaning_of(1, policy()) == (
        "of private-set-intersection that means: an input does not decode "
        "(the policy says no type for input 0 of client 1, input 1 of client 2)"
    )


def test_inputs_whose_type_was_checked_are_not_suspected():
    inputs = [{"type": "u8"}, {"name": "people"}]
    assert meaning_of(1, policy(inputs=inputs)).endswith(
        "(the policy says no type for input 1 (people) of client 2)"
    )
    assert meaning_of(1, policy(inputs=[{"type": "u8"}] * 2)).endswith("does not decode")


def test_a_code_of_another_program_is_explained_by_convention():
    assert meaning_of(-2, policy("ab" * 32)) == (
        "by the convention of the guest libraries that is another number of inputs or streams than "
        "it works on"
    )
    assert meaning_of(-99, policy("ab" * 32)) is None
    assert meaning_of(17, policy()) is None


def test_a_refused_input_is_told_by_the_policys_names():
    said = policy("ab" * 32, inputs=[{"type": "u8"}, {"name": "ages.csv"}])
    refusals = [RefusedInput(stream=False, index=index, reason=3).code for index in (0, 1, 2)]
    assert [meaning_of(code, said) for code in refusals] == [
        "the program refused input 0 of client 1: code 3",
        "the program refused the input 'ages.csv' of client 2: code 3",
        "the program refused input 2, which the policy does not have: code 3",
    ]
    stream = RefusedInput(stream=True, index=0, reason=255)
    assert meaning_of(stream.code, said).endswith(
        "refused stream 0, which the policy does not have: code 255"
    )


@given(st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 0xFF))
def test_a_refusal_and_its_code_are_each_others(stream, index, reason):
    refused = RefusedInput(stream=stream, index=index, reason=reason)
    assert refused_input_of(refused.code) == refused


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_code_refuses_an_input_or_none(code):
    refused = refused_input_of(code)
    assert refused is None or refused.code == code


def test_under_privacy_no_code_is_told():
    privacy = {"mechanism": "laplace", "epsilon": "1", "total_epsilon": "1", "sensitivity": "1"}
    code = RefusedInput(stream=False, index=0, reason=3).code
    found = meaning_of(code, policy(result={"type": "u8", "privacy": privacy}))
    assert "is not told" in found
