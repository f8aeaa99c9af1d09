"""What the examples beyond the original do at their edges: ties, thresholds, nothing, nonsense."""

import random
import statistics

import pytest

from sdk.examples.named_types import SCHEMAS
from veracruz_utils.encoding.pinecone import decode, encode

DATA_SOURCE_COUNT, BAD_INPUT, STD_ERROR = -2, -4, 1


def data(name, value):
    return encode(SCHEMAS[name].kind, value)


def value_of(name, outcome):
    assert outcome.return_code == 0
    return decode(SCHEMAS[name].kind, outcome.output)


@pytest.mark.parametrize(
    ("name", "inputs", "code"),
    [
        ("sealed-bid-auction", [], DATA_SOURCE_COUNT),
        ("sealed-bid-auction", [b"\0" * 9], DATA_SOURCE_COUNT),
        ("sealed-bid-auction", [b"\2" + bytes(8), b"\0" * 9], BAD_INPUT),
        ("secret-ballot", [], DATA_SOURCE_COUNT),
        ("secret-ballot", [b"\0" * 9, b"\0"], BAD_INPUT),
        ("federated-averaging", [b"\0"], DATA_SOURCE_COUNT),
        ("group-by-join", [b"\0" * 4, b"\0"], DATA_SOURCE_COUNT),
        ("group-by-join", [b"\0" * 4, b"\xff\xff\x03", b"\0"], BAD_INPUT),
        ("noisy-histogram", [], STD_ERROR),
        ("forest-inference", [b"\0"], DATA_SOURCE_COUNT),
        ("neural-network", [b"\0", b"\0"], BAD_INPUT),
    ],
)
def test_what_is_no_input_ends_with_a_code(run_program, name, inputs, code):
    outcome = run_program(name, *inputs)
    assert (outcome.return_code, outcome.output) == (code, None)


def auction(run_program, amounts, *, second_price, reserve=0):
    terms = data("auction-terms", {"second_price": second_price, "reserve": reserve})
    bids = [data("bid", {"bidder": f"b{at}", "amount": each}) for at, each in enumerate(amounts)]
    sale = value_of("sale", run_program("sealed-bid-auction", terms, *bids))
    return sale and (sale["winner"], sale["price"])


@pytest.mark.parametrize(
    ("amounts", "reserve", "first", "second"),
    [
        ([5, 9, 7], 0, ("b1", 9), ("b1", 7)),
        ([9, 9, 7], 0, ("b0", 9), ("b0", 9)),  # of equal bids the earlier one
        ([7, 9, 9], 0, ("b1", 9), ("b1", 9)),
        ([9], 0, ("b0", 9), ("b0", 0)),
        ([9, 3], 5, ("b0", 9), ("b0", 5)),  # never below the reserve
        ([5, 5], 5, ("b0", 5), ("b0", 5)),
        ([4, 3], 5, None, None),
        ([2**64 - 1, 0], 0, ("b0", 2**64 - 1), ("b0", 0)),
    ],
)
def test_an_auction_is_won_at_the_first_or_the_second_price(
    run_program, amounts, reserve, first, second
):
    assert auction(run_program, amounts, second_price=False, reserve=reserve) == first
    assert auction(run_program, amounts, second_price=True, reserve=reserve) == second


def ballot(run_program, ballots, *, least_voters=0, least_votes=0):
    terms = {"choices": ["yes", "no"], "least_voters": least_voters, "least_votes": least_votes}
    cast = [data("ballot", each) for each in ballots]
    found = value_of("tally", run_program("secret-ballot", data("ballot-terms", terms), *cast))
    return found["voters"], found["spoiled"], dict(found["tally"])


def test_votes_are_told_when_enough_voted(run_program):
    assert ballot(run_program, [0, 1, 0]) == (3, 0, {"yes": 2, "no": 1})
    assert ballot(run_program, [0, 1, 7], least_voters=3) == (2, 1, {})
    assert ballot(run_program, [0, 1, 0], least_voters=3) == (3, 0, {"yes": 2, "no": 1})
    assert ballot(run_program, [0, 1, 0], least_votes=2) == (3, 0, {"yes": 2})
    assert ballot(run_program, [2**32 - 1]) == (0, 1, {"yes": 0, "no": 0})
    assert ballot(run_program, []) == (0, 0, {"yes": 0, "no": 0})


def averaged(run_program, updates, *, previous=None):
    streams = [data("model-update", {"examples": n, "model": model}) for n, model in updates]
    return run_program(
        "federated-averaging", data("model", [1.0, 1.0]), streams=streams, previous_result=previous
    )


def test_models_are_weighted_and_nobody_changes_nothing(run_program):
    outcome = averaged(run_program, [(1, [0.0, 0.0]), (3, [4.0, 8.0])])
    assert value_of("model", outcome) == [3.0, 6.0]
    assert value_of("model", averaged(run_program, [(0, [9.0, 9.0])])) == [1.0, 1.0]
    before = data("model", [5.0, 5.0])
    outcome = averaged(run_program, [(0, [9.0, 9.0])], previous=before)
    assert value_of("model", outcome) == [5.0, 5.0]
    assert averaged(run_program, [(1, [9.0])]).return_code == BAD_INPUT


