"""Every example that there is, on data made for it, against its expectation computed in Python."""

import dataclasses
from importlib.resources import files

import pytest

from sdk.examples import EXAMPLES, Case, programs
from sdk.examples.named_types import SCHEMAS
from sdk.toolchains.sources import source_folder
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.pinecone import decode, parse_type

SHIPPED = [EXAMPLES[name] for name in programs.NAMES]
shipped = pytest.mark.parametrize("example", SHIPPED, ids=lambda example: example.name)
every = pytest.mark.parametrize("example", EXAMPLES.values(), ids=lambda example: example.name)


def results_of(run_program, example, case):
    """The bytes of every round's result; each round may use the one before."""
    results, previous = [], None
    for streams in case.rounds:
        outcome = run_program(example.name, *case.inputs, streams=streams, previous_result=previous)
        assert outcome.return_code == 0
        previous = outcome.output
        results.append(previous)
    return results


@shipped
@pytest.mark.parametrize(("seed", "size"), [(1, 40), (2, 61)])
def test_an_example_computes_what_python_does(run_program, example, seed, size):
    case = example.generate(seed, size)
    assert example.fault(case, results_of(run_program, example, case)) is None


@shipped
def test_another_result_is_told_from_the_right_one(run_program, example):
    case = example.generate(3, 40)
    results = results_of(run_program, example, case)
    if example.result is None:
        wrong = b"\1"
    else:
        wrong = bytes(len(results[-1])) if any(results[-1]) else b"\1" * len(results[-1])
    try:
        fault = example.fault(case, [*results[:-1], wrong])
    except PineconeError:
        return
    assert fault is not None


@every
def test_the_data_of_an_example_are_the_same_from_the_same_seed_and_of_its_types(example):
    case = example.generate(5, 40)
    assert case == example.generate(5, 40)
    assert len(case.inputs) == len(example.inputs)
    for described, data in zip(example.inputs, case.inputs, strict=True):
        if described.kind is not None:
            decode(described.kind, data)
    for streams in case.rounds:
        assert len(streams) == len(example.streams)
        for described, data in zip(example.streams, streams, strict=True):
            if described.kind is not None:
                decode(described.kind, data)


@every
def test_an_example_has_a_source_and_a_readme_and_a_line_of_summary(example):
    folder = source_folder("examples") / example.name
    assert folder.joinpath("README.md").read_text().startswith(f"# {example.name}\n")
    assert example.summary
    assert not example.summary.endswith(".")
    assert example.result is None or parse_type(example.result)
    module = files("sdk.examples.catalogue").joinpath(example.name.replace("-", "_") + ".py")
    assert module.is_file()


def test_no_two_examples_name_a_type_alike():
    names = [named.name for example in EXAMPLES.values() for named in example.types]
    assert sorted(names) == sorted(SCHEMAS)


@pytest.fixture
def line():
    """A case of linear-regression and its example."""
    return EXAMPLES["linear-regression"].generate(1, 10), EXAMPLES["linear-regression"]


def test_results_that_are_missing_are_faults(line):
    case, example = line
    assert example.fault(case, []) == "0 results of 1 rounds"
    assert example.fault(case, [None]) == "round 1 has no result"


def test_a_result_where_none_should_be_is_a_fault(line):
    case, example = line
    silent = dataclasses.replace(example, result=None, expected=None)
    assert silent.fault(case, [b""]) == "round 1 has a result"
    assert silent.fault(case, [None]) is None


def test_the_order_of_a_set_is_no_fault():
    example = EXAMPLES["private-set-intersection"]
    clare, bob = b"\5clare\1\x31\x27\x36", b"\3bob\1\x32\x14\1"
    case = Case((b"\2" + clare + bob, b"\2" + bob + clare))
    assert example.fault(case, [b"\2" + bob + clare]) is None
    assert example.fault(case, [b"\1" + bob]) is not None


def test_no_line_is_no_fault_where_there_is_none(run_program, line):
    _, example = line
    case = Case((b"\1" + bytes(16),))
    (result,) = results_of(run_program, example, case)
    assert example.fault(case, [result]) is None
    assert example.fault(case, [bytes(16)]) is not None
