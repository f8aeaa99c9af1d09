"""Tables in the documentation say what the code does."""

import importlib.util
import itertools
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import tabasco.verify
from colima.runtime import ComputationState
from execution_engine import world
from execution_engine.abi import HOST_CALLS
from execution_engine.errors import LimitCode, RefusalCode, TrapCode
from execution_engine.strategy import OFF, ON
from execution_engine.wit import wit
from mexico_city.lifecycle import NEXT, LifecycleEvent
from psa_attestation.errors import ErrorCode, Stage
from sdk.adaptation.adapter import wasi_functions
from sonora.bridge_access import REFUSAL_WINDOW_S, REFUSALS
from sonora.enrolled_key import NEXT as ENROLMENT_NEXT
from sonora.enrolled_key import EnrolmentEvent, EnrolmentState
from sonora.evidence import SOURCES
from sonora.holders import MAX_BRIDGES
from sonora.isolates import MAX_ISOLATES
from sonora.local_attestation import ANSWER_S
from sonora.standard_error import ISOLATE
from sonora.token_limit import TOKEN_WINDOW_S, TOKENS_EACH
from support import receipts
from tabasco.cli import main
from tabasco.http import description
from tabasco.verify import Fault
from tabasco.verify.kinds import EvidenceKind
from veracruz_shells.log import LogFields
from veracruz_shells.traces import SpanFacts
from veracruz_utils.encoding.pinecone import encode_from_json, parse_type
from veracruz_utils.policy import IsolationLayer, Limits, Role

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = (DOCS / page).read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|") and not line.startswith("|---")
    ]


