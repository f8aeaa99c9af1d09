"""Programs in Python, on a core that this machine's user has, or that one worker makes for all.

So is its compiled code kept in the user's cache folder: only the first run of these tests, and the
one after a change to the core, take the time of making and compiling it.
"""

import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sysconfig
from array import array
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from execution_engine.code_cache import CodeCache
from execution_engine.errors import LimitCode, LimitError
from execution_engine.limits import EngineLimits
from execution_engine.program import TimedProgram
from execution_engine.run import RunInputs
from execution_engine.wasm.examination import examine
from sdk.cli import main
from sdk.errors import BuildError
from sdk.examples import EXAMPLES, Case
from sdk.toolchains import python, python_core
from sdk.toolchains.sources import source_folder
from support.guests import CountingRandom
from support.processes import eventually
from support.shared_work import shared_folder
from support.stack import DATA, PI, RESULT, Stack
from veracruz_utils.encoding import pinecone
from veracruz_utils.policy import Limits, Strategy
from veracruz_utils.refused_inputs import RefusedInput

pytestmark = pytest.mark.skipif(
    find_spec("componentize_py") is None, reason="needs componentize-py: veracruz-sdk[python]"
)
GUESTS = Path(__file__).parents[1] / "guests"
EXAMPLE = "statistics-of-two-tables"
MODEL = EXAMPLES[EXAMPLE]
PATIENT = Limits(compile_seconds=600, run_seconds=600)
"""CPython compiles for a quarter of a minute on a machine that does nothing else."""
STRATEGIES = [
    Strategy.JIT,
    *[Strategy.INTERPRETATION] * bool(os.environ.get("VERACRUZ_TOOLCHAINS")),
]
"""Compiling it for the second one is half of what these tests take: `make toolchains` does it."""


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """The component of guests/everything.py, with the example as a module beside it."""
    with shared_folder(tmp_path_factory, "python-guest") as folder:
        if not folder.joinpath("everything.wasm").is_file():
            build_everything(folder)
        return folder.joinpath("everything.wasm").read_bytes()


def build_everything(folder):
    (folder / "veracruz.toml").write_text('name = "everything"\nlanguage = "python"\n')
    shutil.copyfile(GUESTS / "everything.py", folder / "main.py")
    shutil.copyfile(source_folder("examples") / EXAMPLE / "main.py", folder / "example.py")
    shutil.copyfile(files("sdk.projects") / "templates/python/main.py", folder / "template.py")
    (folder / "page.py").write_text(program_of_the_page())
    (folder / "veracruz.py").write_text("NAME = 'mine'\n")
    command = Path(sysconfig.get_path("scripts"), "veracruz-sdk")
    subprocess.run([command, "build", folder], check=True)


@pytest.fixture(scope="session")
def programs(everything, tmp_path_factory):
    """It, compiled by the strategy that was asked for."""
    limits = EngineLimits(output_bytes=2_000_000, memory_bytes=256 * 2**20)
    cache = CodeCache.in_directory(python_core.cache_folder() / "code")
    with shared_folder(tmp_path_factory, "python-guest"):
        loaded = {
            strategy: TimedProgram.load(everything, strategy=strategy, limits=limits, cache=cache)
            for strategy in STRATEGIES
        }
    yield loaded
    for program in loaded.values():
        program.close()


@pytest.fixture(params=STRATEGIES, ids=lambda strategy: strategy.value)
def run(request, programs):
    def run(what, *inputs, streams=(), previous=None, random=None):
        return programs[request.param].run(
            RunInputs([what.encode(), *inputs], streams, previous),
            random=random or CountingRandom(),
        )

    return run


def test_a_program_in_python_is_a_component_of_the_world(everything):
    examination = examine(everything, limits=EngineLimits())
    assert examination.problems == ()
    assert examination.summary.component


def test_inputs_come_as_bytes_and_a_result_goes_in_pieces(run):
    large = bytes(range(256)) * 4000
    outcome = run("echo", large, b"more")
    assert (outcome.return_code, outcome.output) == (0, large + b"more")
    assert outcome.host_calls["read_input"] == 6
    assert outcome.host_calls["write_output"] == 4


def test_a_refused_input_is_told_by_its_number(run):
    assert run("refuse").return_code == RefusedInput(stream=False, index=2, reason=3).code


