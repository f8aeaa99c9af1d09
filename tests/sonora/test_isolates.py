"""The launcher and its zygote: what they start ends, and nothing of it stays behind."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from colima import frame, isolate
from sonora import isolates as isolates_module
from sonora import linux_launcher, zygote_link
from sonora.errors import LaunchError
from sonora.isolates import Isolate
from sonora.linux_launcher import LinuxLauncher
from support import runtime_guests as guests
from support.isolate_rig import RigMaker, new_party
from support.patience import PATIENCE_S
from support.processes import children, descendants, eventually, runs, state
from veracruz_utils.digest import Digest
from veracruz_utils.policy import LINUX_SOFTWARE, MAX_POLICY_BYTES, IsolationLayer, Role

READY = """
import sys
sys.path[:0] = sys.argv[1:]
from support.isolate_rig import RigMaker, new_party
from support.runtime_guests import HELLO
from veracruz_utils.policy import Role
maker = RigMaker()
policy = maker.policy([(new_party("p"), [Role.PI_PROVIDER, Role.RESULT_READER])], program=HELLO)
isolate = maker.launcher.launch(policy)
print(maker.launcher.zygote.process.pid, isolate.process_id, flush=True)
sys.stdin.read()
"""


def policy_of(maker) -> bytes:
    roles = [Role.PI_PROVIDER, Role.RESULT_READER]
    return maker.policy([(new_party("only"), roles)], program=guests.HELLO)


@pytest.fixture
def policy(isolates):
    return policy_of(isolates)


def family(launched) -> list[int]:
    """The processes of an isolate."""
    return [launched.process_id, *descendants(launched.process_id)]


def gone(processes) -> bool:
    """Whether none of these runs and none is a zombie of ours."""
    return eventually(lambda: not [each for each in processes if runs(each)])


def test_an_isolate_is_a_process_of_the_zygote_with_others_of_its_own(isolates, policy):
    launched = isolates.launcher.launch(policy)
    front, keeper, guest = family(launched)
    assert front in children(isolates.launcher.zygote.process.pid)
    assert isolates.launcher.platform == LINUX_SOFTWARE
    assert len(launched.certificate_digest) == 32
    assert not launched.ended.is_set()
    launched.close()
    assert launched.ended.wait(PATIENCE_S)
    assert gone([front, keeper, guest])
    assert eventually(lambda: state(front) is None)


def test_closing_an_isolate_twice_is_closing_it(isolates, policy):
    launched = isolates.launcher.launch(policy)
    assert launched.process_id > 0
    launched.close()
    launched.close()
    assert launched.ended.is_set()
    assert launched.process_id == 0


def test_the_end_of_an_isolate_is_told_with_how_it_ended(isolates, policy):
    launched = isolates.launcher.launch(policy)
    told = threading.Event()
    launched.on_end = told.set
    os.kill(launched.process_id, signal.SIGKILL)
    assert told.wait(PATIENCE_S)
    assert launched.exit_code == -signal.SIGKILL
    launched.close()


def test_an_isolate_that_does_not_end_by_itself_is_killed(isolates, policy, monkeypatch):
    monkeypatch.setattr(isolates_module, "_END_S", 0.1)
    launched = isolates.launcher.launch(policy)
    processes = family(launched)
    os.kill(launched.process_id, signal.SIGSTOP)
    launched.close()
    assert launched.ended.wait(PATIENCE_S)
    assert launched.exit_code == -signal.SIGKILL
    assert gone(processes)


def test_a_refused_policy_leaves_no_process_and_no_place_taken(isolates, policy, monkeypatch):
    monkeypatch.setattr(linux_launcher, "MAX_ISOLATES", 1)
    before = children(isolates.launcher.zygote.process.pid)
    for _ in range(3):
        with pytest.raises(LaunchError, match="policy"):
            isolates.launcher.launch(b"{}")
    assert eventually(lambda: children(isolates.launcher.zygote.process.pid) == before)
    isolates.launcher.launch(policy).close()


def test_a_policy_too_large_for_anyone_is_refused_before_it_is_sent(isolates, policy):
    with pytest.raises(LaunchError, match=f"at most {MAX_POLICY_BYTES} are read"):
        isolates.launcher.launch(bytes(3 * MAX_POLICY_BYTES))
    isolates.launcher.launch(policy).close()


def test_a_policy_of_the_largest_size_comes_through(isolates, policy):
    padded = policy.ljust(MAX_POLICY_BYTES)
    launched = isolates.launcher.launch(padded)
    assert launched.policy_digest == Digest.of(padded).value
    launched.close()


def test_too_many_isolates_are_refused_until_one_ends(isolates, policy, monkeypatch):
    monkeypatch.setattr(linux_launcher, "MAX_ISOLATES", 2)
    launched = [isolates.launcher.launch(policy) for _ in range(2)]
    with pytest.raises(LaunchError, match="2 isolates run already; end one of them first"):
        isolates.launcher.launch(policy)
    launched.pop().close()
    launched.append(isolates.launcher.launch(policy))
    for each in launched:
        each.close()


def test_launches_from_several_threads_do_not_get_in_each_others_way(isolates, policy):
    with ThreadPoolExecutor(6) as pool:
        launched = list(pool.map(lambda _: isolates.launcher.launch(policy), range(6)))
    assert len({each.certificate_digest for each in launched}) == 6
    processes = {each.process_id for each in launched}
    assert len(processes) == 6
    for each in launched:
        each.close()
    assert gone(processes)


def test_a_lost_zygote_is_the_end_of_its_isolates_and_is_told():
    maker = RigMaker()
    launcher = maker.launcher
    launched = [launcher.launch(policy_of(maker)) for _ in range(2)]
    processes = [process for each in launched for process in family(each)]
    lost = threading.Event()
    launcher.on_lost = lost.set
    os.kill(launcher.zygote.process.pid, signal.SIGKILL)
    assert lost.wait(PATIENCE_S)
    assert all(each.ended.wait(PATIENCE_S) for each in launched)
    assert gone(processes)
    assert state(launcher.zygote.process.pid) is None
    with pytest.raises(LaunchError, match="start Sonora again"):
        launcher.launch(policy_of(maker))
    late = threading.Event()
    launcher.on_lost = late.set
    assert late.is_set()
    for each in launched:
        each.close()
    launcher.close()


def test_closing_the_launcher_ends_everything_and_is_no_loss():
    maker = RigMaker()
    launcher = maker.launcher
    launched = launcher.launch(policy_of(maker))
    processes = [launcher.zygote.process.pid, *family(launched)]
    lost = threading.Event()
    launcher.on_lost = lost.set
    launcher.close()
    launcher.close()
    assert gone(processes)
    assert launched.ended.wait(PATIENCE_S)
    assert not lost.is_set()
    launched.close()


def test_a_killed_sonora_leaves_neither_zygote_nor_isolate():
    tests = Path(__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", READY, str(tests)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as sonora:
        zygote, front = map(int, sonora.stdout.readline().split())
        processes = [zygote, front, *descendants(front)]
        assert len(processes) == 4
        sonora.kill()
    assert gone(processes)


def test_an_isolate_gets_nothing_of_the_services_environment(isolates, policy):
    launched = isolates.launcher.launch(policy)
    try:
        try:
            environment = Path(f"/proc/{isolates.launcher.zygote.process.pid}/environ").read_bytes()
        except PermissionError:
            pytest.skip("the zygote is for the machine's root to look into")
        assert environment == b""
        folder = Path(f"/proc/{isolates.launcher.zygote.process.pid}/cwd").readlink()
        assert folder == Path("/")
    finally:
        launched.close()


def standard_error_of(process_id: int):
    """What a process of an isolate has for standard error, or a skipped test where one may not."""
    try:
        return Path(f"/proc/{process_id}/fd/2").open("wb", buffering=0)
    except PermissionError:
        pytest.skip("the descriptors of an isolate are for the machine's root to open")


def test_what_an_isolate_writes_comes_into_the_log_behind_its_number(isolates, policy, caplog):
    caplog.set_level("WARNING")
    launched = isolates.launcher.launch(policy)
    try:
        with standard_error_of(launched.process_id) as errors:
            errors.write(b"sonora: isolate 1 ended\n\x1b[2J\n")
        number = launched.isolate_id
        expected = [f"isolate {number}: sonora: isolate 1 ended", rf"isolate {number}: \x1b[2J"]
        assert eventually(lambda: [each.getMessage() for each in caplog.records] == expected)
    finally:
        launched.close()


def test_an_isolate_whose_standard_error_is_closed_for_a_flood_goes_on(isolates, policy, caplog):
    launched = isolates.launcher.launch(policy)
    try:
        with standard_error_of(launched.process_id) as errors, pytest.raises(BrokenPipeError):
            flood(errors)
        assert eventually(lambda: "no more is read" in caplog.text)
        assert not launched.ended.is_set()
        assert len(family(launched)) == 3
    finally:
        launched.close()
    assert launched.exit_code is not None
    assert len(caplog.records) < 50


def flood(file) -> None:
    for _ in range(1_000_000):
        file.write(b"flood\n" * 1000)


def test_an_isolate_that_gets_no_pipe_takes_no_place(isolates, policy, monkeypatch):
    def refuse(_name):
        raise OSError(24, "Too many open files")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patched:
        patched.setattr(linux_launcher.standard_error, "follow", refuse)
        with pytest.raises(LaunchError, match="no pipe for what the isolate says: Too many open"):
            isolates.launcher.launch(policy)
    assert isolates.launcher._isolates == {}
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    isolates.launcher.launch(policy).close()


def test_a_launch_whose_descriptors_do_not_come_fails_alone(isolates, policy, monkeypatch):
    def refused(channel, _descriptors):
        channel.sendall(b"\0")
        raise OSError(errno.ETOOMANYREFS, "Too many references")

    running = isolates.launcher.launch(policy)
    with monkeypatch.context() as patched:
        patched.setattr(zygote_link, "send_descriptors", refused)
        with pytest.raises(LaunchError, match="on their way between processes; try again"):
            isolates.launcher.launch(policy)
    isolates.launcher.launch(policy).close()
    assert not running.ended.is_set()
    running.close()


@pytest.fixture
def reporting():
    """An isolate as the launcher knows it, and the test at the end that the isolate has."""
    private, inside = socket.socketpair()
    control, other = socket.socketpair()
    with private, inside, control, other:
        yield Isolate(1, b"", b"", control, private), inside


def test_an_isolate_is_not_believed_a_layer_that_sonora_alone_brings(
    isolates, reporting, monkeypatch
):
    launched, inside = reporting
    monkeypatch.setattr(isolates.launcher, "layers", frozenset())
    ready = isolate.RuntimeReady(
        bytes(32), bytes(32), bytes(32), tuple(sorted(IsolationLayer)), bytes(32)
    )
    inside.sendall(frame(isolate.FROM_RUNTIME.encode(ready)))
    isolates.launcher._await_ready(launched, time.monotonic() + PATIENCE_S)
    sonoras = {IsolationLayer.IMAGE_ROOT, IsolationLayer.SEPARATE_USER}
    assert launched.layers == set(IsolationLayer) - sonoras


def test_an_isolate_is_not_believed_a_layer_that_the_host_does_not_give(isolates):
    given = {IsolationLayer.NO_NEW_PRIVILEGES}
    with closing(LinuxLauncher(isolates.image, given=given)) as launcher:
        launched = launcher.launch(policy_of(isolates))
        assert launched.layers == given | launcher.layers
        launched.close()


def test_an_isolate_has_one_deadline_for_all_of_its_report(isolates, reporting):
    launched, inside = reporting
    over = threading.Event()

    def trickle() -> None:
        inside.sendall((60_000).to_bytes(4, "little"))
        while not over.wait(0.02):
            inside.sendall(b"?")

    trickling = threading.Thread(target=trickle)
    trickling.start()
    try:
        with pytest.raises(LaunchError, match="was not ready within"):
            isolates.launcher._await_ready(launched, time.monotonic() + 0.2)
    finally:
        over.set()
        trickling.join()
