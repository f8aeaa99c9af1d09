"""The Rust libraries, by guests that the test builds."""

import itertools
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from platform_services import ServiceUnavailableError
from sdk.errors import SourceUnavailableError
from sdk.toolchains import cargo, rust
from sdk.toolchains.sources import source_folder
from support.rust_toolchain import found_rust
from veracruz_utils.encoding.pinecone import PineconeError, decode, encode, parse_type
from veracruz_utils.policy import Strategy
from veracruz_utils.refused_inputs import RefusedInput

pytestmark = pytest.mark.timeout(300)

BAD_INPUT, NOT_IMPLEMENTED, SERVICE_UNAVAILABLE = -4, -6, -7
REFUSALS = [
    RefusedInput(stream=False, index=2, reason=3).code,
    RefusedInput(stream=True, index=0xFFFF, reason=0xFF).code,
    BAD_INPUT,
]
GUESTS = Path(__file__).parents[1] / "guests"
LIBRARIES = source_folder("c").parent

VALUE = parse_type(
    "(bool, ((u8, u16, u32, u64), (i8, i16, i32, i64), (f32, f64), usize), String,"
    " Option<Vec<u16>>, Vec<(String, Option<bool>)>)"
)
ITEMS = parse_type("Vec<(String, Option<bool>)>")
SEEN = parse_type("(Vec<Vec<u8>>, Option<Vec<u8>>)")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def whole(bits):
    return st.integers(0, 2**bits - 1)


def signed(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


PAIRS = st.lists(st.tuples(TEXT, st.none() | st.booleans()), max_size=20)
NUMBERS = st.tuples(
    st.tuples(*map(whole, (8, 16, 32, 64))),
    st.tuples(*map(signed, (8, 16, 32, 64))),
    st.tuples(st.floats(width=32, allow_nan=False), st.floats(allow_nan=False)),
    whole(32),  # what a program can count
)
VALUES = st.tuples(
    st.booleans(), NUMBERS, TEXT, st.none() | st.lists(whole(16), max_size=200), PAIRS
)


def built(make):
    """What is built; without the toolchain or the registry the test is skipped, and says why."""
    if found_rust() is None:
        pytest.skip("there is no Rust for WebAssembly")
    try:
        return make().code
    except SourceUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def library():
    return built(lambda: rust.compile_rust(GUESTS / "library.rs", libraries=LIBRARIES))


@pytest.fixture
def asking_getrandom(tmp_path):
    folder = tmp_path / "random"
    shutil.copytree(GUESTS / "random", folder)
    cargo.add_libraries(folder, libraries=LIBRARIES)
    return built(lambda: cargo.compile_cargo(folder))


@given(VALUES)
def test_every_value_is_read_and_written_as_pinecone_says(run_module, library, value):
    encoded = encode(VALUE, value)
    outcome = run_module(library, b"v", encoded)
    assert (outcome.return_code, outcome.output) == (0, encoded)


@st.composite
def damaged(draw):
    encoded = bytearray(encode(VALUE, draw(VALUES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(encoded) - 1))
        encoded[at] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, encoded[at] ^ 1]))
    cut = draw(st.integers(0, 3))
    return bytes(encoded[: len(encoded) - cut if cut else None])


@given(st.binary(max_size=60) | damaged())
def test_the_guest_refuses_exactly_what_the_python_decoder_refuses(run_module, library, data):
    try:
        _, (_, _, _, counted), *_ = decode(VALUE, data)
    except PineconeError:
        expected = (BAD_INPUT, None)
    else:
        expected = (0, data) if counted < 2**32 else (BAD_INPUT, None)
    outcome = run_module(library, b"v", data)
    assert (outcome.return_code, outcome.output) == expected


@given(PAIRS.map(lambda pairs: encode(ITEMS, pairs)) | st.binary(max_size=30))
def test_items_are_told_apart_as_they_are_encoded(run_module, library, data):
    try:
        decode(ITEMS, data)
    except PineconeError:
        expected = (BAD_INPUT, None)
    else:
        expected = (0, data)
    outcome = run_module(library, b"i", data)
    assert (outcome.return_code, outcome.output) == expected


@pytest.mark.parametrize("previous", [None, b"", b"before"])
def test_streams_and_previous_result_are_read(run_module, library, previous):
    outcome = run_module(library, b"s", streams=[b"", b"last"], previous_result=previous)
    seen = [[], list(b"last")], previous if previous is None else list(previous)
    assert decode(SEEN, outcome.output) == seen


def test_a_host_error_becomes_the_programs_code(run_module, library):
    assert run_module(library, b"q").return_code == BAD_INPUT


def test_a_refused_input_is_told_by_its_number(run_module, library):
    assert [run_module(library, each).return_code for each in (b"r", b"t", b"b")] == REFUSALS


def test_what_is_not_there_has_a_code(run_module, library):
    assert run_module(library, b"?").return_code == NOT_IMPLEMENTED
    assert run_module(library).return_code == BAD_INPUT


class Counting:
    """Random bytes that are none, from one on; it remembers how many were taken."""

    def __init__(self):
        self.taken = []

    def fill(self, size):
        self.taken.append(size)
        return bytes(range(1, size + 1))


class Dry:
    """No random bytes at all."""

    def fill(self, size):
        raise ServiceUnavailableError("dry")


def test_getrandom_has_the_hosts_random_bytes_or_its_status(asking_getrandom):
    for strategy in Strategy:  # in one test, so that the guest is built once
        with Program.load(asking_getrandom, strategy=strategy, limits=EngineLimits()) as program:
            for version, size in itertools.product((2, 3), (0, 1, 200)):
                host, asked = Counting(), RunInputs(inputs=[bytes([version, size])])
                outcome = program.run(asked, random=host)
                assert (outcome.return_code, outcome.output) == (0, bytes(range(1, size + 1)))
                assert sum(host.taken) == size
            for version in (2, 3):
                outcome = program.run(RunInputs(inputs=[bytes([version, 8])]), random=Dry())
                assert (outcome.return_code, outcome.output) == (SERVICE_UNAVAILABLE, None)
