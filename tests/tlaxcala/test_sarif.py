"""The log has the shape that the SARIF 2.1.0 standard requires, section by section."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from execution_engine.limits import EngineLimits
from support.guests import calling, module
from tlaxcala import RULES
from tlaxcala.sarif import sarif
from tlaxcala.verdict import judge

GOOD = calling(("write_output", 0, 0))
BAD = module("", imports='(import "env" "abort" (func))')
LEVELS = {"none", "note", "warning", "error"}
ROLES = {"analysisTarget"}


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The log on a good file, a bad one and one that is not there, as it is read again."""
    (tmp_path / "good.wasm").write_bytes(GOOD)
    (tmp_path / "bad one.wasm").write_bytes(BAD)
    monkeypatch.chdir(tmp_path)
    paths = (Path("good.wasm"), Path("bad one.wasm"), tmp_path / "absent:é.wasm")
    verdicts = [judge(path, limits=EngineLimits(), program=None) for path in paths]
    return json.loads(json.dumps(sarif(verdicts)))


def test_a_log_has_a_version_a_schema_and_one_run(log):
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    [run] = log["runs"]
    assert set(run) == {"tool", "invocations", "artifacts", "results"}


# What the schema of the standard requires of each kind of object, and what else of it we use: it
# allows no names but its own.
SHAPES = {
    "log": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool"}, {"invocations", "artifacts", "results"}),
    "driver": ({"name"}, {"version", "semanticVersion", "rules"}),
    "rule": ({"id"}, {"shortDescription", "fullDescription", "help", "defaultConfiguration"}),
    "invocation": ({"executionSuccessful"}, {"exitCode"}),
    "artifact": (set(), {"location", "roles", "mimeType", "length", "hashes", "properties"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations"}),
    "location": (set(), {"physicalLocation"}),
    "place": ({"artifactLocation"}, set()),
    "file": (set(), {"uri", "index"}),
}


def parts(log):
    """Every object of the log, with its kind."""
    yield "log", log
    for run in log["runs"]:
        yield "run", run
        yield "driver", run["tool"]["driver"]
        yield from (("rule", one) for one in run["tool"]["driver"]["rules"])
        yield from (("invocation", one) for one in run["invocations"])
        yield from (("artifact", one) for one in run["artifacts"])
        yield from (("file", one["location"]) for one in run["artifacts"])
        for result in run["results"]:
            yield "result", result
            for location in result["locations"]:
                yield "location", location
                yield "place", location["physicalLocation"]
                yield "file", location["physicalLocation"]["artifactLocation"]


def test_every_object_has_what_the_standard_requires_and_nothing_it_does_not_know(log):
    kinds = set()
    for kind, part in parts(log):
        required, optional = SHAPES[kind]
        assert required <= set(part) <= required | optional, kind
        kinds.add(kind)
    assert kinds == set(SHAPES)


def test_the_driver_describes_every_rule(log):
    driver = log["runs"][0]["tool"]["driver"]
    assert driver["name"] == "tlaxcala"
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        for text in ("shortDescription", "fullDescription", "help"):
            assert isinstance(rule[text]["text"], str)
        assert rule["defaultConfiguration"]["level"] in LEVELS


def test_each_finding_is_a_result_that_points_at_its_rule_and_its_file(log):
    [run] = log["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["TLX010", "TLX040", "TLX001"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"].startswith(RULES[result["ruleId"]].title)
        [location] = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][artifact["index"]]["location"]["uri"] == artifact["uri"]


def test_each_file_is_an_artifact_with_its_digest_and_profile(log):
    good, bad, absent = log["runs"][0]["artifacts"]
    assert good["length"] == len(GOOD)
    assert re.fullmatch(r"[0-9a-f]{64}", good["hashes"]["sha-256"])
    assert good["properties"]["profile"]["calls"]["host_calls"] == ["write_output"]
    assert bad["hashes"] != good["hashes"]
    assert set(absent) == {"location", "roles", "mimeType"}
    assert all(set(one["roles"]) <= ROLES for one in (good, bad, absent))


def test_places_are_uris(log, tmp_path):
    good, bad, absent = (one["location"]["uri"] for one in log["runs"][0]["artifacts"])
    assert (good, bad) == ("good.wasm", "bad%20one.wasm")
    assert unquote(urlsplit(absent).path) == str(tmp_path / "absent:é.wasm")
    assert urlsplit(absent).scheme == "file"
    assert absent.isascii()


def test_the_run_succeeded_whatever_it_found(log):
    [invocation] = log["runs"][0]["invocations"]
    assert invocation == {"executionSuccessful": True, "exitCode": 1}


def test_a_file_that_is_named_twice_is_one_artifact(log):
    verdicts = [judge(Path("bad one.wasm"), limits=EngineLimits(), program=None)] * 2
    [run] = sarif(verdicts)["runs"]
    assert len(run["artifacts"]) == 1
    assert len(run["results"]) == 2  # of two rules


def test_a_log_on_certified_files_has_no_results():
    [run] = sarif([])["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["exitCode"] == 0
