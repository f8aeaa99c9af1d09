"""The `sinaloa` command as real processes, before a fake Sonora."""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import pytest
from click.testing import CliRunner, Result

from colima import decode, encode, frame
from colima.isolate import sessions_of_isolate
from colima.sinaloa import SERVICE, AttestRequest, AttestResponse
from colima.sonora import FROM_SONORA, Failed, IsolateEnding
from sinaloa import IsolateLink, cli, serving
from sinaloa.cli import main
from support.patience import PATIENCE_S
from support.processes import no_more_files
from support.served_policies import policy_text
from support.sinaloa_fakes import CERTIFICATE_DIGEST, MEASUREMENT, PLATFORM, launched_with, refuse
from veracruz_shells.channels import is_serving, open_channel, unary
from veracruz_utils.digest import Digest
from veracruz_utils.errors import UnreachableError
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy

SINALOA = [sys.executable, "-m", "sinaloa"]


@dataclass
class Running:
    """A `sinaloa serve` that is ready."""

    process: subprocess.Popen
    address: str
    facts: dict
    said: str

    def finish(self) -> tuple[int, str]:
        """Wait for its end; the exit status and what it said after it was ready."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert out == ""
        return self.process.returncode, err

    def open(self) -> grpc.Channel:
        """A channel to it."""
        return open_channel(self.address, max_message_bytes=2 << 20)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(policy_text())
    return path


@pytest.fixture
def start(policy, sonora):
    """Start `sinaloa serve` with these arguments, on a free port, and wait until it is ready."""

    @contextmanager
    def starting(*args: str, listen: str | None = "127.0.0.1:0"):
        process = subprocess.Popen(
            [
                *SINALOA,
                "serve",
                str(policy),
                "--sonora",
                str(sonora.path),
                "--json",
                *(["--listen", listen] if listen else []),
                *args,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = ""
            while ": ready on " not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
            facts = json.loads(process.stdout.readline())
            yield Running(process, facts["address"], facts, said)
        finally:
            process.kill()
            process.communicate()

    return starting


def run(*args: object, **environment: str) -> Result:
    """Run the command in this process, for when it ends before it serves."""
    return CliRunner().invoke(main, [str(arg) for arg in args], env=environment)


def session(channel: grpc.Channel, chunks) -> list[bytes]:
    return list(channel.stream_stream(f"/{SERVICE}/Session")(iter(chunks), timeout=PATIENCE_S))


def test_a_bridge_waits_for_its_isolate_as_long_as_it_is_told(policy, sonora):
    sonora.launch = lambda connection, policy: None
    words = ["serve", str(policy), "--sonora", str(sonora.path), "--launch-timeout", "1"]
    done = subprocess.run([*SINALOA, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "launched no isolate within 1 s" in done.stderr
    assert "sinaloa serve --launch-timeout" in done.stderr


def test_it_says_when_it_is_ready_and_what_it_serves(start, policy):
    digest = str(Digest.of(policy.read_bytes()))
    with start() as sinaloa:
        assert sinaloa.said == (
            f"sinaloa: ready on {sinaloa.address}: policy {digest}, isolate 1 on {PLATFORM}\n"
        )
        assert sinaloa.facts == {
            "ready": True,
            "address": sinaloa.address,
            "bulk_address": None,
            "policy_digest": digest,
            "platform": PLATFORM,
            "measurement": MEASUREMENT.hex(),
            "certificate_digest": CERTIFICATE_DIGEST.hex(),
            "isolate_id": 1,
            "found_again": False,
        }
        with sinaloa.open() as channel:
            assert is_serving(channel)
            assert is_serving(channel, service=SERVICE)


def test_it_carries_bytes_and_tokens(start, policy, sonora):
    with start() as sinaloa, sinaloa.open() as channel:
        assert session(channel, [b"hello"]) == [b"hello"]
        request = encode(AttestRequest(b"c" * 32))
        answer = unary(channel, f"/{SERVICE}/Attest", request, timeout_s=PATIENCE_S, peer="sinaloa")
        assert decode(AttestResponse, answer).token == b"t" + b"c" * 32
        assert sonora.policies == [policy.read_bytes()]


def test_it_listens_where_the_policy_says(start, policy):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    policy.write_bytes(policy_text(sinaloa=address))
    with start(listen=None) as sinaloa:
        assert sinaloa.address == address


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_the_isolate_cleanly(start, sonora, number):
    with start() as sinaloa, sinaloa.open() as channel:
        call = channel.stream_stream(f"/{SERVICE}/Session")(iter([b"x"]), timeout=PATIENCE_S)
        assert next(call) == b"x"
        sinaloa.process.send_signal(number)
        status, said = sinaloa.finish()
        assert status == 0
        assert "Traceback" not in said
        assert sonora.bridge_gone.wait(PATIENCE_S)


def test_open_sessions_do_not_hold_up_the_end(start, sonora):
    with start() as sinaloa, sinaloa.open() as channel:
        release = grpc_pause()
        call = channel.stream_stream(f"/{SERVICE}/Session")(release, timeout=PATIENCE_S)
        assert next(call) == b"x"
        sinaloa.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError):
            list(call)
        assert sinaloa.finish()[0] == 0


def grpc_pause():
    """A principal that stays connected and says no more."""
    import threading  # noqa: PLC0415 - beside its one use

    yield b"x"
    threading.Event().wait(PATIENCE_S)


def test_the_quorum_ends_it_with_status_0(start, sonora):
    with start() as sinaloa:
        sonora.end_isolate(IsolateEnding.QUORUM)
        status, said = sinaloa.finish()
    assert status == 0
    assert said.endswith("sinaloa: done: every result reader asked for shutdown\n")


def test_a_failing_isolate_ends_it_with_status_1(start, sonora):
    with start() as sinaloa:
        sonora.end_isolate(IsolateEnding.FAILURE)
        status, said = sinaloa.finish()
    assert status == 1
    error = json.loads(said.splitlines()[-1])["error"]  # for it was started with --json
    assert error["message"] == (
        "the isolate ended unexpectedly: its memory and everything in it is gone; start again"
    )
    assert error["status"] == 1


def test_a_vanishing_sonora_ends_it_with_status_1(start, sonora):
    with start() as sinaloa:
        sonora.drop_bridges()
        status, said = sinaloa.finish()
    assert status == 1
    assert "sonora went away" in said


def test_the_number_of_sessions_can_be_set(start, sonora):
    sonora.lets_in = True
    with start("--max-sessions", "32") as sinaloa, sinaloa.open() as channel:
        open_session = channel.stream_stream(f"/{SERVICE}/Session")
        calls = [open_session(grpc_pause(), timeout=PATIENCE_S) for _ in range(32)]
        for call in calls:
            assert next(call) == b"x"
        for _ in range(2):  # what the isolate said before the second answer has been heard
            attest = channel.unary_unary(f"/{SERVICE}/Attest")
            attest(encode(AttestRequest(bytes(32))), timeout=PATIENCE_S)
        with pytest.raises(grpc.RpcError) as caught:
            session(channel, [b"y"])
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "32 sessions are open" in caught.value.details()
        for call in calls:
            call.cancel()


def test_so_few_places_that_one_principal_could_take_all_are_refused(policy, sonora):
    result = run("serve", policy, "--sonora", sonora.path, "--max-sessions", "31")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "sinaloa: --max-sessions is 31, expected at least 32 for 1 principals, of "
        "whom each may have 16: one could keep the others out\n"
    )
    assert sonora.policies == []


def test_no_more_sessions_are_taken_than_the_isolate_holds(policy):
    agreed = Policy.parse(policy.read_bytes(), at=datetime.now(UTC))
    assert cli._places(agreed, 100) == 100
    assert cli._places(agreed, 2560) < sessions_of_isolate(1)


@pytest.mark.parametrize(("files", "warns"), [(328, False), (327, True)])
def test_too_few_open_files_for_the_places_are_warned_of(monkeypatch, capsys, files, warns):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    serving._warn_of_files(100)
    said = capsys.readouterr().err
    warning = "327 open files are enough for 99 sessions, and there are places for 100"
    assert (warning in said) is warns


def test_a_bridge_without_a_file_left_refuses_that_session_and_goes_on(sonora):
    async def open_two(isolate: IsolateLink) -> None:
        with no_more_files(), pytest.raises(UnreachableError, match="no room for a session"):
            await isolate.open_session()
        (await isolate.open_session()).close()

    with IsolateLink.launch(sonora.path, policy_text()) as isolate:
        asyncio.run(open_two(isolate))


def test_a_runtime_the_policy_does_not_accept_is_warned_of(start, policy):
    policy.write_bytes(policy_text(measurement=b"\x66" * 32))
    with start() as sinaloa:
        warning, _ = sinaloa.said.splitlines()
        assert warning == (
            f"sinaloa: warning: runtime {MEASUREMENT.hex()} on {PLATFORM} is not among those the "
            "policy accepts; principals will refuse it"
        )


def test_no_sonora_is_status_4_with_the_remedy(policy, tmp_path):
    result = subprocess.run(
        [*SINALOA, "serve", str(policy), "--sonora", str(tmp_path / "none.sock")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr == (
        f"sinaloa: sonora at {tmp_path}/none.sock cannot be reached (no such file or directory): "
        "start it with 'sonora serve', or name its socket with --sonora\n"
    )


def test_it_says_that_it_found_its_isolate_again(start, sonora):
    sonora.found_again = True
    with start() as sinaloa:
        assert sinaloa.said.endswith(f", isolate 1 on {PLATFORM}, found again\n")
        assert sinaloa.facts["found_again"] is True


def test_a_refused_launch_is_status_1(policy, sonora):
    sonora.launch = refuse
    result = run("serve", policy, "--sonora", sonora.path, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "launches no isolate: '16 isolates run already; end one of them first'" in result.stderr


def test_an_isolate_with_another_policy_is_not_served(policy, sonora):
    def launch_another(connection: socket.socket, raw: bytes):
        control, theirs = socket.socketpair()
        with control, theirs:
            connection.sendall(frame(FROM_SONORA.encode(launched_with(raw + b"\n"))))
            socket.send_fds(connection, [b"\0"], [theirs.fileno()])
            while connection.recv(64):
                pass  # until the bridge gives up
        return Failed("too late")

    sonora.launch = launch_another
    result = run("serve", policy, "--sonora", sonora.path, "--listen", "127.0.0.1:0")
    assert result.exit_code == 1
    assert "sonora launched policy" in result.stderr


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"{", 3, "policy.json: is not JSON"),
        (policy_text().replace(b"JIT", b"AOT"), 3, "$.execution_strategy"),
        (policy_text().replace(b'"expires_at": "20', b'"expires_at": "19'), 3, "later end"),
        (bytes(MAX_POLICY_BYTES + 1), 1, "more than 1048576 bytes"),
        (None, 1, "no such file"),
    ],
)
def test_a_policy_of_no_use_is_refused_before_anything_is_launched(
    policy, sonora, content, status, reason
):
    if content is None:
        policy.unlink()
    else:
        policy.write_bytes(content)
    result = run("serve", policy, "--sonora", sonora.path)
    assert (result.exit_code, result.stdout) == (status, "")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert sonora.policies == []


def test_an_address_in_use_is_told_and_the_isolate_ends(policy, sonora):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("serve", policy, "--sonora", sonora.path, "--listen", address)
    assert result.exit_code == 1
    assert f"cannot listen on {address}: address already in use" in result.stderr
    assert sonora.bridge_gone.wait(PATIENCE_S)


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("serve",),
        ("serve", "policy.json", "--max-sessions", "0"),
        ("serve", "policy.json", "--max-sessions", "3000"),
        ("serve", "policy.json", "--listen", "somewhere"),
        ("serve", "policy.json", "--nonsense"),
    ],
)
def test_wrong_usage_is_status_2(args):
    assert run(*args).exit_code == 2


def test_help_version_and_completion():
    assert "--sonora" in run("serve", "--help").stdout
    assert run("--version").stdout == "sinaloa 0.1.0\n"
    script = subprocess.run(
        SINALOA,
        env=os.environ | {"_SINALOA_COMPLETE": "bash_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_sinaloa_completion" in script.stdout


def test_the_bridge_process_does_not_hold_the_runtime():
    source = """
import sys
import sinaloa.cli
runtime = {"mexico_city", "execution_engine", "baja", "wasmtime", "OpenSSL"}
print(sorted(runtime & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
