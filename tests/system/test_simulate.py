"""`veracruz simulate`: a whole group on made-up data, and who notices adversaries."""

import json
import os
import re
from pathlib import Path

import pytest

from sdk.examples import programs
from support.runtime_guests import FAILING
from support.stack import DATA, PI, RESULT, new_party, run
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Role

PEOPLE = "HashSet<{name: String, employee_id: String, age: u8, grade: u8}>"
NOTICED = {
    "tampering-bridge": {
        ("the isolate", "the integrity of TLS records", "alert: bad record mac"),
        ("party-0", "the integrity of TLS records", "a record that fails its integrity check"),
    },
    "stranger": {("the isolate", "the client's certificate", "it is not in the policy")},
    "other-program": {
        ("party-0's own client", "the program's digest", "the policy's program is"),
        ("the isolate", "the program's digest", "program refused, wrong program"),
    },
    "stale-attestation": {
        ("the attestation service", "the token", "the token answers another challenge"),
    },
    "other-runtime": {
        ("party-0's own client", "measurement", "have the delegate run the agreed runtime"),
    },
    "other-policy": {("party-0's own client", "policy", "SHA-256 of my policy file")},
}


@pytest.fixture
def policy_file(stack, tmp_path):
    """A function that writes a policy whose services are nowhere and whose keys nobody has."""

    def write(*roles: list[Role], program: bytes, **terms) -> Path:
        members = [(new_party(), each) for each in roles]
        raw = stack.policy(members, program=program, measurement=bytes(32), **terms)
        said = json.loads(raw)
        for number, each in enumerate(said["identities"]):
            each["name"] = f"party-{number}"
        path = tmp_path / "agreed.json"
        path.write_text(json.dumps(said))
        return path

    return write


def test_every_adversary_is_noticed_and_the_group_has_its_result(policy_file, stack, tmp_path):
    path = policy_file(
        [PI], [DATA], [DATA], [RESULT],
        program=programs.load("private-set-intersection"),
        data=(1, 2),
        terms={
            "consent": "all",
            "inputs": [{"type": PEOPLE}, {"type": PEOPLE}],
            "result": {"type": PEOPLE},
        },
    )  # fmt: skip
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    words = ("simulate", path, "--mock", "--adversary", "all", "--json")
    done = run("veracruz", *words, environment={**os.environ, "TMPDIR": str(scratch)}).done()
    found = done.json

    assert {each["adversary"] for each in found["adversaries"]} == set(NOTICED)
    for each in found["adversaries"]:
        assert each["held"], each
        assert each["changed"] is None
        expected = NOTICED[each["adversary"]]
        told = {(by["by"], by["check"]): by["words"] for by in each["noticed"]}
        assert told.keys() == {(who, check) for who, check, _ in expected}
        assert all(words in told[who, check] for who, check, words in expected), each

    (other,) = (each for each in found["adversaries"] if each["adversary"] == "other-runtime")
    measured = re.findall("[0-9a-f]{64}", other["noticed"][0]["words"])
    assert measured[1] == stack.measurement.hex()
    assert measured[0] != measured[1]

    assert found["holds"]
    assert found["failure"] is None
    assert [(each["from"], each["place"]) for each in found["sent"]] == [
        ("party-0", "program"),
        ("party-1", "input 0"),
        ("party-2", "input 1"),
    ]
    (result,) = found["results"]
    assert (result["reader"], result["round"], result["receipt"]) == ("party-3", 1, 1)
    assert result["rows"] == 30
    assert result["preview"][0] == "name,employee_id,age,grade"

    assert found["policy_digest"] == str(Digest.of(path.read_bytes()))
    assert found["simulated_policy_digest"] != found["policy_digest"]
    assert "certificates of all 4 principals: throw-away ones" in found["replaced"]
    assert "party-1 consented to the stand-in" in done.err
    assert list(scratch.iterdir()) == []


def test_a_computation_that_fails_is_told_and_is_the_exit_status(policy_file, tmp_path):
    path = policy_file(
        [PI, DATA, RESULT],
        program=FAILING,
        data=(0, 0),
        terms={"inputs": [{"type": "Vec<u32>"}, {"name": "scan"}]},
    )
    for name, content in (("own.wasm", FAILING), ("scan.bin", b"pixels")):
        (tmp_path / name).write_bytes(content)
    done = run(
        "veracruz", "simulate", path, "--mock",
        "--program", tmp_path / "own.wasm", "--input", f"scan={tmp_path / 'scan.bin'}",
    )  # fmt: skip
    assert done.status == 1
    assert "party-0 sent input 0: 401 bytes, made up of its type" in done.out
    assert "party-0 sent input 1 (scan): 6 bytes, of " in done.out
    assert "did not come to its end: the program returned error code -4" in done.out
    assert "prove nothing about the other" in done.out