def test_text_is_written_as_utf_8_and_what_is_printed_is_said(run):
    outcome = run("digest", b"abc")
    assert outcome.output.decode() == hashlib.sha256(b"abc").hexdigest()
    assert outcome.message == "the author reads this\nand this, without a line's end"


def test_what_an_exception_is_and_where_it_came_from_is_said(run):
    assert run("error").message.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "main.py", line {line_of("return globals()")}, in main',
        "    return globals()[inputs[0].decode()](inputs[1:])",
        "           ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~^^^^^^^^^^^^",
        f'  File "main.py", line {line_of("return 1 // 0")}, in error',
        "    return 1 // 0",
        "           ~~^^~~",
        "ZeroDivisionError: division by zero",
    ]
    assert run("fail").message.splitlines()[-1] == "libveracruz.Failure: not what was expected"
    assert "module of Python's library is not there" in run("late").message
    assert "no module named 'numpy'" in run("unheard_of").message
    assert run("nothing").message == ""


def test_arrays_compute_in_an_isolate_what_they_do_here(run, arrays):
    table = b"0.5,3\n2,5.25\n-1,1e-3\n7.125,40\n"
    told = run("sums", table)
    assert told.return_code == 0, told.message
    in_isolate, here = json.loads(told.output), json.loads(here_by(arrays, table))
    # exp and log are of the C library, and may differ in the last bit.
    for name, one, other in zip(("line", "curves", "squares"), in_isolate, here, strict=False):
        assert one == [pytest.approx(each, rel=1e-15) for each in other], name
    assert in_isolate[3:] == here[3:] == [[2, 0, 1, 3], [8.625, 48.251]]


def here_by(arrays, table):
    package = ModuleType("libveracruz")
    package.arrays = arrays
    guest = {}
    source = (GUESTS / "everything.py").read_text()
    begin = source.index("def sums(")
    with patch.dict("sys.modules", {"libveracruz": package}):
        exec("import json\n" + source[begin : source.index("\n\n\n", begin)], guest)
        return guest["sums"]([table])


def program_of_the_page():
    page = Path(__file__).parents[3] / "docs/how-to/compute-with-arrays.md"
    return page.read_text().split("<!-- program -->\n```python\n")[1].split("```")[0]


def test_the_regression_of_the_page_finds_where_expected_and_true_outcomes_agree(run):
    rows = [
        (math.sin(7 * n), math.cos(5 * n), n % 3 == 0 or math.sin(7 * n) > 0.7) for n in range(90)
    ]
    text = ["a,b,outcome", *(f"{a!r},{b!r},{int(outcome)}" for a, b, outcome in rows)]
    told = run(
        "of_the_page", "\n".join(text[:40]).encode(), "\n".join([text[0], *text[40:]]).encode()
    )
    assert told.return_code == 0, told.message
    weights = array("d", told.output)
    scaled = [[1.0] * 90, *(in_units([row[column] for row in rows]) for column in (0, 1))]
    expected = [1 / (1 + math.exp(-dot(weights, x))) for x in zip(*scaled, strict=True)]
    # There the slope of the likelihood is nothing, and it has one such place.
    missed = [row[2] - each for row, each in zip(rows, expected, strict=True)]
    assert [dot(missed, x) for x in scaled] == [pytest.approx(0, abs=1e-9)] * 3


