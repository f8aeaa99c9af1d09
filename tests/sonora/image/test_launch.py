"""What is started is what the manifest names: the least change is refused, a later one too late."""

import os
import random
import re
import shutil
from pathlib import Path

import pytest

from sonora.errors import SonoraError
from sonora.linux_launcher import LinuxLauncher
from support import runtime_guests as guests
from support.images import CHANGES, remade, replace
from support.isolate_rig import RigMaker
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
    refused(remade(copied.folder), "did not start; what it said is above")
    assert "zygote: ModuleNotFoundError" in caplog.text


def test_a_zygote_that_takes_too_long_says_so_and_which_setting_gives_it_longer(copied):
    for path in copied.root.rglob("sonora/zygote.py"):
        replace(path, b"import time\ntime.sleep(600)\n")
    for path in copied.root.rglob("zygote.*.pyc"):
        path.unlink()
    with pytest.raises(SonoraError, match=r"not start within 2 s.*--zygote-start SECONDS"):
        LinuxLauncher(remade(copied.folder), start_s=2).close()


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
