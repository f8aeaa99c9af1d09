"""The C library, by a guest that the test builds."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_engine.limits import EngineLimits
from platform_services import ServiceUnavailableError
from sdk.toolchains import zig
from sdk.toolchains.sources import source_folder
from support.guest_values import VALUE, VALUES, damaged
from veracruz_utils.encoding.pinecone import PineconeError, decode, encode
from veracruz_utils.refused_inputs import RefusedInput

pytestmark = pytest.mark.timeout(600)  # the compiler's first run fills its cache

GENERIC, BAD_INPUT, INVARIANT_FAILED, NOT_IMPLEMENTED, SERVICE_UNAVAILABLE = -1, -4, -5, -6, -7


@pytest.fixture(scope="session")
def library():
    library = source_folder("c")
    guest = Path(__file__).parents[1] / "guests" / "library.c"
    return zig.compile_c([library / "veracruz.c", guest], include=library / "include")


@given(VALUES)
def test_every_value_is_read_and_written_as_pinecone_says(run_module, library, value):
    encoded = encode(VALUE, value)
    outcome = run_module(library, b"v", encoded)
    assert (outcome.return_code, outcome.output) == (0, encoded)


@given(st.binary(max_size=60) | damaged())
def test_the_guest_refuses_exactly_what_the_python_decoder_refuses(run_module, library, data):
    try:
        decode(VALUE, data)
    except PineconeError:
        expected = (BAD_INPUT, None)
    else:
        expected = (0, data)
    outcome = run_module(library, b"v", data)
    assert (outcome.return_code, outcome.output) == expected


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes otherwise")
def test_the_hash_is_siphash_1_3(run_module, library):
    # Python's own hash of bytes is SipHash-1-3 with a key of zeros when hashing is not randomised.
    data = [bytes(range(length)) for length in range(1, 40)]
    script = f"for data in {data!r}: print(hash(data))"
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    for one, expected in zip(data, map(int, printed.split()), strict=True):
        assert struct.unpack("<q", run_module(library, b"h", one).output) == (expected,)


def test_random_bytes_are_the_hosts(run_module, library):
    class Counting:
        def fill(self, size):
            return bytes(range(size))

    assert run_module(library, b"r", random=Counting()).output == bytes(range(16))


def test_a_host_without_random_bytes_makes_the_service_unavailable(run_module, library):
    class Dry:
        def fill(self, size):
            raise ServiceUnavailableError("dry")

    assert run_module(library, b"r", random=Dry()).return_code == SERVICE_UNAVAILABLE


@pytest.mark.parametrize("previous", [None, b"", b"before"])
def test_streams_and_previous_result_are_read(run_module, library, previous):
    outcome = run_module(library, b"s", streams=[b"a", b"last"], previous_result=previous)
    shown = previous or b""
    expected = [b"\2\0\0\0\4last", bytes([previous is not None]), bytes([len(shown)]), shown]
    assert outcome.output == b"".join(expected)


def test_a_second_result_is_refused_and_the_first_stays(run_module, library):
    outcome = run_module(library, b"w")
    assert (outcome.return_code, outcome.output) == (INVARIANT_FAILED, b"once")


def test_memory_functions_do_what_they_must(run_module, library):
    assert run_module(library, b"m").return_code == 0


def test_memory_runs_out_without_a_trap(run_module, library):
    outcome = run_module(library, b"x", limits=EngineLimits(memory_bytes=8 * 2**20))
    assert outcome.output == (7).to_bytes(4, "little")


def test_an_input_larger_than_memory_is_an_error_not_a_trap(run_module, library):
    limits = EngineLimits(memory_bytes=2**20)
    assert run_module(library, b"v", bytes(2**20), limits=limits).return_code == GENERIC


def test_an_input_that_is_not_there_is_bad_input(run_module, library):
    assert run_module(library, b"i").return_code == BAD_INPUT
    assert run_module(library).return_code == BAD_INPUT


def test_a_refused_input_is_told_by_its_number(run_module, library):
    assert [run_module(library, each).return_code for each in (b"R", b"T", b"B")] == [
        RefusedInput(stream=False, index=2, reason=3).code,
        RefusedInput(stream=True, index=0xFFFF, reason=0xFF).code,
        BAD_INPUT,
    ]


def test_what_is_not_there_is_not_implemented(run_module, library):
    assert run_module(library, b"?").return_code == NOT_IMPLEMENTED