def grouped(run_program, least, members, measured):
    outcome = run_program(
        "group-by-join",
        data("least-people", least),
        data("members", [{"id": a, "group": b} for a, b in members]),
        data("measured", [{"id": a, "value": b} for a, b in measured]),
    )
    return [(each["group"], each["people"], each["mean"]) for each in value_of("groups", outcome)]


def test_small_groups_are_left_out_and_nobody_counts_twice(run_program):
    members = [("a", "g"), ("b", "g"), ("a", "h"), ("c", "h"), ("d", "g")]
    measured = [("a", 1.0), ("a", 100.0), ("b", 3.0), ("c", 5.0), ("x", 9.0)]
    assert grouped(run_program, 2, members, measured) == [("g", 2, 2.0)]
    assert grouped(run_program, 1, members, measured) == [("g", 2, 2.0), ("h", 1, 5.0)]
    assert grouped(run_program, 0, members, []) == []


class Seeded:
    """The host's random numbers, the same every time."""

    def __init__(self):
        self._random = random.Random(7)

    def fill(self, size):
        return self._random.randbytes(size)


def noisy(run_program, values, *, epsilon=1.0, delta=0.0, edges=(0.0, 1.0, 2.0)):
    terms = {"edges": list(edges), "epsilon": epsilon, "delta": delta}
    return run_program(
        "noisy-histogram", data("histogram-terms", terms), data("values", values), random=Seeded()
    )


@pytest.mark.parametrize(
    ("delta", "deviation"), [(0.0, 2**0.5), (1e-5, (2 * 11.736) ** 0.5)], ids=["laplace", "gauss"]
)
def test_the_noise_is_as_wide_as_said_and_around_the_truth(run_program, delta, deviation):
    edges = [float(each) for each in range(2001)]
    values = [each + 0.5 for each in range(2000)]
    found = value_of("counts", noisy(run_program, values, delta=delta, edges=edges))
    noise = [count - 1 for count in found]
    assert abs(statistics.mean(noise)) < 5 * deviation / len(noise) ** 0.5
    assert statistics.stdev(noise) == pytest.approx(deviation, rel=0.15)


def test_the_edges_of_bins_belong_to_the_upper_one(run_program):
    values = [-1.0, 0.0, 0.5, 1.0, 2.0, float("inf")] * 1000
    outcome = noisy(run_program, [*values], epsilon=1000.0)
    assert value_of("counts", outcome) == [2000, 1000]


def test_the_widest_noise_still_comes_in_steps_of_one(run_program):
    edges = [float(each) for each in range(2001)]
    found = value_of("counts", noisy(run_program, [], epsilon=1e-6, edges=edges))
    for modulus in (2, 8, 64):
        of_each = [sum(count % modulus == rest for count in found) for rest in range(modulus)]
        fair = len(found) / modulus
        assert all(abs(times - fair) < 6 * fair**0.5 for times in of_each)


@pytest.mark.parametrize(
    "terms",
    [
        {"epsilon": 0.0}, {"epsilon": -1.0}, {"epsilon": float("inf")}, {"delta": 1.0},
        {"delta": -0.1}, {"edges": (1.0,)}, {"edges": (1.0, 1.0)}, {"edges": (0.0, float("nan"))},
        {"epsilon": 1e-300}, {"epsilon": 9e-7}, {"epsilon": 1.1, "delta": 1e-5},
        {"epsilon": float("nan")},
    ],
)  # fmt: skip
def test_terms_that_protect_nobody_are_refused(run_program, terms):
    assert noisy(run_program, [0.5], **terms).return_code == STD_ERROR


def node(feature=0, threshold=0.0, left=0, right=0, value=0.0):
    return {
        "feature": feature, "threshold": threshold, "left": left, "right": right, "value": value,
    }  # fmt: skip


@pytest.mark.parametrize(
    "tree",
    [
        [],
        [node(left=1, right=1)],
        [node(left=0, right=1), node()],
        [node(feature=9, left=1, right=1), node()],
    ],
    ids=["empty", "nowhere", "in circles", "no such feature"],
)
def test_a_tree_that_leads_nowhere_is_refused(run_program, tree):
    forest = data("forest", {"base": 0.0, "trees": [tree]})
    outcome = run_program("forest-inference", forest, data("rows", [[-1.0]]))
    assert outcome.return_code == BAD_INPUT


def test_a_network_whose_shapes_do_not_fit_is_refused(run_program):
    layer = {"weights": [[1.0, 2.0]], "bias": [0.0]}
    for layers, images in (
        ([layer], [[1.0]]),
        ([layer, layer], [[1.0, 2.0]]),
        ([{"weights": [[1.0]], "bias": []}], [[1.0]]),
        ([layer], [[1.0, 2.0], [1.0]]),
    ):
        outcome = run_program("neural-network", data("layers", layers), data("images", images))
        assert outcome.return_code == BAD_INPUT
    nan = data("images", [[float("nan"), 0.0]])
    assert value_of("classes", run_program("neural-network", data("layers", [layer]), nan)) == [0]
