"""The manifests are what their source makes, and the chart is the base."""

import importlib.util
import json
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from sinaloa_operator.names import API_VERSION
from sinaloa_operator.pods import POD_SECURITY

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sinaloa_operator/manifests"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(
        "manifests", ROOT / "tools/kubernetes_manifests.py"
    )
    tool = importlib.util.module_from_spec(spec)
    sys.modules["manifests"] = tool
    spec.loader.exec_module(tool)
    return tool


def test_what_is_there_is_what_the_source_makes(tool):
    kept = {
        str(path.relative_to(FOLDER)): path.read_text()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    assert kept == tool.files(), "run: make manifests"


def test_the_chart_with_its_values_is_the_base():
    values = yaml.safe_load((FOLDER / "chart/values.yaml").read_text())
    jsonschema.validate(values, json.loads((FOLDER / "chart/values.schema.json").read_text()))
    templates = sorted((FOLDER / "chart/templates").iterdir())
    assert len(templates) >= 8
    for path in templates:
        text = path.read_text().replace("{{ .Release.Namespace }}", "veracruz")
        for name, value in values.items():
            text = text.replace(f"{{{{ .Values.{name} }}}}", str(value))
        assert "{{" not in text
        assert yaml.safe_load(text) == yaml.safe_load((FOLDER / "base" / path.name).read_text())


def test_the_base_lists_all_of_its_files():
    listed = yaml.safe_load((FOLDER / "base/kustomization.yaml").read_text())["resources"]
    there = {path.name for path in (FOLDER / "base").iterdir()} - {"kustomization.yaml"}
    assert set(listed) == there


def test_pods_name_the_profile_that_is_here(tool):
    name = POD_SECURITY["seccompProfile"]["localhostProfile"].partition("/")[2]
    profile = json.loads((FOLDER / "seccomp" / name).read_text())
    allowed = [name for each in profile["syscalls"] for name in each["names"]]
    assert len(allowed) == len(set(allowed))
    assert {"landlock_restrict_self", "seccomp", "unshare", "pivot_root"} <= set(allowed)
    assert not {"bpf", "ptrace", "init_module", "keyctl", "userfaultfd"} & set(allowed)


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_objects_on_pages_are_as_the_definitions_say(path):
    definitions = {
        each["spec"]["names"]["kind"]: each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for name in ("computations", "attestations")
        for each in [yaml.safe_load((FOLDER / f"base/{name}.yaml").read_text())]
    }
    for block in path.read_text().split("```yaml\n")[1:]:
        shown = yaml.safe_load(block.partition("```")[0])
        if isinstance(shown, dict) and shown.get("apiVersion") == API_VERSION:
            schema = definitions[shown["kind"]]["properties"]["spec"]
            jsonschema.validate(shown["spec"], {**schema, "additionalProperties": False})
