"""Traces of real processes: from a command down to Tabasco, with nothing secret in them."""

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest

import durango.traces
import sinaloa.traces
import sonora.traces
import tabasco.traces
from colima import encode
from colima import sinaloa as bridge
from support.patience import PATIENCE_S
from support.processes import descendants, eventually
from support.runtime_guests import HELLO
from support.stack import DATA, PI, RESULT, Stack, new_party
from support.trace_collector import TraceCollector
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.grpc_traces import CALL_ANSWERED
from veracruz_shells.traces import FORMS

TABLES = {
    "durango": durango.traces.SPANS,
    "sinaloa": sinaloa.traces.SPANS,
    "sonora": sonora.traces.SPANS,
    "tabasco": tabasco.traces.SPANS,
}
NAME = "Planted-Person-41f7"
FILE = "planted-file-41f7"
CONTENT = b"planted content 41f7"
ATTEST = f"{bridge.SERVICE}/Attest"
VERIFY = "veracruz.tabasco.v1.Tabasco/VerifyToken"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SAMPLED = f"00-{0xA1:032x}-{0xB2:016x}-01"


@pytest.fixture
def collector():
    with TraceCollector() as collector:
        yield collector


@pytest.fixture
def stack_traced_to(tmp_path, monkeypatch):
    """Starts a stack whose services, and the commands after it, are traced to this URL."""
    stacks = []

    def start(url, **environment):
        monkeypatch.setenv(ENDPOINT, url)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stacks.append(Stack(tmp_path))
        return stacks[0]

    yield start
    for each in stacks:
        each.close()


def run(words):
    """A command as a process of its own, start-up and all."""
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def session_within(collector, number):
    """The bridge's span of a session that is a part of this one, once it has come."""
    found = [each for each in collector.named("sinaloa.session") if each.parent == number]
    return found[0] if found else None


def warnings_of(text):
    return [line for line in text.splitlines() if "takes no traces" in line]


def test_one_trace_leads_from_a_command_through_bridge_and_root_down_to_tabasco(
    stack_traced_to, collector
):
    stack = stack_traced_to(collector.url, TABASCO_SERVE_ENROLMENT_VALIDITY="3")
    begin = "veracruz.tabasco.v1.Tabasco/BeginEnrolment"
    whole = [
        ("tabasco", begin), ("sonora", begin), ("sonora", "sonora.enrol"),
        ("sonora", "sonora.mint-token"), ("sinaloa", "sinaloa.mint-token"), ("sinaloa", ATTEST),
        ("durango", ATTEST), ("durango", "durango.attest"), ("durango", "durango.command"),
    ]  # fmt: skip
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        command = computation.command("attest", client=0)[:-4]

        def all_the_way():
            run(command)  # until an enrolment is so old that the next token needs another one
            return any(collector.way_up(each) == whole for each in collector.named(begin))

        assert eventually(all_the_way)
        verified = [collector.way_up(each) for each in collector.named(VERIFY)]
        directly = [
            ("tabasco", VERIFY), ("durango", VERIFY), ("durango", "durango.attest"),
            ("durango", "durango.command"),
        ]  # fmt: skip
        assert directly in verified


@pytest.mark.parametrize("transport", ["grpc", "tcp"])
def test_what_a_principal_does_and_the_session_it_does_it_in_are_one_trace(
    stack_traced_to, collector, transport
):
    stack = stack_traced_to(collector.url)
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        policy = computation.policy.digest.value.hex()
        computation.kill_bridge()
        computation.start_bridge("127.0.0.1:0", "--bulk-listen", "127.0.0.1:0")
        program = computation.file(HELLO, "program.wasm")
        options = ["--transport", transport]
        output = computation.folder / "result"
        for command, more, name in (
            ("program send", [program], "durango.send-program"),
            ("result get", ["--output", output], "durango.get-result"),
            ("status", [], "durango.status"),
        ):
            words = computation.command(command, *more, *options, client=0)
            assert run(words).returncode == 0
            (done,) = collector.named(name)
            assert collector.way_up(done) == [("durango", name), ("durango", "durango.command")]
            (connected,) = [
                each for each in collector.named("durango.connect") if each.trace == done.trace
            ]
            assert connected.facts["veracruz.transport"] == transport

            session = partial(session_within, collector, connected.number)
            assert eventually(session)
            facts = session().facts
            assert facts["veracruz.policy"] == policy
            assert facts["veracruz.outcome"] == "ended"
            assert facts["veracruz.bytes_in"] > 0
            assert facts["veracruz.bytes_out"] > 0
        assert output.read_bytes() == b"hello"
        assert collector.named("durango.send-program")[0].facts == {
            "veracruz.bytes_out": len(HELLO), "veracruz.outcome": "answered"
        }  # fmt: skip
        assert collector.named("durango.get-result")[0].facts["veracruz.bytes_in"] == 5