def dot(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def in_units(numbers):
    mean = statistics.fmean(numbers)
    return [(each - mean) / statistics.pstdev(numbers) for each in numbers]


def test_what_arrays_refuse_is_a_line_of_a_traceback(run):
    told = run("unlike_shapes")
    assert told.return_code == -1
    assert told.message.splitlines()[-1] == "ValueError: no product of shapes (3, 2) and (3,)"
    told = run("too_many_numbers")  # 1 GiB, of 256 MiB
    assert (told.return_code, "MemoryError" in told.message) == (-1, True)


def line_of(text):
    lines = (GUESTS / "everything.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_of_much_that_is_printed_little_is_asked_of_the_host(run):
    outcome = run("chatter")
    assert outcome.return_code == 0
    assert outcome.host_calls["message"] < 1000


def test_sizes_streams_and_the_previous_result_come(run):
    first = json.loads(run("report", b"ab", streams=[b"s"]).output)
    assert first == {"sizes": [6, 2], "streams": ["s"], "previous": "", "first": True}
    assert json.loads(run("report", previous=b"before").output)["previous"] == "before"
    assert not json.loads(run("report", previous=b"").output)["first"]


def test_all_randomness_is_the_hosts(run):
    class Ones:
        def fill(self, size):
            return b"\1" * size

    drawn, again = run("draw").output, run("draw").output
    assert drawn == again  # of a source that begins anew: nothing else is random
    other = run("draw", random=Ones()).output
    for start in (0, 16, 32):
        assert drawn[start : start + 16] != other[start : start + 16]


@pytest.mark.parametrize(
    ("what", "code"),
    [("error", -1), ("fail", -4), ("code", 7), ("nothing", 0), ("end", 3), ("late", -1),
     ("recurse", -1), ("fill", -1), ("unknown", -1), ("words", 1), ("large_code", -1),
     ("no_code", -1), ("open_file", -1), ("connect", -1), ("start_thread", -1)],
)  # fmt: skip
def test_how_a_program_ends_is_a_return_code(run, what, code):
    outcome = run(what)
    assert (outcome.return_code, outcome.output) == (code, None)


def test_a_status_of_the_host_is_an_exception(run):
    assert run("status").output == b"-4"


def test_the_template_adds_up_numbers(run):
    numbers = pinecone.parse_type("Vec<u64>")
    inputs = [pinecone.encode(numbers, each) for each in ([1, 2, 3], [], [36])]
    assert run("total", *inputs).output == (42).to_bytes(8, "little")
    assert run("total", b"\1").return_code == -4


@pytest.mark.parametrize(("seed", "size"), [(1, 500), (2, 3), (3, 1)])
def test_the_example_says_what_the_standard_library_says(run, seed, size):
    case = MODEL.generate(seed, size)
    assert MODEL.fault(case, [run("statistics", *case.inputs).output]) is None


def test_a_byte_order_mark_and_other_line_ends_are_no_matter(run):
    case = MODEL.generate(4, 20)
    inputs = (b"\xef\xbb\xbf" + each.replace(b"\n", b"\r\n") for each in case.inputs)
    assert MODEL.fault(case, [run("statistics", *inputs).output]) is None


RIGHT = {
    "rows": [3, 3], "joined": 2, "means": [1.5, 4.5], "variances": [0.5, 2], "correlation": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"rows": [3, 2]}, {"joined": 3}, {"means": [1.5, 4.6]}, {"means": [1.5]},
        {"means": None}, {"correlation": None}, {"more": 1},
    ],
)  # fmt: skip
def test_another_result_of_the_example_is_told_from_the_right_one(change):
    case = Case((b"k,x\na,1\nb,2\nc,3\n", b"k,y\nb,5.5\na,3.5\nd,0\n"))
    assert MODEL.fault(case, [json.dumps(RIGHT).encode()]) is None
    assert MODEL.fault(case, [json.dumps(RIGHT | change).encode()]) is not None


@pytest.mark.parametrize("result", [None, b"", b"[]", b"{}", b'{"rows": [3, 3], "joined": 2}'])
def test_what_is_no_result_of_the_example_is_a_fault(result):
    case = Case((b"k,x\na,1\nb,2\nc,3\n", b"k,y\nb,5.5\na,3.5\nd,0\n"))
    assert MODEL.fault(case, [result]) is not None


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ([b"k,v\na,1\n"], -2),
        ([b"k,v\na,1\n", b"k,v\na,1\na,2\n"], -4),
        ([b"k,v\na,1\n", b"k,v\na,one\n"], -4),
        ([b"k,v\na,1\n", b"k,v\na,inf\n"], -4),
        ([b"k,v\na,1\n", b"k,v\na\n"], -4),
    ],
)
def test_the_example_refuses_tables_that_are_none(run, inputs, code):
    assert run("statistics", *inputs).return_code == code


def test_the_example_knows_tables_with_little_in_common(run):
    assert json.loads(run("statistics", b"", b"").output) == {"rows": [0, 0], "joined": 0}
    one = json.loads(run("statistics", b"k,v\na,1", b"k,v\na,2").output)
    assert (one["means"], one["variances"], one["correlation"]) == ([1, 2], [None, None], None)


