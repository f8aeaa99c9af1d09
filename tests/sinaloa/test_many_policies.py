"""`sinaloa serve` as a real process: many policies in a folder, a drain, before a fake Sonora."""

import json
import queue
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from click.testing import CliRunner

from colima.sinaloa import POLICY_KEY, SERVICE
from colima.sonora import IsolateEnding
from sinaloa.cli import main
from support.patience import PATIENCE_S
from support.processes import eventually
from support.served_policies import policy_text
from veracruz_shells.channels import open_channel
from veracruz_utils.digest import Digest


class Serving:
    """A `sinaloa serve` that is ready."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.said: list[str] = []
        self.read_to(": ready on ")
        self.facts = json.loads(process.stdout.readline())
        self.address = self.facts["address"]

    def read_to(self, words: str) -> str:
        """What it says next with these words in it."""
        while words not in (line := self.process.stderr.readline()):
            assert line, self.said
            self.said.append(line)
        self.said.append(line)
        return line

    def session(self, channel: grpc.Channel, policy: Digest | None, chunks):
        named = () if policy is None else ((POLICY_KEY, str(policy)),)
        open_session = channel.stream_stream(f"/{SERVICE}/Session")
        return open_session(chunks, timeout=PATIENCE_S, metadata=named)

    def finish(self) -> int:
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(sonora, *args: object):
    command = [sys.executable, "-m", "sinaloa", "serve", *map(str, args), "--json"]
    where = ["--sonora", str(sonora.path), "--listen", "127.0.0.1:0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, *where], **pipes)
    try:
        yield Serving(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder


def put(folder, name: str, port: int) -> Digest:
    text = policy_text(sinaloa=f"127.0.0.1:{port}")
    (folder / name).write_bytes(text)
    return Digest.of(text)


def listed(sinaloa: Serving, folder) -> dict[str, str]:
    asked = ["list", "--policies", str(folder), "--at", sinaloa.address, "--json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    return {row["file"]: row["state"] for row in json.loads(result.stdout)["policies"]}


def test_each_policy_of_a_folder_has_its_isolate_and_comes_and_goes(sonora, folder):
    one, two = put(folder, "one.json", 1), put(folder, "two.json", 2)
    (folder / "bad.json").write_bytes(b"{")
    with serving(sonora, "--policies", folder) as sinaloa, open_channel(sinaloa.address) as channel:
        assert sorted(sinaloa.facts["policies"]) == sorted([str(one), str(two)])
        assert any("not served: policy " in each and "bad.json" in each for each in sinaloa.said)
        assert sonora.policies == []
        assert list(sinaloa.session(channel, two, iter([b"x"]))) == [b"x"]
        assert sonora.policies == [(folder / "two.json").read_bytes()]
        states = {"bad.json": "unusable", "one.json": "waiting", "two.json": "running"}
        assert listed(sinaloa, folder) == states

        for named, code in (
            (None, grpc.StatusCode.FAILED_PRECONDITION),
            (Digest.of(b"another"), grpc.StatusCode.NOT_FOUND),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                list(sinaloa.session(channel, named, iter([b"x"])))
            assert caught.value.code() is code

        three = put(folder, "three.json", 3)
        sinaloa.process.send_signal(signal.SIGHUP)
        sinaloa.read_to(f"serves policy {three}")
        assert list(sinaloa.session(channel, three, iter([b"x"]))) == [b"x"]
        assert not sonora.released
        (folder / "two.json").unlink()
        sinaloa.read_to(f"serves policy {two} no more")
        assert sonora.released
        assert listed(sinaloa, folder)["three.json"] == "running"
        sinaloa.process.send_signal(signal.SIGTERM)
        assert sinaloa.finish() == 0


def test_an_isolate_that_failed_is_launched_anew_and_one_that_ended_by_its_policy_is_not(
    sonora, folder
):
    failing, ending = put(folder, "failing.json", 1), put(folder, "ending.json", 2)
    with serving(sonora, "--policies", folder) as sinaloa, open_channel(sinaloa.address) as channel:
        for policy, how in ((failing, IsolateEnding.FAILURE), (ending, IsolateEnding.QUORUM)):
            assert list(sinaloa.session(channel, policy, iter([b"x"]))) == [b"x"]
            sonora.end_isolate(how)
            sinaloa.read_to(f"policy {policy}: ")
        assert listed(sinaloa, folder) == {"failing.json": "ended", "ending.json": "ended"}

        def is_served_again() -> bool:
            """Whether it is; not within seconds of a launch."""
            try:
                return list(sinaloa.session(channel, failing, iter([b"y"]))) == [b"y"]
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - it may succeed
                return False

        assert eventually(is_served_again)
        assert len(sonora.policies) == 3
        with pytest.raises(grpc.RpcError) as caught:
            list(sinaloa.session(channel, ending, iter([b"y"])))
        assert "every result reader asked for shutdown" in caught.value.details()
        assert listed(sinaloa, folder) == {"failing.json": "running", "ending.json": "ended"}


def test_who_floods_a_policy_takes_nothing_from_others_that_come_and_go_meanwhile(sonora, folder):
    flooded, other = put(folder, "flooded.json", 1), put(folder, "other.json", 2)
    silence = threading.Event()

    def say_little():
        yield b"\x16"
        silence.wait(PATIENCE_S)

    with (
        serving(sonora, "--policies", folder) as sinaloa,
        open_channel(sinaloa.address) as channel,
        ExitStack() as ways,
    ):
        half_open = []
        for _ in range(3):  # a connection has so many sessions and no more
            way = ways.enter_context(open_channel(sinaloa.address))
            half_open += [sinaloa.session(way, flooded, say_little()) for _ in range(50)]
        for number in (3, 4):
            come = put(folder, "third.json", number)
            sinaloa.process.send_signal(signal.SIGHUP)
            sinaloa.read_to(f"serves policy {come}")
            for policy in (other, come):
                assert list(sinaloa.session(channel, policy, iter([b"x"]))) == [b"x"]
        # Strangers give way to each other and to who comes, and nobody else to them.
        assert list(sinaloa.session(channel, flooded, iter([b"x"]))) == [b"x"]
        (folder / "flooded.json").unlink()
        sinaloa.read_to(f"serves policy {flooded} no more")
        for each in half_open:
            with pytest.raises(grpc.RpcError) as caught:
                list(each)
            assert caught.value.code() in {
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.FAILED_PRECONDITION,
            }
        silence.set()
        assert list(sinaloa.session(channel, other, iter([b"x"]))) == [b"x"]


def test_isolates_are_launched_ahead_and_go_on_when_the_bridge_ends(sonora, folder):
    put(folder, "one.json", 1)
    with serving(sonora, "--policies", folder, "--ahead") as sinaloa:
        while listed(sinaloa, folder) != {"one.json": "running"}:
            pass
        sinaloa.process.send_signal(signal.SIGTERM)
        assert sinaloa.finish() == 0
    assert sonora.bridge_gone.wait(PATIENCE_S)
    assert not sonora.released


def test_who_waits_for_an_answer_is_not_cut_off_by_a_drain(sonora, tmp_path):
    """One session has its answer, and one waits for it; nobody new is let in."""
    answers = queue.SimpleQueue()

    def serve(channel) -> None:
        while data := channel.recv(100):
            channel.sendall(data if data == b"idle" else answers.get(timeout=PATIENCE_S))

    sonora.serve = serve
    policy = tmp_path / "policy.json"
    policy.write_bytes(policy_text())
    with (
        serving(sonora, policy, "--drain", "60") as sinaloa,
        open_channel(sinaloa.address) as channel,
    ):
        words = [queue.SimpleQueue(), queue.SimpleQueue()]
        idle, busy = (sinaloa.session(channel, None, iter(each.get, None)) for each in words)
        words[0].put(b"idle")
        assert next(idle) == b"idle"
        words[1].put(b"work")
        while len(sonora.isolates[0].sessions) < 2:
            pass
        sinaloa.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as caught:
            next(idle)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError) as caught:
            next(sinaloa.session(channel, None, iter([b"idle"])))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        answers.put(b"done")
        assert next(busy) == b"done"
        assert sinaloa.finish() == 0
        for each in words:
            each.put(None)
    assert sonora.bridge_gone.wait(PATIENCE_S)
    assert not sonora.released


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "give POLICY, or --policies"),
        (["policy.json", "--policies", "."], "give POLICY, or --policies"),
        (["--policies", "."], "needs --listen"),
    ],
)
def test_one_policy_or_a_folder_and_where_to_listen(args, told):
    result = CliRunner().invoke(main, ["serve", *args])
    assert result.exit_code == 2
    assert told in result.stderr