def test_spans_say_what_the_tables_list_and_no_secret_no_name_and_no_text_of_an_error(
    stack_traced_to, collector
):
    stack = stack_traced_to(collector.url, TABASCO_SERVE_HTTP="127.0.0.1:0")
    parties = [new_party(f"{NAME}-{number}") for number in range(2)]
    with stack.computation(
        [PI, RESULT], [DATA], program=HELLO, parties=parties, data=[1]
    ) as computation:
        http = re.search(r"HTTP on (\S+)", stack.tabasco.last_words)[1]
        for path in (".well-known/tabasco", f"{NAME}?{FILE}", "readyz"):
            headers = {"traceparent": SAMPLED, "authorization": f"Bearer {FILE}"}
            httpx.get(f"{http}/{path}", headers=headers)
        program = computation.file(HELLO, "program.wasm")
        secret = computation.file(CONTENT, FILE)
        output = computation.folder / "result"
        failures = [
            run(computation.command("program send", secret, client=0)),  # another program
            run(computation.command("data send", secret, "--package", "7", client=1)),
            run(computation.command("result get", "--output", output, client=1)),  # no reader
            run(computation.command("program send", f"/{FILE}/{NAME}", client=0)),  # no file
        ]
        assert all(each.returncode != 0 for each in failures)
        assert any(FILE in each.stderr for each in failures)
        for command, more, client in (
            ("program send", [program], 0),
            ("data send", [secret], 1),
            ("result get", ["--output", output], 0),
            ("status", [], 1),
        ):
            done = run(computation.command(command, *more, client=client))
            assert done.returncode == 0, done.stderr
        computation.shut_down(0)
    stack.close()
    spans = collector.spans
    assert {each.service for each in spans} == set(TABLES)
    for each in spans:
        types = {one.name: one for one in TABLES[each.service]}
        listed = types.get(each.name, CALL_ANSWERED)
        if each.name not in types:
            assert re.fullmatch(r"veracruz\.(sinaloa|tabasco)\.v1\.\w+/[A-Z]\w+", each.name)
        assert not each.message.events
        assert not each.message.links
        assert not each.message.status.message
        assert each.resource.keys() == {"service.name", "service.version"}
        for name, value in each.facts.items():
            fact = name.removeprefix("veracruz.")
            assert fact in {*listed.facts, "outcome"}, each
            if fact in FORMS:
                assert FORMS[fact].fullmatch(value)
                assert value != "other", (each.name, name)
            else:
                assert isinstance(value, int)
    seen = {each.name for each in spans}
    assert seen >= {one.name for table in TABLES.values() for one in table} - {"durango.wait"}
    asked = {each.facts["veracruz.method"] for each in collector.named("tabasco.http-request")}
    assert asked == {"GET /.well-known/tabasco", "GET ?"}
    failed = [each for each in collector.named("durango.command") if each.failed]
    assert len(failed) == len(failures)
    told = collector.raw
    planted = [NAME.encode(), FILE.encode(), CONTENT, b"127.0.0.1", str(stack.folder).encode()]
    planted += [
        line.encode() for party in parties for line in party.key_pem().decode().split("\n")[1:3]
    ]
    for marker in planted:
        assert marker not in told, marker


def test_an_isolate_knows_nothing_of_traces(stack_traced_to, collector):
    stack = stack_traced_to(collector.url)
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        processes = descendants(stack.sonora.process_id)
        assert computation.front in processes
        for process in processes:
            assert b"OTEL" not in Path(f"/proc/{process}/environ").read_bytes(), process
        assert eventually(lambda: collector.named("sonora.launch"))
        assert {each.service for each in collector.spans} <= {"sinaloa", "sonora", "tabasco"}


