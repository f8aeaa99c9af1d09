"""`durango data send` holds files against the policy's types, and `policy new` writes these."""

import io
import json
import shlex

import pytest
from click.testing import CliRunner

from colima.runtime import Upload
from durango.cli import main
from support.principal_rig import MEASUREMENT, PROGRAM, key_pem
from veracruz_utils.encoding.files import decode_file
from veracruz_utils.encoding.pinecone import encode, parse_type
from veracruz_utils.policy import LINUX_SOFTWARE

PEOPLE = "Vec<{name: String, age: u8}>"
ENCODED = encode(parse_type(PEOPLE), [{"name": "clare", "age": 39}])


class Desk:
    """Bob's folder, with a policy that says what his input is."""

    def __init__(self, rig, folder):
        self.rig = rig
        self.folder = folder
        inputs = [{"name": "people", "type": PEOPLE, "bytes": 1000}, {}]
        self.policy = folder / "policy.json"
        self.policy.write_bytes(rig.launch(rig.policy(terms={"inputs": inputs})).raw)
        (folder / "program.wasm").write_bytes(PROGRAM)
        (folder / "tabasco.pem").write_bytes(key_pem(rig.attester.tabasco_key))
        for name in ("alice", "bob", "carol"):
            (folder / f"{name}.cert.pem").write_bytes(getattr(rig, name).certificate_pem())
            key = folder / f"{name}.key.pem"
            key.write_bytes(getattr(rig, name).key_pem())
            key.chmod(0o600)
        self.run("program", "send", "policy.json", "program.wasm", *self.who("alice"))

    def who(self, name):
        return ["--certificate", f"{name}.cert.pem", "--key", f"{name}.key.pem"]

    def run(self, *args, status=0, stdin=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            result = CliRunner().invoke(main, list(map(str, args)), input=stdin)
        assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
        return result

    def send(self, name, data, *options, status=0):
        (self.folder / name).write_bytes(data)
        return self.run("data", "send", "policy.json", name, *self.who("bob"), *options,
                        status=status).stderr  # fmt: skip

    @property
    def uploads(self):
        return [each for each in self.rig.isolate.seen if isinstance(each, Upload)][1:]


@pytest.fixture
def desk(rig, tmp_path):
    return Desk(rig, tmp_path)


def test_raw_csv_is_refused_with_the_command_that_encodes_it_and_that_works(desk):
    told = desk.send("people.csv", b"name,age\nclare,39\n", status=3)
    assert "people.csv is CSV, and input 0 (people) takes the encoding of Vec<{name" in told
    assert desk.uploads == []
    command = shlex.split(told.splitlines()[-1])
    assert command[1:3] == ["data", "send"]
    assert {"--encode", "--header", "policy.json", "people.csv", "bob.cert.pem"} <= set(command)
    desk.run(*command[1:])
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


def test_raw_text_from_a_pipe_is_refused_with_the_options_that_encode_it(desk):
    sent = ("data", "send", "policy.json", "-", *desk.who("bob"))
    told = desk.run(*sent, status=3, stdin=b"name,age\nclare,39\n").stderr
    assert told.endswith("encode it first, in one step by --encode --header\n")
    desk.run(*sent, "--encode", "--header", stdin=b"name,age\nclare,39\n")
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


def test_json_is_encoded_in_one_step(desk):
    desk.send("people.json", b'[{"name": "clare", "age": 39}]', "--encode")
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        (
            "people.csv",
            "Nr;Alter;Name\n1;39; clare \n".encode("utf-16"),
            "--columns Name,Alter --delimiter ; --encoding utf-16 --trim",
        ),
        ("people.jsonl", b'{"name": "clare", "age": 39}\n', ""),
        ("people.tsv", b"age\tname\n39\tclare\n", "--header"),
    ],
)
def test_own_data_have_the_options_that_encode_has(desk, name, data, options):
    desk.send(name, data, "--encode", *options.split())
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


def test_columns_of_parquet_are_sent_as_the_policy_says(desk):
    out = io.BytesIO()
    decode_file(parse_type(PEOPLE), ENCODED, out, "parquet")
    desk.send("people.parquet", out.getvalue(), "--encode")
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


