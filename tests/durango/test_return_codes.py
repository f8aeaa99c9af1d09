"""What a reader is told of a program's error code."""

from durango.return_codes import meaning_of
from sdk.examples import programs
from support.policies import NOW, current_document, text
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

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


def test_under_privacy_no_code_is_told():
    privacy = {"mechanism": "laplace", "epsilon": "1", "total_epsilon": "1", "sensitivity": "1"}
    found = meaning_of(-1, policy(result={"type": "u8", "privacy": privacy}))
    assert "is not told" in found
