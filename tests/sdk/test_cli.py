import json
import re
import tomllib

import pytest
from click.testing import CliRunner

from sdk import projects
from sdk.cli import main
from sdk.examples import EXAMPLES, build, programs
from sdk.examples.people import generate_people, people_csv
from veracruz_utils.digest import Digest

PEOPLE = [
    {"name": "clare", "employee_id": "3", "age": 39, "grade": 54},
    {"name": "Zoë, B.", "employee_id": "", "age": 0, "grade": 255},
]


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(main, list(map(str, arguments)), input=stdin)

    return invoke


def test_json_goes_to_bytes_and_back(sdk, tmp_path):
    tmp_path.joinpath("people.json").write_text(json.dumps(PEOPLE))
    assert sdk("encode", "--type", "people", "people.json", "people.dat").exit_code == 0
    assert tmp_path.joinpath("people.dat").read_bytes().hex().startswith("0205636c61726501332736")
    assert tmp_path.joinpath("people.dat").stat().st_mode & 0o777 == 0o600
    assert json.loads(sdk("decode", "--type", "people", "people.dat").stdout) == PEOPLE


def test_csv_goes_to_bytes_and_back(sdk, tmp_path):
    text = 'name,employee_id,age,grade\nclare,3,39,54\n"Zoë, B.",,0,255\n'
    tmp_path.joinpath("people.csv").write_text(text)
    assert sdk("encode", "--type", "people", "--header", "people.csv", "a").exit_code == 0
    assert sdk("decode", "--type", "people", "--header", "a").stdout == text
    assert json.loads(sdk("decode", "--type", "people", "a").stdout) == PEOPLE
    without = sdk("decode", "--type", "people", "--to", "csv", "a").stdout
    assert without == text.partition("\n")[2]


def test_the_form_of_the_input_follows_from_its_name(sdk, tmp_path):
    tmp_path.joinpath("points.csv").write_text("1,2\n3,6\n")
    assert sdk("encode", "--type", "points", "points.csv", "points.dat").exit_code == 0
    done = sdk("decode", "--type", "Vec<(f64, f64)>", "points.dat")
    assert json.loads(done.stdout) == [[1, 2], [3, 6]]


def test_standard_input_and_output_are_files_too(sdk):
    done = sdk("encode", "--type", "Vec<u16>", "-", "-", stdin="[1, 258]")
    assert done.stdout_bytes == bytes.fromhex("0201000201")
    done = sdk("decode", "--type", "Vec<u16>", "-", stdin=done.stdout_bytes)
    assert done.stdout == "[1, 258]\n"


def test_a_value_that_does_not_fit_fails_with_its_place(sdk, tmp_path):
    done = sdk("encode", "--type", "Vec<u8>", "-", "out", stdin="[1, 300]")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == ("veracruz-sdk: standard input: [1]: expected 0 to 255 (u8), got 300\n")
    assert not tmp_path.joinpath("out").exists()


def test_all_that_is_wrong_in_rows_is_told_and_nothing_written(sdk, tmp_path):
    tmp_path.joinpath("points.csv").write_text("1;x\n1,5;2,5\n1;2;3\n")
    done = sdk("encode", "--type", "points", "--decimal-comma", "points.csv", "out")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "veracruz-sdk: 2 errors:",
        "  points.csv:1:2: 'x' is not a number (f64)",
        "  points.csv:3: 3 columns, (f64, f64) has 2",
        "nothing was written",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]


@pytest.mark.parametrize("name", ["people.jsonl", "people.parquet", "people.arrow", "people.tsv"])
def test_files_are_what_their_names_say(sdk, tmp_path, name):
    tmp_path.joinpath("people.json").write_text(json.dumps(PEOPLE))
    header = ["--header"] if name.endswith(".tsv") else []
    for arguments in (
        ["encode", "--type", "people", "people.json", "a.dat"],
        ["decode", "--type", "people", *header, "a.dat", name],
        ["encode", "--type", "people", *header, name, "b.dat"],
    ):
        done = sdk(*arguments)
        assert done.exit_code == 0, done.stderr
    assert tmp_path.joinpath("a.dat").read_bytes() == tmp_path.joinpath("b.dat").read_bytes()
    if header:
        assert "clare\t3\t39\t54\n" in tmp_path.joinpath(name).read_text()


def test_columns_of_parquet_come_by_a_pipe_too(sdk):
    points = sdk("encode", "--type", "points", "-", "-", stdin="[[1, 2]]").stdout_bytes
    parquet = sdk("decode", "--type", "points", "--to", "parquet", stdin=points).stdout_bytes
    assert parquet.startswith(b"PAR1")
    again = sdk("encode", "--type", "points", "--from", "parquet", stdin=parquet)
    assert again.stdout_bytes == points


@pytest.mark.parametrize("name", ["people.xlsx", "people.csv", "people.ods"])
@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_spreadsheet_is_told_to_be_saved_as_csv(sdk, tmp_path, name, head):
    tmp_path.joinpath(name).write_bytes(head + bytes(60))
    done = sdk("encode", "--type", "people", tmp_path / name, tmp_path / "out")
    assert done.exit_code == 1
    assert f"{name}: it is a spreadsheet, or an archive: save it as CSV" in done.stderr
    assert not tmp_path.joinpath("out").exists()