def test_all_that_is_wrong_in_rows_is_told_and_nothing_sent(desk):
    told = desk.send("people.csv", b"clare,x\nbob\n", "--encode", status=3)
    assert "2 errors:\n  people.csv:1:2 (age): 'x' is not a whole number (u8)\n" in told
    assert "  people.csv:2: 1 columns, {name: String, age: u8} has 2\nread as CSV, for" in told
    assert desk.uploads == []


def test_encoded_data_are_sent_as_they_are(desk):
    desk.send("people.dat", ENCODED)
    assert [upload.size for upload in desk.uploads] == [len(ENCODED)]


def test_a_wrong_file_is_refused_before_anybody_is_asked(desk):
    desk.rig.isolate.seen.clear()
    assert "byte 8, " in desk.send("people.dat", ENCODED + b"\0", status=3)
    assert "has 2000 bytes, the policy allows 1000 for input 0 (people)" in desk.send(
        "large.dat", bytes(2000), status=3
    )
    told = desk.send("people.csv", b"clare,39\nbob,many\n", "--encode", status=3)
    assert "people.csv:2:2 (age): 'many' is not a whole number" in told
    assert desk.rig.isolate.seen == []


def test_a_header_is_for_what_is_encoded(desk):
    assert "--header is for --encode" in desk.send("people.csv", b"a,1\n", "--header", status=2)


def _new(desk, *options, status=0):
    return desk.run(
        "policy", "new", "--identity", "alice.cert.pem", "PiProvider",
        "--identity", "bob.cert.pem", "DataProvider,ResultReader", "--program", "program.wasm",
        "--platform", f"{LINUX_SOFTWARE}={MEASUREMENT.hex()}", "--sinaloa", desk.rig.sinaloa,
        "--tabasco", desk.rig.tabasco, "--tabasco-key", "tabasco.pem", "--output", "new.json",
        "--force", *options, status=status,
    )  # fmt: skip


TERMS = (
    "--input", "0.name=people", "--input", f"0.type={PEOPLE}", "--input", "0.bytes=1KiB",
    "--result", "type=Vec<i64>", "--result", "contributors=1", "--privacy", "mechanism=laplace",
    "--privacy", "epsilon=0.5", "--privacy", "total_epsilon=2", "--privacy", "sensitivity=1",
)  # fmt: skip


def test_a_policy_says_what_inputs_and_the_result_are(desk):
    _new(desk, *TERMS)
    written = json.loads((desk.folder / "new.json").read_bytes())
    assert written["inputs"] == [{"name": "people", "type": PEOPLE, "bytes": 1024}]
    assert written["result"]["contributors"] == 1
    shown = desk.run("policy", "show", "new.json").stdout
    assert f"input 0    client 1: people, {PEOPLE}, at most 1 KiB" in shown
    assert "result     Vec<i64>, released if 1 principals or more gave an input" in shown
    assert "laplace noise, sensitivity 1; a release costs epsilon 0.5 of 2: 4 in all" in shown
    facts = json.loads(desk.run("policy", "show", "new.json", "--json").stdout)
    assert facts["inputs"] == [{"name": "people", "type": PEOPLE, "bytes": 1024}]
    assert facts["result"]["privacy"]["releases"] == 4
    checked = desk.run("policy", "check", "new.json").stdout
    assert "its result has a Vec" in checked
    assert "pays for" not in checked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--input", "type=u8"), "is not INDEX.FIELD=VALUE"),
        (("--input", "1.type=u8"), "the order has 1 places"),
        (("--input", "0.typ=u8"), "a field given once of name, type, bytes"),
        (("--input", "0.type=u8", "--input", "0.type=u8"), "a field given once"),
        (("--input", "0.bytes=many"), "is not a number such as 1024 or 64MiB"),
        (("--stream", "0.type=u8"), "the order has 0 places"),
        (("--result", "contributors=-1"), "is not a number"),
        (("--privacy", "eps=1"), "mechanism, epsilon"),
    ],
)
def test_terms_that_are_mistyped_are_refused(desk, options, message):
    assert message in _new(desk, *options, status=2).stderr


def test_a_type_that_is_none_is_refused(desk):
    told = _new(desk, "--input", "0.type=Vec<u9>", status=3).stderr
    assert "$.inputs[0].type: unknown type 'u9'" in told
