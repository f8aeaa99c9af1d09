"""Wrong files are caught before they leave; what leaves an isolate is what the policy allows."""

import json
import shlex

import pytest

from colima.runtime import ComputationState, Failure
from durango import RequestRefusedError
from sdk.examples import EXAMPLES, programs
from support.stack import DATA, PI, RESULT, run
from veracruz_utils.encoding.pinecone import decode, encode, parse_type

HISTOGRAM = programs.load("noisy-histogram")
AUTHOR, ANALYST, NORTH, SOUTH, READER = range(5)
TERMS, VALUES, _ = EXAMPLES["noisy-histogram"].inputs
COUNTS = parse_type("Vec<i64>")
# The program's own noise is none at this epsilon: what there is, is the runtime's.
QUESTION = {"edges": [0.0, 1.0, 2.0], "epsilon": 1e12, "delta": 0.0}
LAPLACE = {
    "mechanism": "laplace",
    "epsilon": "0.5",
    "total_epsilon": "1.25",
    "sensitivity": "1",
}
INPUTS = [
    {"name": "question", "type": TERMS.expression},
    {"name": "north", "type": VALUES.expression, "bytes": 1000},
    {"name": "south", "type": VALUES.expression, "bytes": 1000},
]


@pytest.fixture
def computation(stack):
    with started(stack, {"type": "Vec<i64>", "privacy": LAPLACE}) as made:
        yield made


def started(stack, result, **terms):
    return stack.computation(
        [PI], [DATA], [DATA], [DATA], [RESULT], program=HISTOGRAM, data=(ANALYST, NORTH, SOUTH),
        terms={"inputs": INPUTS, "result": result, "rounds": 5, **terms},
    )  # fmt: skip


def provide(computation, *values):
    computation.send_program(AUTHOR)
    computation.send_data(ANALYST, encode(TERMS.kind, QUESTION))
    for client, each in zip((NORTH, SOUTH), values, strict=True):
        computation.send_data(client, encode(VALUES.kind, each))


def test_wrong_files_change_nothing_and_the_shown_command_sends_the_right_thing(computation):
    computation.send_program(AUTHOR)
    csv = computation.file(b"0.5\n0.25\n1.5\n", "north.csv")
    told = computation.durango("data send", csv, client=NORTH).refused(3, "north.csv is CSV")
    assert "input 1 (north) takes the encoding of Vec<f64>" in told
    assert computation.state(NORTH) is ComputationState.DATA_SOURCES_LOADING
    program, *words = shlex.split(told.splitlines()[-1])
    assert program == "durango"
    assert "--encode" in words
    run(program, *words, cwd=computation.folder).done()

    faulty = computation.file(b"0.5\nhalf\n", "south.csv")
    computation.durango("data send", faulty, "--encode", client=SOUTH).refused(
        3, "south.csv:2:1: 'half' is not a number (f64)", "input 2 (south)"
    )
    swapped = computation.file(encode(TERMS.kind, QUESTION), "other.dat")
    computation.durango("data send", swapped, client=SOUTH).refused(
        3, "other.dat is not input 2 (south)", "it fits input 0 (question) of client 1"
    )
    large = computation.file(encode(VALUES.kind, [0.0] * 200), "large.dat")
    computation.durango("data send", large, client=SOUTH).refused(3, "the policy allows 1000")

    question = computation.file(json.dumps(QUESTION).encode(), "question.json")
    computation.durango("data send", question, "--encode", client=ANALYST).done()
    good = computation.file(b"0.75\n1.25\n", "south.csv")
    computation.durango("data send", good, "--encode", client=SOUTH).done()
    counts = decode(COUNTS, computation.result(READER))
    assert all(abs(found - true) < 100 for found, true in zip(counts, [3, 2], strict=True))


def test_each_release_has_noise_of_its_own_until_the_budget_is_spent(computation):
    provide(computation, [0.5] * 60, [1.5] * 40)
    found, balances = [], []
    with computation.connect(READER) as reader:
        for turn in range(2):
            if turn:
                reader.next_round()
            result, outcome = reader.result()
            assert reader.result()[0] == result  # fetching it again costs nothing
            found.append(decode(COUNTS, result))
            balances.append((outcome.receipt.privacy.epsilon_spent,
                             outcome.receipt.privacy.epsilon_left))  # fmt: skip
        with pytest.raises(RequestRefusedError, match=r"epsilon 0\.25 left of the privacy budget"):
            reader.next_round()
        assert reader.result()[0] == result  # the last one stays
    assert balances == [("0.5", "0.75"), ("1", "0.25")]
    for counts in found:
        assert all(abs(each - true) < 100 for each, true in zip(counts, [60, 40], strict=True))
    refused = computation.durango("round next", client=READER)
    refused.refused(3, "budget spent", "agree on a policy with a larger budget")


def test_the_command_line_tells_what_is_left_of_the_budget(computation):
    provide(computation, [0.5], [1.5])
    got = computation.durango(
        "result get", "--output", computation.folder / "result", client=READER
    ).done()
    assert "privacy budget: epsilon 0.5 spent, 0.75 left" in got.out
    kept = computation.folder / "receipt"
    computation.durango("receipt get", "--output", kept, client=NORTH).done()
    shown = run("durango", "receipt", "verify", kept, cwd=computation.folder).done()
    assert "privacy budget: epsilon 0.5 spent, 0.75 left" in shown.out


def test_two_isolates_of_one_policy_give_different_results(stack):
    privacy = LAPLACE | {"epsilon": "0.001"}
    found = set()
    for _ in range(2):
        with started(stack, {"type": "Vec<i64>", "privacy": privacy}) as computation:
            provide(computation, [0.5] * 60, [1.5] * 40)
            found.add(computation.result(READER))
    assert len(found) == 2


def test_a_result_of_another_type_stays_inside_and_the_others_are_still_served(stack):
    with started(stack, {"type": "Vec<u8>"}) as computation:
        provide(computation, [0.5] * 3, [1.5] * 3)
        target = computation.folder / "result"
        computation.durango("result get", "--output", target, client=READER).refused(
            3, "withheld: the result is not of type Vec<u8>"
        )
        assert not target.exists()
        with computation.connect(NORTH) as member:
            assert member.state().failure is Failure.WITHHELD
        computation.durango("status", client=NORTH).done()


def test_with_too_few_contributors_nothing_is_run(stack):
    with started(stack, {"contributors": 3}) as computation:
        provide(computation, [], [0.5])  # an empty list is nobody's contribution
        computation.durango(
            "result get", "--output", computation.folder / "result", client=READER
        ).refused(3, "2 principals gave an input that is not empty, expected at least 3")
        assert computation.state(READER) is ComputationState.READY_TO_EXECUTE
