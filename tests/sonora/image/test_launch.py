"""What is started is what the manifest names: the least change is refused, a later one too late."""

import os
import random
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sonora.errors import LaunchError, SonoraError
from sonora.image.source import RuntimeImage
from sonora.linux_launcher import LinuxLauncher
from support import runtime_guests as guests
from support.images import CHANGES, remade, replace
from support.isolate_rig import RigMaker, new_party
from support.processes import children, eventually
from veracruz_image import ImageFile
from veracruz_utils.policy import IsolationLayer, Role


def paths_of(image, kinds) -> list[str]:
    return [path for path, entry in image.manifest.entries.items() if isinstance(entry, kinds)]


def refused(image, words: str) -> None:
    with pytest.raises(SonoraError, match=words):
        LinuxLauncher(image).close()


def launches(maker) -> bool:
    roles = [Role.PI_PROVIDER, Role.RESULT_READER]
    with maker.computation([roles], program=guests.HELLO) as rig, rig.session(0) as caller:
        caller.program(guests.HELLO)
        return caller.result()[1] == b"hello"


@pytest.mark.parametrize("time", range(3))
@pytest.mark.parametrize("change", CHANGES)
def test_one_change_at_any_place_is_refused_by_name(copied, change, time):
    kinds, make = CHANGES[change]
    path = random.choice(paths_of(copied, kinds))
    make(copied.root / path)
    refused(copied, re.escape(path))


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(copied):
    path = paths_of(copied, ImageFile)[0]
    (copied.root / path).unlink()
    os.mkfifo(copied.root / path)
    refused(copied, f"{path} is a queue")


def test_a_changed_copy_of_openssl_is_another_measurement_and_refused_under_the_old_one(copied):
    """What was not measured once: a module that another one replaces in `sys.modules`."""
    (path,) = copied.root.glob("usr/lib*/python3*/site-packages/OpenSSL/crypto.py")
    replace(path, path.read_bytes() + b"# another\n")
    refused(copied, "OpenSSL/crypto.py: changed")
    assert remade(copied.folder).measurement != copied.measurement


def test_what_happens_to_the_folder_later_happens_to_no_isolate(copied):
    maker = RigMaker(copied)
    try:
        assert launches(maker)
        for path in copied.root.rglob("*.py*"):
            path.unlink()
        shutil.rmtree(copied.root / "usr/lib")
        assert launches(maker)
    finally:
        maker.close()


def test_an_image_that_cannot_load_the_runtime_is_reported(copied, caplog):
    for path in copied.root.rglob("sonora/zygote.py"):
        path.unlink()
    for path in copied.root.rglob("zygote.*.pyc"):
        path.unlink()
    refused(remade(copied.folder), r"did not start \(exit status 1\); what it said is above")
    assert "zygote: ModuleNotFoundError" in caplog.text


LOADING = b"""import os, time
os.write(2, b"loading\\n")
time.sleep(600)
"""


def with_zygote(copied, source: bytes) -> RuntimeImage:
    """The image with another module for its zygote."""
    for path in copied.root.rglob("sonora/zygote.py"):
        replace(path, source)
    for path in copied.root.rglob("zygote.*.pyc"):
        path.unlink()
    return remade(copied.folder)


@contextmanager
def signalled_while_it_loads(number: signal.Signals, caplog):
    """Sends the next zygote of this process a signal, once it has said that it loads."""
    before = set(children(os.getpid()))

    def send() -> None:
        assert eventually(lambda: "zygote: loading" in caplog.text)
        assert eventually(lambda: len(set(children(os.getpid())) - before) == 1)  # no starter
        (zygote,) = set(children(os.getpid())) - before
        os.kill(zygote, number)

    with ThreadPoolExecutor() as pool:
        sent = pool.submit(send)
        yield
        sent.result()


def test_a_zygote_that_takes_too_long_says_so_and_which_setting_gives_it_longer(copied):
    with pytest.raises(SonoraError, match=r"not start within 2 s.*--zygote-start SECONDS"):
        LinuxLauncher(with_zygote(copied, LOADING), start_s=2).close()


def test_a_zygote_that_is_killed_while_it_loads_is_told_by_the_signal(copied, caplog):
    image = with_zygote(copied, LOADING)
    with signalled_while_it_loads(signal.SIGKILL, caplog):
        refused(image, r"did not start \(killed by SIGKILL\); what it said is above")


def test_a_zygote_that_is_stopped_while_it_loads_is_given_up_in_time_and_killed(copied, caplog):
    before = children(os.getpid())
    image = with_zygote(copied, LOADING)
    with (
        signalled_while_it_loads(signal.SIGSTOP, caplog),
        pytest.raises(SonoraError, match="not start within 5 s"),
    ):
        LinuxLauncher(image, start_s=5).close()
    assert children(os.getpid()) == before