def tool(name: str):
    """One of the programs that write pages."""
    spec = importlib.util.spec_from_file_location(name, DOCS.parent / f"tools/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lifecycle_page_draws_the_lifecycle_table():
    states = {f"{state.value} `{state.name}`": state for state in ComputationState}
    events = {event.value: event for event in LifecycleEvent}
    drawn = {
        (states[before], events[event]): states[after]
        for before, event, after in rows("explanation/lifecycle.md")[1:]
    }
    assert drawn == NEXT


def test_the_page_of_commands_says_what_their_help_says():
    page = DOCS / "reference/commands.md"
    done = subprocess.run(
        [sys.executable, DOCS.parent / "tools/commands.py", "/dev/stdout"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == page.read_text(), "run: make commands"


def test_the_pages_of_settings_say_what_the_commands_take():
    pages = tool("configuration")
    for name in pages.SERVICES:
        written = (DOCS / f"reference/{name}-configuration.md").read_text()
        assert pages.page(name) == written, "run: make commands"
        assert f"({name}-configuration.md)" in (DOCS / "reference/README.md").read_text()


def test_the_page_of_the_log_lists_every_event_and_every_field():
    pages = tool("log_page")
    assert pages.page() == (DOCS / "reference/logs.md").read_text(), "run: make commands"
    assert pages.fields().keys() == LogFields.__annotations__.keys()


def test_the_page_of_metrics_lists_every_metric_and_every_alert():
    written = (DOCS / "reference/metrics.md").read_text()
    assert tool("metrics_page").page() == written, "run: make commands"


def test_the_page_of_traces_lists_every_span_and_every_attribute():
    pages = tool("traces_page")
    assert pages.page() == (DOCS / "reference/traces.md").read_text(), "run: make commands"
    assert pages.facts().keys() == SpanFacts.__annotations__.keys()


def test_the_page_of_the_library_says_what_its_docstrings_say():
    page = DOCS / "reference/python-api.md"
    assert tool("python_api").page() == page.read_text(), "run: make python-api"


def test_every_public_name_is_documented_with_its_parameters():
    api = tool("python_api")
    undocumented = []
    for name, documented in api.objects():
        parts = [documented, *api.members(documented)] if documented.is_class else [documented]
        for part in parts:
            told = part.docstring.value if part.docstring else ""
            names = [each.name for each in part.parameters] if part.is_function else []
            missing = [each for each in names if each not in {"self", "cls"} and each not in told]
            if not told or len(missing) > 1:  # of one alone the first sentence speaks
                undocumented.append((name, part.name, missing))
    assert undocumented == []


def test_the_abi_page_has_the_tables_that_the_engine_has():
    page = DOCS / "reference/guest-abi.md"
    assert tool("abi").filled(page.read_text()) == page.read_text()
    drawn = {cells[0].strip("`"): cells[1] for cells in rows("reference/guest-abi.md")}
    for call in HOST_CALLS:
        assert drawn[call.name] == ", ".join(call.params)


def test_the_page_on_kubernetes_has_the_fields_that_the_api_server_knows():
    page = DOCS / "reference/kubernetes.md"
    assert tool("kubernetes_reference").filled(page.read_text()) == page.read_text()
    taken = {
        cells[0].removesuffix(", optional").strip("`") for cells in rows("reference/kubernetes.md")
    }
    assert {"policy", "platform", "tabascoCA", "database", "replicas"} <= taken


def test_the_policy_page_lists_every_limit_with_its_default():
    units = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    drawn = {}
    for name, _, default in (cells for cells in rows("reference/policy.md") if len(cells) == 3):
        found = re.fullmatch(r"(\d+) ?(\w*)", default)
        drawn[name.strip("`")] = int(found[1]) * units[found[2]] if found else None
    for field in fields(Limits):
        assert drawn[field.name] == field.default, field.name


def test_the_policy_page_lists_every_layer_of_isolation_in_order():
    named = [cells[0].strip("`") for cells in rows("reference/policy.md") if len(cells) == 2]
    assert [name for name in named if name in set(IsolationLayer)] == list(IsolationLayer)


def test_the_policy_page_names_every_role():
    page = (DOCS / "reference/policy.md").read_text()
    assert all(f"`{role.value}`" in page for role in Role)


def test_the_engine_page_lists_every_code():
    codes = {cells[0].strip("`") for cells in rows("reference/engine.md")}
    for code in (*RefusalCode, *LimitCode, *TrapCode):
        assert code in codes, code


def test_the_engine_page_names_limits_that_policies_have():
    limits = {field.name for field in fields(Limits)}
    named = {
        cells[2].strip("`") for cells in rows("reference/engine.md") if len(cells) == 3 and cells[2]
    }
    assert named - {"Limit of the policy"} <= limits
    assert limits - named == {
        "total_input_bytes",
        "stack_bytes",
        "idle_seconds",
        "detached_seconds",
    }


def test_the_engine_page_lists_every_feature_that_is_switched():
    drawn = list(itertools.takewhile(lambda cells: len(cells) == 2, rows("reference/engine.md")))
    on, off = (
        {found[1] for cells in drawn if (found := re.match(r"`([a-z_0-9]+)`", cells[column]))}
        for column in (0, 1)
    )
    assert set(ON) <= on
    assert set(OFF) == off


def test_the_page_on_the_component_world_has_it_word_for_word():
    page = Path(DOCS, "reference/component-world.md").read_text()
    assert f"```wit\n{wit()}```" in page
    assert f"{world.PIECE_BYTES} bytes" in page


def test_the_evidence_page_lists_every_kind_and_every_reason():
    cells = [row[0].strip("`") for row in rows("reference/evidence.md")]
    kinds = cells[: cells.index("Concern")]
    assert [each for each in kinds if each in {*EvidenceKind}] == [*EvidenceKind]
    assert sorted(cells[cells.index("Reason") + 1 :]) == sorted(Fault)


def test_the_evidence_page_lists_every_concern():
    page = {row[0].strip("`") for row in rows("reference/evidence.md")}
    named = {re.split(r"[=…N]", each)[0] for each in page}
    name = re.compile(r'"((?:tdx|snp|cca|tpm|nvidia|nvidia-nras|psa|confidential-space)\.[a-z-]+)')
    sources = Path(tabasco.verify.__file__).parent.rglob("*.py")
    found = {each for file in sources for each in name.findall(file.read_text())}
    assert len(found) > 10
    assert found <= named


def test_the_page_of_attestation_errors_lists_every_stage_and_every_code():
    cells = rows("reference/attestation-errors.md")
    first = [row[0].strip("`") for row in cells]
    begin = first.index("Code")
    assert first[1:begin] == [*Stage]
    assert first[begin + 1 :] == [*ErrorCode]


def test_the_page_of_attestation_errors_names_the_stages_at_which_a_code_is_raised():
    named = {
        row[0].strip("`"): set(row[1].replace("`", "").split())
        for row in rows("reference/attestation-errors.md")
        if len(row) == 3
    }
    folder = DOCS.parent / "psa_attestation" / "src" / "psa_attestation"
    stage_of = {"cbor_error": Stage.ENCODING, "refused": Stage.CLAIMS}
    for file in folder.rglob("*.py"):
        for call, code in re.findall(
            r"\b(cbor_error|refused)\(\s*ErrorCode\.([A-Z_0-9]+)", file.read_text()
        ):
            assert stage_of[call] in named[ErrorCode[code]], (file.name, code)
        for code, stage in re.findall(
            r"AttestationError\(\s*ErrorCode\.([A-Z_0-9]+),\s*Stage\.([A-Z]+)", file.read_text()
        ):
            assert Stage[stage] in named[ErrorCode[code]], (file.name, code)


def test_the_page_of_sonora_draws_the_life_of_an_enrolment():
    states = {state.value: state for state in EnrolmentState}
    events = {event.value: event for event in EnrolmentEvent}
    drawn = {
        (states[row[0]], events[row[1]]): states[row[2]]
        for row in rows("reference/sonora.md")
        if row[0] in states
    }
    assert drawn == ENROLMENT_NEXT


def test_the_page_of_sonora_lists_the_sources_and_the_limits():
    cells = rows("reference/sonora.md")
    names = [row[0].strip("`") for row in cells]
    assert [name for name in names if name in SOURCES] == [*SOURCES]
    assert [
        ["isolates at a time", str(MAX_ISOLATES)],
        ["bridges of one isolate", str(MAX_BRIDGES)],
        ["tokens for one isolate", f"{MAX_BRIDGES * TOKENS_EACH} in {TOKEN_WINDOW_S:.0f} s"],
        ["connections of bridges", str((MAX_BRIDGES + 1) * MAX_ISOLATES)],
        [
            "refused connections that are logged",
            f"{REFUSALS} in {REFUSAL_WINDOW_S:.0f} s; the others are counted",
        ],
        ["an isolate's answer to Sonora's challenge", f"{ANSWER_S:.0f} s"],
        ["a line of an isolate in the log", f"{ISOLATE.line_bytes} bytes"],
        [
            "lines of an isolate in the log",
            f"{ISOLATE.lines} in {ISOLATE.window_s:.0f} s, {ISOLATE.total_lines} in all",
        ],
        [
            "bytes of an isolate that are read",
            f"{ISOLATE.total_bytes}, then its pipe is closed",
        ],
    ] == cells[[row[0] for row in cells].index("isolates at a time") :][:9]


def test_the_encoding_page_shows_what_is_encoded():
    drawn = [cells for cells in rows("reference/encoding.md") if len(cells) == 5][1:]
    assert len(drawn) > 10
    for expression, _, _, value, encoded in drawn:
        kind = parse_type(expression.strip("`"))
        assert encode_from_json(kind, value.strip("`").encode()).hex() == encoded.strip("`")


def test_the_tabasco_page_has_every_command_and_every_route():
    page = (DOCS / "reference/tabasco.md").read_text()
    for name in main.commands:
        assert f"tabasco {name}" in page or f"| {name}" in page, name
    for path in description()["paths"]:
        stem = path.removeprefix("/v1/").partition("/")[0]
        assert stem in page, path


def test_the_receipts_page_lists_every_field():
    drawn = [int(cells[0]) for cells in rows("reference/receipts.md") if cells[0].isdigit()]
    assert drawn == [*sorted(receipts.MEMBERS), 19]  # which that one has none of


def test_the_page_on_wasi_has_a_row_for_every_function_that_the_adapter_answers():
    named = [
        name for row in rows("reference/wasi.md") for name in re.findall("`([a-z_]+)`", row[0])
    ]
    functions = [name for name in named if name in wasi_functions()]
    assert sorted(functions) == list(wasi_functions())
