"""What a policy asks of one fact: what holds, what does not, and what is no rule."""

import msgspec
import pytest

from tabasco.appraisal.rules import AppraisalRule
from tabasco.verify.proven import HexNumber


def rule(**operators):
    return msgspec.convert(operators, AppraisalRule)


@pytest.mark.parametrize(
    ("operators", "holding", "others"),
    [
        ({"equals": "3"}, ["3", 3], ["4", 4, "", "03"]),
        ({"equals": "0x03"}, [HexNumber(3, digits=2)], [3, HexNumber(3)]),
        ({"one_of": ["a", "b"]}, ["a", "b"], ["c", "", "ab"]),
        ({"one_of": []}, [], ["a", "", 0]),
        ({"at_least": 3}, [3, 4, HexNumber(3)], [2, -3, "3", "4", ""]),
        ({"at_most": 3}, [3, 2, -4], [4, "3", "2", ""]),
        ({"at_least": 3, "at_most": 3}, [3], [2, 4, "3"]),
        ({"at_least": 0}, [0], [-1]),
        ({"at_least": 3, "equals": "5"}, [5], [3, 4, "5", 6]),
        ({"at_most": 3, "one_of": ["3", "5"]}, [3], [2, 5, "3"]),
        ({"equals": "a", "one_of": ["a", "b"]}, ["a"], ["b"]),
    ],
)
def test_each_operator_that_is_given_has_to_hold(operators, holding, others):
    asked = rule(**operators)
    assert [found for found in (*holding, *others) if asked.holds(found)] == holding


def test_a_rule_without_operator_or_with_an_unknown_one_is_none():
    for operators, told in [({}, "a rule without operator"), ({"equal": "a"}, "equal"),
                            ({"equals": "a", "more": 1}, "more")]:  # fmt: skip
        with pytest.raises(msgspec.ValidationError, match=told):
            rule(**operators)


def test_people_are_told_the_operators_that_are_given():
    assert str(rule(at_least=3, one_of=["a"])) == "one of ('a',) and at least 3"