def with_isolates_that(copied, does: bytes) -> RuntimeImage:
    """The image with isolates that do something else than to run."""
    (path,) = copied.root.rglob("sonora/zygote.py")
    source = path.read_bytes()
    assert source.count(b"status = run()") == 1
    return with_zygote(copied, source.replace(b"status = run()", does))


ROLES = [Role.PI_PROVIDER, Role.RESULT_READER]
LAUNCH = b'os.write(2, b"here\\n"); signal.pause()'


def launch_signalled(maker, number: signal.Signals, caplog) -> str:
    """Why an isolate was not launched that got this signal before it was ready."""

    def send() -> None:
        assert eventually(lambda: re.search(r"isolate \d+: here", caplog.text))
        (front,) = children(maker.launcher.zygote.process.pid)
        os.kill(front, number)

    policy = maker.policy([(new_party("p"), ROLES)], program=guests.HELLO)
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(send)
        with pytest.raises(LaunchError) as raised:
            maker.launcher.launch(policy)
        sent.result()
    zygote = maker.launcher.zygote.process.pid
    assert eventually(lambda: not children(zygote))
    return str(raised.value)


def test_an_isolate_that_is_killed_before_it_is_ready_is_told_by_the_signal(copied, caplog):
    maker = RigMaker(with_isolates_that(copied, LAUNCH))
    try:
        told = launch_signalled(maker, signal.SIGKILL, caplog)
        assert "ended before it was ready (killed by SIGKILL); what it said is in Sonora" in told
    finally:
        maker.close()


def test_an_isolate_that_is_stopped_is_given_up_in_time_and_names_the_setting(copied, caplog):
    maker = RigMaker(with_isolates_that(copied, LAUNCH), isolate_start_s=3)
    try:
        told = launch_signalled(maker, signal.SIGSTOP, caplog)
        assert "the isolate was not ready within 3 s" in told
        assert "sonora serve --isolate-start SECONDS" in told
    finally:
        maker.close()


def test_an_isolate_that_fails_at_its_start_tells_its_status_and_what_failed(copied, caplog):
    maker = RigMaker(with_isolates_that(copied, b"raise MemoryError"))
    policy = maker.policy([(new_party("p"), ROLES)], program=guests.HELLO)
    try:
        with pytest.raises(LaunchError, match=r"before it was ready \(exit status \d+\)"):
            maker.launcher.launch(policy)
        assert eventually(lambda: re.search(r"isolate \d+: .*MemoryError", caplog.text))
    finally:
        maker.close()


def test_a_zygote_that_is_stopped_forks_nothing_and_the_launch_ends_in_time(copied):
    maker = RigMaker(copied, isolate_start_s=1)
    policy = maker.policy([(new_party("p"), ROLES)], program=guests.HELLO)
    zygote = maker.launcher.zygote.process.pid
    try:
        os.kill(zygote, signal.SIGSTOP)
        with pytest.raises(LaunchError, match=r"forked no isolate within 1 s.*--isolate-start"):
            maker.launcher.launch(policy)
        os.kill(zygote, signal.SIGCONT)
        assert eventually(lambda: not children(zygote))  # what came late was ended
    finally:
        maker.close()


def test_an_image_without_an_interpreter_is_named(copied):
    for path in copied.root.glob("usr/bin/*"):
        path.unlink()
    refused(remade(copied.folder), "the image has not one interpreter")


def test_the_zygote_sees_the_image_read_only_and_nothing_else(isolates):
    if IsolationLayer.IMAGE_ROOT not in isolates.launcher.layers:
        pytest.skip("the kernel gives no namespaces here")
    process = Path(f"/proc/{isolates.launcher.zygote.process.pid}")
    try:
        mounts = (process / "mounts").read_text().splitlines()
        inside = {path.name for path in (process / "root").iterdir()}
    except PermissionError:
        pytest.skip("the zygote is for the machine's root to look into")
    (mount,) = mounts
    kind, place, name, options = mount.split()[:4]
    assert (kind, place, name) == ("tmpfs", "/", "tmpfs")
    assert {"ro", "nosuid", "nodev"} <= set(options.split(","))
    assert inside == {path.split("/")[0] for path in isolates.image.manifest.entries}
    for space in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup"):
        assert (process / "ns" / space).readlink() != Path(f"/proc/self/ns/{space}").readlink()


def test_the_folder_of_the_copy_is_gone_when_the_zygote_is_ready(image, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    LinuxLauncher(image).close()
    assert list(tmp_path.iterdir()) == []