def test_an_sql_table_is_made_of_csv_and_is_csv_again(sdk, tmp_path):
    text = 'id,city\n1,"Oaxaca, de Juárez"\n'
    tmp_path.joinpath("residents.csv").write_text(text)
    made = ["encode", "--type", "sql-table", "--query", "SELECT 1", "residents.csv", "a.dat"]
    assert sdk(*made).exit_code == 0
    value = json.loads(sdk("decode", "--type", "sql-table", "a.dat").stdout)
    assert (value["name"], value["queries"]) == ("residents", ["SELECT 1"])
    assert sdk("decode", "--type", "sql-table", "--to", "csv", "a.dat").stdout == text


def test_bytes_that_do_not_decode_fail(sdk):
    done = sdk("decode", "--type", "people", "-", stdin=b"\xff\xff\xff\xff\x0f")
    assert done.exit_code == 1
    assert "4294967295 elements of at least 4 bytes are announced, 0 bytes are left" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "--type", "peeple", "a", "b"],
        ["encode", "--type", "Vec<", "a", "b"],
        ["encode", "a", "b"],
        ["encode", "--type", "points", "--from", "json", "--header", "a", "b"],
        ["encode", "--type", "points", "--from", "jsonl", "--decimal-comma", "a", "b"],
        ["encode", "--type", "points", "--delimiter", ";;", "a.csv", "b"],
        ["encode", "--type", "points", "--encoding", "klingon", "a.csv", "b"],
        ["encode", "--type", "points", "--columns", "", "a.csv", "b"],
        ["decode", "--type", "points", "--to", "json", "--header", "a"],
        ["generate", "people", "a"],
        ["copy-example", "absent"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(sdk, arguments):
    assert sdk(*arguments).exit_code == 2


def test_a_file_is_not_overwritten_unless_told_to(sdk, tmp_path):
    tmp_path.joinpath("out").write_bytes(b"precious")
    done = sdk("encode", "--type", "u8", "-", "out", stdin="1")
    assert done.exit_code == 1
    assert tmp_path.joinpath("out").read_bytes() == b"precious"
    assert sdk("encode", "--type", "u8", "--force", "-", "out", stdin="1").exit_code == 0
    assert tmp_path.joinpath("out").read_bytes() == b"\x01"


def test_people_are_generated_from_seed_1_by_default(sdk, tmp_path):
    assert sdk("generate", "people", "a.csv", "b.csv").exit_code == 0
    written = [tmp_path.joinpath(name).read_text() for name in ("a.csv", "b.csv")]
    both = generate_people(seed=1, size=4000, overlap=1200)
    assert written == [people_csv(people) for people in both]


def test_people_that_cannot_be_are_refused(sdk):
    done = sdk("generate", "people", "--size", 5, "--overlap", 6, "a.csv", "b.csv")
    assert done.exit_code == 1
    assert "overlap 6 and size 5" in done.stderr


def test_the_named_types_are_listed(sdk):
    assert re.search(r"^people +HashSet<{name: String", sdk("types").stdout, re.MULTILINE)
    for line in sdk("types").stdout.splitlines():
        assert re.match(r"[a-z0-9-]+  +[^ ]|  +[^ ]", line)
    assert json.loads(sdk("types", "--json").stdout)["points"] == "Vec<(f64, f64)>"


def test_the_examples_are_listed_with_the_digests_that_policies_name(sdk):
    digests = {name: str(Digest.of(programs.load(name))) for name in programs.NAMES}
    assert json.loads(sdk("list-examples", "--json").stdout) == digests
    assert sdk("list-examples").stdout.split() == [
        word for name, digest in digests.items() for word in (digest, name)
    ]


def test_an_example_is_copied(sdk, tmp_path):
    tmp_path.joinpath("folder").mkdir()
    done = sdk("copy-example", "linear-regression", "folder")
    assert done.stdout == "folder/linear-regression.wasm\n"
    copied = tmp_path.joinpath("folder", "linear-regression.wasm").read_bytes()
    assert copied == programs.load("linear-regression")


@pytest.mark.timeout(600)
def test_the_source_of_an_example_is_a_project_that_builds_its_module(sdk, tmp_path):
    assert sdk("copy-example", "--source", "forest-inference").stdout == "forest-inference\n"
    assert sdk("build", "forest-inference").exit_code == 0
    built = tmp_path.joinpath("forest-inference", "forest-inference.wasm").read_bytes()
    assert built == programs.load("forest-inference")
    assert sdk("test", "forest-inference").exit_code == 0
    again = sdk("copy-example", "--source", "forest-inference")
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "language", "file"),
    [("nop", "rust", "main.rs"), ("principal-components", "rust", "libveracruz/Cargo.toml"),
     ("statistics-of-two-tables", "python", "main.py")],
)  # fmt: skip
def test_sources_of_every_kind_are_projects(sdk, tmp_path, name, language, file):
    assert sdk("copy-example", "--source", name).exit_code == 0
    assert projects.open_project(tmp_path / name).language == language
    assert tmp_path.joinpath(name, file).is_file()
    manifest = tmp_path / name / "Cargo.toml"
    assert not manifest.is_file() or ".." not in manifest.read_text()


