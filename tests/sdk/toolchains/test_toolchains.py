"""Guests in C with a libc, in C++ and in Zig: their libraries, and projects in them.

The compiler builds the libraries of C and C++ once per machine, which takes minutes: these tests
run with `make toolchains`.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import tlaxcala
from execution_engine.errors import TrapError
from execution_engine.limits import EngineLimits
from platform_services import ServiceUnavailableError
from sdk.adaptation import adapt
from sdk.cli import main
from sdk.errors import BuildError
from sdk.toolchains import zig
from sdk.toolchains.sources import source_folder
from support.guest_values import VALUE, VALUES, damaged
from veracruz_utils.encoding.pinecone import PineconeError, decode, encode, parse_type
from veracruz_utils.refused_inputs import RefusedInput

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif("VERACRUZ_TOOLCHAINS" not in os.environ, reason="see `make toolchains`"),
]

BAD_INPUT, INVARIANT_FAILED, NOT_IMPLEMENTED, SERVICE_UNAVAILABLE = -4, -5, -6, -7
GUESTS = Path(__file__).parents[1] / "guests"


@pytest.fixture(scope="session")
def libc_guest():
    return zig.compile_c_with_libc([GUESTS / "libc.c"], library=source_folder("c"))


@pytest.fixture(scope="session")
def words():
    return zig.compile_cpp([GUESTS / "words.cpp"], library=source_folder("c"))


@pytest.fixture(scope="session")
def zig_library():
    return zig.compile_zig(GUESTS / "library.zig", library=source_folder("zig"))


@pytest.fixture(scope="session")
def c_library():
    """The guest of the library without a libc, on one."""
    return zig.compile_c_with_libc([GUESTS / "library.c"], library=source_folder("c"))


@pytest.fixture(params=["zig_library", "c_library"])
def library(request):
    return request.getfixturevalue(request.param)


def test_a_refused_input_is_told_by_its_number(run_module, library):
    refused = RefusedInput(stream=False, index=2, reason=3)
    assert run_module(library, b"R").return_code == refused.code
    assert run_module(library, b"B").return_code == -4


@pytest.mark.parametrize("guest", ["libc_guest", "words", "zig_library", "c_library"])
def test_a_module_imports_nothing_but_host_calls(request, guest):
    assert tlaxcala.check(request.getfixturevalue(guest)).findings == ()


@pytest.mark.parametrize("language", ["c-libc", "c++", "zig"])
def test_a_new_project_builds_the_same_twice_and_passes_its_tests(tmp_path, monkeypatch, language):
    monkeypatch.chdir(tmp_path)

    def sdk(*arguments):
        done = CliRunner().invoke(main, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    digests = set()
    for name in ("one", "another-name"):
        sdk("new", name, "--language", language)
        digests.add(sdk("build", name)["digest"])
        assert sdk("test", name)["cases"] == {"sum": [], "cut-off": []}
    assert len(digests) == 1


# ---- The libraries, in Zig, and in C on a libc ---------------------------------------------------


@pytest.mark.parametrize("guest", ["zig_library", "c_library"])
def test_values_are_read_and_written_as_pinecone_says(run_module, request, guest):
    module = request.getfixturevalue(guest)

    @given(VALUES)
    def holds(value):
        encoded = encode(VALUE, value)
        outcome = run_module(module, b"v", encoded)
        assert (outcome.return_code, outcome.output) == (0, encoded)

    holds()


@pytest.mark.parametrize("guest", ["zig_library", "c_library"])
def test_a_guest_refuses_exactly_what_the_python_decoder_refuses(run_module, request, guest):
    module = request.getfixturevalue(guest)

    @given(st.binary(max_size=60) | damaged())
    def holds(data):
        try:
            decode(VALUE, data)
        except PineconeError:
            expected = (BAD_INPUT, None)
        else:
            expected = (0, data)
        outcome = run_module(module, b"v", data)
        assert (outcome.return_code, outcome.output) == expected

    holds()


def test_random_bytes_are_the_hosts_or_the_service_is_unavailable(run_module, library):
    class Counting:
        def fill(self, size):
            return bytes(range(size))

    class Dry:
        def fill(self, size):
            raise ServiceUnavailableError("dry")

    assert run_module(library, b"r", random=Counting()).output == bytes(range(16))
    assert run_module(library, b"r", random=Dry()).return_code == SERVICE_UNAVAILABLE


@pytest.mark.parametrize("previous", [None, b"", b"before"])
def test_streams_and_previous_result_are_read(run_module, library, previous):
    outcome = run_module(library, b"s", streams=[b"a", b"last"], previous_result=previous)
    shown = previous or b""
    expected = [b"\2\0\0\0\4last", bytes([previous is not None]), bytes([len(shown)]), shown]
    assert outcome.output == b"".join(expected)


def test_a_failing_host_call_is_its_code(run_module, library):
    outcome = run_module(library, b"w")
    assert (outcome.return_code, outcome.output) == (INVARIANT_FAILED, b"once")
    assert run_module(library, b"i").return_code == BAD_INPUT
    assert run_module(library, b"?").return_code == NOT_IMPLEMENTED


# ---- libc ----------------------------------------------------------------------------------------


def test_libc_converts_sorts_and_computes(run_module, libc_guest):
    outcome = run_module(libc_guest, b"n", b"2.5 0.1 -0.25 1e3 5e-324 !\0")
    numbers = [-0.25, 5e-324, 0.1, 2.5, 1e3]
    lines = outcome.output.decode().splitlines()
    assert [float(line.split()[0]) for line in lines] == numbers
    assert [line.split()[1] for line in lines] == [f"{math.log1p(each):.3f}" for each in numbers]


def test_memory_that_is_given_back_is_had_again(run_module, libc_guest):
    limits = EngineLimits(memory_bytes=16 * 2**20)
    assert run_module(libc_guest, b"g", limits=limits).return_code == 0


def test_nothing_of_a_machine_is_to_be_seen(run_module, libc_guest):
    assert run_module(libc_guest, b"o").return_code == 0


@pytest.mark.parametrize("what", [b"e", b"a"])
def test_exit_and_a_failed_assertion_end_the_program_as_a_trap_does(run_module, libc_guest, what):
    with pytest.raises(TrapError):
        run_module(libc_guest, what)


def test_an_unanswered_wasi_call_stays_an_import_that_is_named(tmp_path):
    source = tmp_path / "main.c"
    source.write_text(
        "#include <stdio.h>\n#include <veracruz.h>\n"
        'VC_ENTRY int32_t program(void) { return fopen("a", "r") == NULL; }\n'
    )
    module = zig.compile_c_with_libc([source], library=source_folder("c"))
    found = " ".join(map(str, tlaxcala.check(module).findings))
    assert "wasi_snapshot_preview1" in found


# ---- C++ -----------------------------------------------------------------------------------------


def test_a_program_in_cpp_uses_containers_strings_and_what_is_made_before_main(run_module, words):
    given_words = ["b", "colour", "a", "color", "b", "é", ""]
    outcome = run_module(words, encode(parse_type("Vec<String>"), given_words))
    kind = parse_type("(String, Vec<(String, u32)>)")
    assert decode(kind, outcome.output) == (
        "counted by words.cpp",
        [("", 1), ("a", 1), ("b", 2), ("color", 2), ("é", 1)],
    )
    assert run_module(words, b"\2\1a").return_code == BAD_INPUT


def test_a_program_in_cpp_that_throws_is_refused(tmp_path):
    source = tmp_path / "main.cpp"
    source.write_text("#include <veracruz.h>\nVC_ENTRY int32_t program() { throw 1; }\n")
    with pytest.raises(BuildError, match="exceptions disabled"):
        zig.compile_cpp([source], library=source_folder("c"))


# ---- Zig -----------------------------------------------------------------------------------------


def test_a_program_in_zig_that_is_wrong_is_refused_with_the_compilers_words(tmp_path):
    source = tmp_path / "main.zig"
    source.write_text("export fn main() i32 { return x; }\n")
    with pytest.raises(BuildError, match="undeclared identifier 'x'"):
        zig.compile_zig(source, library=source_folder("zig"))


@pytest.fixture(scope="session")
def wasi_guest(tmp_path_factory):
    """The program of the page on WASI, built and adapted as it says."""
    page = Path("docs/how-to/a-program-that-speaks-wasi.md").read_text()
    folder = tmp_path_factory.mktemp("wasi")
    source, built = folder / "sum.c", folder / "sum.wasm"
    source.write_text(page.split("```c\n")[1].split("```")[0])
    flags = "cc -target wasm32-wasi -O2 -s".split()  # noqa: SIM905 - as the page has it
    command = [sys.executable, "-m", "ziglang", *flags, "-o", str(built), str(source)]
    subprocess.run(command, check=True, timeout=600)
    return adapt(built.read_bytes())


def test_a_program_in_c_that_speaks_wasi_reads_lines_and_prints(wasi_guest, run_module):
    assert tlaxcala.check(wasi_guest).certified
    rows = b"".join(b"row,%d\n" % each for each in range(100_000))
    outcome = run_module(wasi_guest, rows)
    assert (outcome.return_code, outcome.output) == (0, b"%d\n" % sum(range(100_000)))


def test_a_program_in_c_that_speaks_wasi_leaves_with_its_status_and_words(wasi_guest, run_module):
    outcome = run_module(wasi_guest, b"row,1\nnothing\n")
    assert (outcome.return_code, outcome.output) == (4, None)
    assert outcome.message == "no comma in nothing\n"
