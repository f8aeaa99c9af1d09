"""Zygote and isolates are closed to other processes of Sonora's own user, from the very start.

The user namespaces they are in belong to that user, who has every power in them. Tried as an
unprivileged user, with a process of the same user that is not closed as the control: to the
machine's root all of it is open.
"""

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import eventually, guest_of, keeper_of, runs
from support.users import SONORA, as_user, everybodys_python, open_folder, with_paths

# Any unprivileged user: who runs these tests, if that is one.
USER = os.getuid() or SONORA
AS_USER = {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
SONORA_AND_AN_ISOLATE = """
from pathlib import Path
from sonora.image.source import find_image
from support.isolate_rig import RigMaker, new_party
from support.runtime_guests import HELLO
from veracruz_utils.policy import Role
maker = RigMaker(find_image(Path(sys.argv[1])))
policy = maker.policy([(new_party("p"), [Role.PI_PROVIDER, Role.RESULT_READER])], program=HELLO)
isolate = maker.launcher.launch(policy)
print(maker.launcher.zygote.process.pid, isolate.process_id, sorted(isolate.layers), flush=True)
sys.stdin.read()
"""
# As in a container that forbids them: the image is then copied into a folder, and run from there.
WITHOUT_NAMESPACES = """
import ctypes, struct
from mexico_city.sandbox import kernel
code = b"".join(struct.pack("HBBI", *each) for each in [
    (0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x50000 | 1), (0x06, 0, 0, 0x7FFF0000),
])
buffer = ctypes.create_string_buffer(code, len(code))
kernel.prctl(38, 1)
kernel.system_call(317, 1, 0, struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer)))
"""
SNOOP = """
import os, sys
zygotes = set()
while True:
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            os.close(os.open(f"/proc/{name}/mem", os.O_RDONLY))
            os.write(1, f"{name}\\n".encode())
        except OSError:
            pass
"""


def attach(process_id: int) -> None:
    if LIBC.ptrace(PTRACE_SEIZE, process_id, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    LIBC.ptrace(PTRACE_DETACH, process_id, 0, 0)


def read_memory(process_id: int) -> None:
    os.close(os.open(f"/proc/{process_id}/mem", os.O_RDONLY))


ATTEMPTS = {
    "mem": read_memory,
    "environ": lambda one: Path(f"/proc/{one}/environ").read_bytes(),
    "descriptors": lambda one: list(Path(f"/proc/{one}/fd").iterdir()),
    "root": lambda one: list(Path(f"/proc/{one}/root").iterdir()),
    "namespaces": lambda one: os.close(os.open(f"/proc/{one}/ns/mnt", os.O_RDONLY)),
    "ptrace": attach,
}


@contextlib.contextmanager
def started(code: str, *arguments: str):
    """This Python code as a process of that user."""
    tests = str(Path(__file__).parents[2])
    program = with_paths(tests) + code
    with subprocess.Popen(
        [everybodys_python() if AS_USER else sys.executable, "-P", "-c", program, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/", env={}, **AS_USER,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module", params=["namespaces", "no namespaces"])
def machine(image, request):
    """An isolate that an unprivileged user runs, watched from before it was started."""
    if request.param == "no namespaces" and platform.machine() != "x86_64":
        pytest.skip("the number of unshare is that of x86-64")
    prepare = WITHOUT_NAMESPACES if request.param == "no namespaces" else ""
    with open_folder() as folder:
        shutil.copytree(image.folder, folder / "image", symlinks=True)
        with (
            started(SNOOP) as snoop,
            started(prepare + SONORA_AND_AN_ISOLATE, str(folder / "image")) as sonora,
        ):
            zygote, front, layers = sonora.stdout.readline().split(maxsplit=2)
            snoop.kill()
            seen = {int(line) for line in snoop.stdout}
            processes = {"zygote": int(zygote), "front": int(front)}
            processes["keeper"] = keeper_of(int(front))
            processes["guest"] = guest_of(int(front))
            assert ("image-root" in layers) is (not prepare)
            yield processes, seen, layers
    assert eventually(lambda: not [each for each in processes.values() if runs(each)])


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("which", ["zygote", "front", "keeper", "guest"])
def test_another_process_of_sonoras_user_is_kept_out(machine, which, attempt):
    processes, _, _ = machine
    control = subprocess.Popen(["/bin/sleep", "600"], cwd="/", **AS_USER)
    try:
        assert eventually(lambda: Path(f"/proc/{control.pid}/comm").read_text() == "sleep\n")
        said = as_user(USER, lambda: ATTEMPTS[attempt](control.pid))
        if "PermissionError" in said:
            pytest.skip(f"the kernel closes every process here: {said}")
        assert "Error" not in said
    finally:
        control.kill()
        control.wait()
    said = as_user(USER, lambda: ATTEMPTS[attempt](processes[which]))
    assert said.startswith("PermissionError"), said


def test_no_instant_was_left_to_look_into_the_zygote_or_an_isolate(machine):
    """Somebody tried to open every process of this user again and again while they started."""
    processes, seen, _ = machine
    assert seen, "whoever looked saw nothing at all"
    assert not seen & set(processes.values())