@pytest.fixture
def prepared(tmp_path, everything):
    if len(STRATEGIES) == 1:
        pytest.skip("compiles CPython for isolates: make toolchains")
    """Real services, whose Sonora has compiled the core while nobody waited."""
    file = tmp_path / "everything.wasm"
    file.write_bytes(everything)
    (tmp_path / "stack").mkdir()
    stack = Stack(tmp_path / "stack")
    try:
        sonora = stack.start_sonora("prepared.sock", "--prepare", file)
        sonora.wait_ready()
        assert eventually(lambda: "prepared:" in sonora.last_words)
        yield stack, sonora
    finally:
        stack.close()


def test_programs_of_one_core_share_its_code_in_isolates(tmp_path, prepared, everything):
    """Through real services: no isolate compiles, whatever its program's author wrote."""
    stack, sonora = prepared
    core = python_core.core_in(everything)
    small = tmp_path / "small.py"
    small.write_text("def main(inputs):\n    return inputs[1][::-1]\n")
    case = MODEL.generate(5, 500)
    for program, result in (
        (everything, lambda found: MODEL.fault(case, [found]) is None),
        (python.compile_python(small, core=core), lambda found: found == case.inputs[0][::-1]),
    ):
        roles = [[PI], [DATA], [DATA], [DATA], [RESULT]]
        with stack.computation(
            *roles, program=program, data=[1, 2, 3], limits=PATIENT, sonora=sonora
        ) as computation:
            computation.send_program()
            for client, content in enumerate((b"statistics", *case.inputs), 1):
                computation.send_data(client, content)
            assert result(computation.result(4))
    assert "code kept" not in sonora.last_words


def test_modules_that_python_imports_by_itself_are_there(run):
    assert run("date").output == b"2021-05-03"


def test_asking_for_a_file_is_an_error_with_a_way_out(run):
    assert run("open_file").message.splitlines()[-1] == (
        "FileNotFoundError: [Errno 44] there are no files in an isolate, inputs come by "
        "libveracruz: '/etc/passwd'"
    )
    assert run("look_for_files").output == b"[False, False, {}]"


def test_clocks_begin_at_one_instant_and_move_by_sleeping(run):
    assert json.loads(run("clocks").output) == [
        "2000-01-01", "2000-01-01", 2000, "2000-01-01", "Sat Jan  1 00:00:02 2000", 2,
    ]  # fmt: skip
    assert run("clocks").output == run("clocks").output


def test_waiting_lets_time_pass_or_is_an_error_that_can_be_caught(run):
    *said, passed = json.loads(run("waits").output)
    failures = ["Full", "Empty", "Empty", "RuntimeError", "RuntimeError"]
    assert said == [True, *[False] * 5, *failures, True]
    assert passed == 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9


def test_an_event_loop_has_tasks_and_time(run):
    assert run("tasks").output == b"[1, 2] in 2 s, and a timeout"


def test_logging_and_warnings_are_said(run):
    assert run("log").message == "WARNING:root:nearly 9\nmain.py:4: UserWarning: look out\n"


def test_the_words_of_an_exit_are_said(run):
    assert run("words").message == "no rows in the table\n"


def test_what_is_no_return_code_is_told(run):
    assert "return code 1099511627776 is not a whole number of 32 bits" in run("large_code").message


def test_the_library_is_there_for_imports_at_any_time(run):
    assert json.loads(run("library").output) == ["<a><b /></a>", "3.1", 1, "x"]


def test_an_error_of_syntax_shows_its_line(run):
    assert run("syntax").message.splitlines()[-4:] == [
        '  File "<string>", line 1', "    1 +", "       ^", "SyntaxError: invalid syntax",
    ]  # fmt: skip


def test_an_input_is_a_file_that_is_read_in_pieces(run):
    outcome = run("lines", b"a,b\n" * 200_000)
    assert outcome.output == b"200000 rows, the last 3 bytes ,b\n"
    assert outcome.host_calls["read_input"] < 10


def test_only_inputs_that_are_asked_for_are_read(run):
    assert run("second", bytes(1_000_000), b"2").host_calls["read_input"] == 2


def test_an_input_takes_its_size_in_memory_once(run):
    """Of 256 MiB, of which the interpreter has some."""
    content = bytes(150 * 2**20)
    assert run("length", content).output == str(len(content)).encode()
    del content
    told = run("length", bytes(240 * 2**20)).message.splitlines()[-1]
    assert told.startswith("MemoryError: input 1 has 251658240 bytes")
    assert "open_input(1)" in told