def test_without_a_collector_named_nothing_is_loaded_and_nobody_is_called(tmp_path, collector):
    look = """
import os, sys
import durango.cli, sinaloa.cli, sonora.cli, tabasco.cli.serve
from veracruz_shells.trace_export import Tracing
from veracruz_shells.traces import is_tracing
for service in ("durango", "sinaloa", "sonora", "tabasco"):
    with Tracing(None, service=service):
        assert not is_tracing()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    named = {ENDPOINT: collector.url}
    for environment in (
        {},
        {**named, "OTEL_SDK_DISABLED": "true"},
        {**named, "OTEL_TRACES_EXPORTER": "none"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", look],
            capture_output=True, text=True, check=True, cwd=tmp_path,
            env={**os.environ, **environment},
        )  # fmt: skip
        assert done.stdout == "[]\n"
        assert done.stderr == ""
    assert not collector.spans


@pytest.mark.parametrize("fault", ["nobody-there", "never-answers"])
def test_without_the_collector_all_goes_on_with_one_warning_each(stack_traced_to, fault):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        if fault == "nobody-there":
            silent.close()
        stack = stack_traced_to(f"http://127.0.0.1:{port}")
        with stack.computation([PI, RESULT], program=HELLO) as computation:
            program = computation.file(HELLO, "program.wasm")
            sent = run(computation.command("program send", program, client=0))
            assert sent.returncode == 0
            assert len(warnings_of(sent.stderr)) == 1
            assert computation.result(0) == b"hello"
            services = [stack.tabasco, stack.sonora, computation.sinaloa]
            assert eventually(lambda: all(warnings_of(each.last_words) for each in services))
            stack.serve_somebody()
            assert computation.shut_down(0) == 0
        stack.close()
        for each in services:
            assert len(warnings_of(each.last_words)) == 1, each.last_words
            assert "Traceback" not in each.last_words


def test_a_collector_that_comes_back_gets_what_happens_then(stack_traced_to):
    with TraceCollector() as first:
        stack = stack_traced_to(first.url)
        assert eventually(lambda: first.named("sonora.enrol"))
    with stack.computation([PI, RESULT], program=HELLO):
        assert eventually(lambda: warnings_of(stack.sonora.last_words))
    with TraceCollector(first.port) as second:

        def told():
            stack.serve_somebody()
            return second.named("sonora.launch")

        assert eventually(told)
        assert eventually(lambda: "takes traces again" in stack.sonora.last_words)


def ask(address, parent):
    """Have the bridge attest, as a part of what this says."""
    with open_channel(str(address)) as channel:
        request = encode(bridge.AttestRequest(b"c" * 32))
        metadata = {"traceparent": parent}
        assert unary(
            channel, f"/{ATTEST}", request, timeout_s=PATIENCE_S, peer="it", metadata=metadata
        )


def test_what_a_stranger_says_of_a_trace_is_believed_if_it_is_well_formed_and_else_passed_over(
    stack_traced_to, collector
):
    stack = stack_traced_to(collector.url)
    wrong = [
        "", "x", "00-" + "0" * 32 + "-00000000000000b2-01", f"00-{0xA1:032x}-{0:016x}-01",
        f"ff-{0xA1:032x}-{0xB2:016x}-01", SAMPLED.upper(), SAMPLED + "-more",
        f"cc-{0xA1:032x}-{0xB2:016x}-01-" + "m" * 4000, " " * 60, "%s{0}\\" * 9,
    ]  # fmt: skip
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        for each in wrong:
            ask(computation.address, each)
        ask(computation.address, SAMPLED)

        def answered():
            return [each for each in collector.named(ATTEST) if each.service == "sinaloa"]

        assert eventually(lambda: len(answered()) == len(wrong) + 1)
        believed = [each for each in answered() if each.parent]
        assert [(each.trace, each.parent) for each in believed] == [
            (f"{0xA1:032x}", f"{0xB2:016x}")
        ]
        assert len({each.trace for each in answered()}) == len(answered())
        assert "Traceback" not in computation.sinaloa.last_words


def test_nobody_but_the_delegate_decides_how_much_is_kept(stack_traced_to, collector):
    stack = stack_traced_to(collector.url, OTEL_TRACES_SAMPLER="always_off")
    with stack.computation([PI, RESULT], program=HELLO) as computation:
        for number in range(20):
            ask(computation.address, f"00-{number + 1:032x}-{0xB2:016x}-01")
        assert computation.shut_down(0) == 0
    stack.close()
    assert collector.spans == []


def test_a_setting_names_the_collector_and_one_that_cannot_be_used_ends_the_service(tmp_path):
    folder = tmp_path / "state"
    serve = [sys.executable, "-P", "-m", "tabasco", "serve", "--state", str(folder)]
    serve += ["--listen", "127.0.0.1:0"]
    secret = "planted-password"
    done = run([*serve, "--traces", f"http://me:{secret}@localhost:4317"])
    assert done.returncode == 1
    assert "has a name or password in it" in done.stderr
    assert secret not in done.stderr
    done = run([*serve, "--traces", "ftp://localhost"])
    assert done.returncode == 1
    assert "is no URL for traces" in done.stderr