WITH_CASES = [
    name
    for name in programs.NAMES
    if EXAMPLES[name].check is None and build.language_of(name) != "c-libc"
]


@pytest.mark.parametrize("name", WITH_CASES)
def test_the_case_of_an_examples_project_is_what_its_module_does(sdk, tmp_path, name):
    assert sdk("copy-example", "--source", name).exit_code == 0
    assert sdk("copy-example", name, name).exit_code == 0
    done = sdk("test", name)
    assert done.exit_code == 0, done.stdout


def test_what_cannot_be_copied_is_told_with_the_remedy(sdk):
    not_shipped = sdk("copy-example", "statistics-of-two-tables").stderr
    assert "copy its source with --source" in not_shipped
    with_others = sdk("copy-example", "--source", "sql-query").stderr
    assert "its build fetches further sources" in with_others


@pytest.mark.timeout(600)
def test_the_examples_are_built_and_checked(sdk, tmp_path):
    assert sdk("build-examples", "--check", "--language", "c").exit_code == 0
    assert sdk("build-examples", "--language", "c", "--folder", ".").exit_code == 0
    module = tmp_path / "forest-inference.wasm"
    assert module.read_bytes() == programs.load("forest-inference")
    module.write_bytes(b"another")
    done = sdk("build-examples", "--check", "--language", "c", "--folder", ".")
    assert done.exit_code == 1
    assert "forest-inference: by the same compiler" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["encode", "--help"]])
def test_help_and_version_are_there(sdk, arguments):
    done = sdk(*arguments)
    assert done.exit_code == 0
    assert "veracruz-sdk" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_data_of_every_example_are_written_the_same_from_the_same_seed(sdk, tmp_path, name):
    example = EXAMPLES[name]
    for folder in ("a", "b"):
        done = sdk("generate", name, "--seed", 7, "--size", 40, "--output", folder)
        assert done.exit_code == 0, done.stderr
    case = example.generate(7, 40)
    first, second = (
        {file.name: file.read_bytes() for file in tmp_path.joinpath(folder).iterdir()}
        for folder in ("a", "b")
    )
    assert first == second
    for described, data in zip(example.inputs, case.inputs, strict=True):
        assert first[f"{described.label}.dat"] == data
    assert sum(name.endswith(".dat") for name in first) == len(case.inputs) + sum(
        map(len, case.rounds)
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_csv_twin_encodes_to_the_same_bytes(sdk, tmp_path, name):
    assert sdk("generate", name, "--size", 40, "--output", ".").exit_code == 0
    for described in EXAMPLES[name].inputs:
        twin = tmp_path / f"{described.label}.csv"
        if twin.exists():
            header = ["--header"] if "{" in described.expression else []
            again = sdk("encode", "--type", described.expression, *header, twin.name, "again.dat",
                        "--force")  # fmt: skip
            assert again.exit_code == 0, again.stderr
            original = twin.with_suffix(".dat").read_bytes()
            assert tmp_path.joinpath("again.dat").read_bytes() == original


def test_a_folder_that_cannot_be_made_is_told(sdk, tmp_path):
    tmp_path.joinpath("taken").write_text("")
    done = sdk("generate", "nop", "--output", "taken/deep")
    assert (done.exit_code, "cannot make the folder taken/deep" in done.stderr) == (1, True)


def test_data_that_are_there_are_not_overwritten(sdk):
    assert sdk("generate", "linear-regression", "--size", 2).exit_code == 0
    assert sdk("generate", "linear-regression", "--size", 2).exit_code == 1


def test_the_examples_are_explained(sdk):
    assert json.loads(sdk("examples", "--json").stdout).keys() == EXAMPLES.keys()
    about = json.loads(sdk("examples", "linear-regression", "--json").stdout)
    assert about["inputs"] == [
        {"label": "points", "type": "Vec<(f64, f64)>", "party": "data provider"}
    ]
    assert about["codes"]["-4"] == "the input does not decode"
    assert (
        "result    {gradient: f64, intercept: f64}" in sdk("examples", "linear-regression").stdout
    )


def test_a_template_of_a_policy_is_a_source_with_parties_types_and_orders(sdk):
    said = tomllib.loads(sdk("policy-template", "number-stream-accumulation").stdout)
    assert said["program"]["from"] == "program provider"
    assert said["principals"]["result reader"] == {"certificate": "result-reader.cert.pem"}
    assert [each["from"] for each in said["streams"]] == [
        "first stream provider",
        "second stream provider",
    ]
    assert said["inputs"][0]["type"] == "f64"
    assert said["result"]["readers"] == ["result reader"]
    assert "inputs" not in tomllib.loads(sdk("policy-template", "nop").stdout)