def test_the_same_source_on_the_same_core_is_the_same_program(tmp_path, everything):
    core = python_core.core_in(everything)
    built = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "tables").mkdir(parents=True)
        for file in ("tables/__init__.py", "tables/rows.py", "unused.py"):
            (folder / file).write_text(f"# {file}\n")
        source = folder / f"{name}.py"
        source.write_text("import tables\n\ndef main(inputs):\n    return b'x'\n")
        built.append(python.compile_python(source, core=core))
    assert built[0] == built[1]
    assert built[0].startswith(core)
    assert b"tables/rows.py" in built[0]
    assert b"unused.py" not in built[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import numpy\ndef main(inputs): pass", "no module named 'numpy'"),
        ("raise KeyError('k')\ndef main(inputs): pass", "KeyError: 'k'"),
        ("main = 3", "has no function `main`"),
        ("def main(inputs): return 1 +", "SyntaxError"),
    ],
)
def test_what_the_interpreter_does_not_load_is_told_at_the_build(tmp_path, text, said):
    file = tmp_path / "program.py"
    file.write_text(text)
    with pytest.raises(BuildError) as caught:
        python.compile_python(file)
    assert said in str(caught.value)
    assert "program.py" in str(caught.value)


def test_a_program_on_somebody_elses_core_is_checked_on_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("core.wasm").write_bytes(python_core.make_core() + b"\0\2\1x")
    new = "new --language python mine"
    for command in (new, "build --core core.wasm mine", "check-build mine"):
        done = CliRunner().invoke(main, command.split())
        assert done.exit_code == 0, done.output


def test_a_module_that_never_ends_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(python, "TRY_SECONDS", 1)
    file = tmp_path / "program.py"
    file.write_text("def main(inputs): pass\nwhile True: pass\n")
    with pytest.raises(BuildError, match="the limit is 1 s"):
        python.compile_python(file)


@pytest.mark.parametrize("nested", ["-" * 200_000 + "1", "+".join(["1"] * 100_000)])
def test_a_source_that_is_nested_too_deep_is_refused(tmp_path, nested):
    file = tmp_path / "program.py"
    file.write_text(f"def main(inputs): return {nested}\n")
    with pytest.raises(BuildError, match=r"program\.py"):
        python.compile_python(file)


def test_a_result_beyond_the_limit_ends_the_run(run):
    with pytest.raises(LimitError) as caught:
        run("echo", bytes(2_000_001))
    assert caught.value.code is LimitCode.OUTPUT_SIZE


def test_a_module_without_main_is_refused_at_once(tmp_path):
    file = tmp_path / "program.py"
    file.write_text("value = 3")
    with pytest.raises(BuildError, match="has no function `main`"):
        python.compile_python(file)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import veracruz", "libveracruz"),
        ("from veracruz import Failure", "libveracruz"),
        ("from veracruz_pinecone import Reader", "libveracruz.pinecone"),
    ],
)
def test_who_imports_the_library_by_its_old_name_is_told_the_new_one(tmp_path, line, name):
    file = tmp_path / "program.py"
    file.write_text(f"import json\n{line}\ndef main(inputs): pass\n")
    with pytest.raises(BuildError, match=f"line 2: .*import `{name}` instead"):
        python.compile_python(file)


def test_a_module_beside_the_program_that_imports_the_old_name_is_told_the_new_one(tmp_path):
    (tmp_path / "tables.py").write_text("import veracruz\n")
    file = tmp_path / "program.py"
    file.write_text("import tables\ndef main(inputs): pass\n")
    with pytest.raises(BuildError, match=r"tables.py, line 1: .*import `libveracruz` instead"):
        python.compile_python(file)


def test_an_authors_own_module_may_have_the_old_name(run):
    assert run("own").output == b"mine"


def test_a_source_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BuildError, match="no such file"):
        python.compile_python(tmp_path / "program.py")


@pytest.mark.parametrize(("version", "said"), [(None, "is missing"), ("0.1", "componentize-py is")])
def test_the_toolchain_is_named_with_the_remedy(monkeypatch, tmp_path, version, said):
    def found(name):
        if version is None:
            raise python_core.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(python_core, "version", found)
    (tmp_path / "program.py").write_text("def main(inputs): pass")
    with pytest.raises(BuildError, match=said) as caught:
        python.compile_python(tmp_path / "program.py")
    assert "veracruz-sdk[python]" in str(caught.value)
