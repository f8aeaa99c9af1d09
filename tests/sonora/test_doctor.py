"""The doctor: what it finds on this host, and on hosts that give less."""

import ctypes
import json
import os
import platform
import resource
import shutil
import signal
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mexico_city.sandbox import kernel
from sonora import doctor
from sonora.cli import main
from sonora.doctor import (
    Diagnosis,
    FindingState,
    HostFinding,
    findings,
    hardware,
    layers,
    machine,
    throwaway,
)
from sonora.doctor.layers import try_layers
from sonora.doctor.throwaway import Unable, attempt
from sonora.evidence.tpm.source import TpmSettings
from support.processes import children
from veracruz_utils.policy import IsolationLayer

needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
UNSHARE, SECCOMP, MOUNT, LANDLOCK, MEMFD_CREATE, CAPSET = 272, 317, 165, 444, 319, 126
LAYERS = {layer for layer in IsolationLayer if layer is not IsolationLayer.SEPARATE_USER}


def forbid(*numbers: int) -> None:
    """Have these system calls fail from now on in this process, as in a strict container."""
    code = [(0x20, 0, 0, 0)]  # the number of the call
    for number in numbers:
        code += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 38)]  # ENOSYS
    code += [(0x06, 0, 0, 0x7FFF0000)]
    raw = b"".join(struct.pack("HBBI", *each) for each in code)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    kernel.prctl(38, 1)
    kernel.system_call(SECCOMP, 1, 0, struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer)))


def findings_where(prepare=lambda: None, *, of=try_layers) -> dict[str, dict]:
    """What the doctor finds in a process that was prepared like this, by name: of layers alone."""
    reading, writing = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        try:
            prepare()
            text = json.dumps(Diagnosis(tuple(of())).as_json())
            with os.fdopen(writing, "w") as file:
                file.write(text)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found = json.load(answer)
    os.waitpid(process_id, 0)
    return {each["name"]: each for each in found["findings"]}


@pytest.fixture(scope="module")
def usual() -> dict[str, dict]:
    """What the doctor finds on this host as it is."""
    return findings_where()


def states(found: dict[str, dict]) -> dict[str, str]:
    return {name: each["state"] for name, each in found.items() if each["layer"]}


# What is found here.


def test_every_layer_is_looked_at_once_and_everything_says_what_it_means():
    found = doctor.diagnose().findings
    layered = [each.layer for each in found if each.layer is not None]
    assert sorted(layered) == sorted(LAYERS)
    assert len({each.name for each in found}) == len(found)
    for each in found:
        assert each.means.endswith(".")
        assert each.found
        assert "\n" not in each.found + each.means + each.remedy
        if each.state is FindingState.MISSING:
            assert each.remedy


def test_looking_changes_nothing_and_leaves_no_process():
    def seen() -> tuple:
        return (
            Path("/proc/self/mountinfo").read_text(),
            {each.name: each.readlink() for each in Path("/proc/self/ns").iterdir()},
            Path("/proc/self/limits").read_text(),
            Path("/proc/self/status").read_text().split("Seccomp:")[1].split()[0],
            len(list(Path("/proc/self/fd").iterdir())),
            children(os.getpid()),
            Path.cwd(),
        )

    before = seen()
    doctor.diagnose()
    assert seen() == before


# What is found where less is given.


@needs_x86
def test_a_host_without_landlock_is_found_out():
    found = findings_where(lambda: forbid(LANDLOCK))
    assert found["Landlock"]["state"] == "missing"
    assert "lsm=landlock" in found["Landlock"]["remedy"]
    assert "function not implemented" in found["Landlock"]["found"]


@needs_x86
def test_a_host_without_seccomp_is_found_out(usual):
    found = findings_where(lambda: forbid(SECCOMP))
    assert found["seccomp filter"]["state"] == "missing"
    assert found["Landlock"]["state"] == usual["Landlock"]["state"]


@needs_x86
def test_a_host_without_namespaces_is_found_out_and_the_other_layers_are_still_there(usual):
    found = findings_where(lambda: forbid(UNSHARE))
    for name in ("user namespaces", "namespaces", "root of its own", "limits"):
        assert found[name]["state"] == "missing", name
        assert found[name]["remedy"]
    assert "mount, pid, net, ipc, uts, cgroup" in found["namespaces"]["found"]
    for name in ("no new privileges", "not dumpable", "Landlock", "seccomp filter"):
        assert found[name]["state"] == usual[name]["state"], name


@needs_x86
def test_namespaces_that_give_a_name_but_no_power_are_found_out(usual):
    """As AppArmor has it on Ubuntu 24.04: `unshare` succeeds, `mount` does not."""
    if usual["user namespaces"]["state"] != "good":
        pytest.skip("this host gives no user namespaces")
    found = findings_where(lambda: forbid(MOUNT))
    for name in ("user namespaces", "namespaces", "root of its own"):
        assert found[name]["state"] == "missing", name


def test_a_limit_of_user_namespaces_is_found_out():
    def no_more() -> None:
        """A user namespace in which there can be no further one."""
        layers._unshare_as_user(0)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")

    if not attempt(no_more)[0]:
        pytest.skip("this host gives no user namespaces")
    found = findings_where(no_more)
    assert found["user namespaces"]["state"] == "missing"
    assert found["user namespaces"]["remedy"] == "sysctl user.max_user_namespaces=15000"


@needs_x86
def test_a_host_without_sealed_memory_files_is_found_out():
    found = findings_where(lambda: forbid(MEMFD_CREATE), of=lambda: doctor.diagnose().findings)
    assert found["memory files"]["state"] == "missing"


def test_a_host_that_executes_no_memory_files_is_found_out(monkeypatch):
    assert machine._unreadable_programs().state is FindingState.GOOD

    def refuse(*_: object) -> int:
        raise PermissionError(13, "vm.memfd_noexec is 2")

    monkeypatch.setattr(os, "memfd_create", refuse)
    found = machine._unreadable_programs()
    assert (found.state, found.found) == (FindingState.NOTE, "memory files are not executed here")
    assert "vm.memfd_noexec" in found.remedy


@pytest.mark.parametrize("name", layers._SWITCHES)
def test_the_switch_that_forbids_user_namespaces_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setattr(layers, "_SYSCTLS", tmp_path)
    closed, remedy = layers._SWITCHES[name]
    assert "container" in layers._switch_remedy()
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("7\n")
    assert "container" in layers._switch_remedy()
    (tmp_path / name).write_text(f"{closed}\n")
    assert layers._switch_remedy() == remedy


def test_memory_that_others_of_this_user_can_open_is_found_out(monkeypatch):
    """As it would be in a user namespace of this user's, whose owner may read what is in it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(layers, "attempt", lambda _: (True, ""))
    # Lowered here it would stay so, for the tests after.
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    try:
        with pytest.raises(Unable, match="can open its memory all the same"):
            layers._be_closed_to_others()
    finally:
        kernel.prctl(4, 1)  # dumpable again, as other tests expect us


# Of the machine.


@pytest.mark.parametrize(
    ("state", "status", "found"),
    [
        (0, 0, "synchronised within 2 ms"),
        (5, 0, "the kernel calls it not synchronised"),
        (0, 0x40, "the kernel calls it not synchronised"),
    ],
)
def test_the_clock_is_what_the_kernel_says_of_it(monkeypatch, state, status, found):
    def adjtimex(_: str, address: int) -> int:
        fields = (ctypes.c_long * 5).from_address(address)
        assert fields[0] == 0  # no mode: asking only
        fields[3] = 2000
        ctypes.c_int.from_address(address + 5 * ctypes.sizeof(ctypes.c_long)).value = status
        return state

    monkeypatch.setattr(machine.kernel, "call", adjtimex)
    clock = machine._clock()
    assert clock.found == found
    assert clock.state is (FindingState.GOOD if "within" in found else FindingState.NOTE)


def test_a_clock_that_cannot_be_asked_is_said_so(monkeypatch):
    def refused(*_: object) -> int:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(machine.kernel, "call", refused)
    assert machine._clock().found == "not known: Operation not permitted"


@pytest.mark.parametrize(
    ("most", "state", "found"),
    [
        (1_000_000, FindingState.GOOD, "1000000, enough for every policy"),
        (1024, FindingState.NOTE, "1024: policies of 3 principals and up to 192 inputs"),
        (256, FindingState.MISSING, "256: not enough for a policy of 3 principals"),
    ],
)
def test_open_files_are_held_against_what_a_policy_may_order(monkeypatch, most, state, found):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    files = machine._open_files()
    assert (files.state, files.found) == (state, found)
    assert (files.remedy == "") is (state is FindingState.GOOD)


@pytest.mark.parametrize(
    ("scope", "state", "found"),
    [
        (None, FindingState.NOTE, "not there"),
        ("0", FindingState.NOTE, "off"),
        ("1", FindingState.GOOD, "ptrace_scope 1"),
    ],
)
def test_yama_is_what_its_switch_says(tmp_path, monkeypatch, scope, state, found):
    monkeypatch.setattr(machine, "_YAMA", tmp_path / "ptrace_scope")
    if scope is not None:
        (tmp_path / "ptrace_scope").write_text(f"{scope}\n")
    yama = machine._tracing()
    assert (yama.state, yama.found) == (state, found)


@pytest.mark.parametrize(
    ("text", "found"),
    [(None, "no version 2 here"), ("cpu io memory pids\n", "version 2 with cpu, memory, pids")],
)
def test_cgroups_are_looked_at(tmp_path, monkeypatch, text, found):
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup.controllers")
    if text is not None:
        (tmp_path / "cgroup.controllers").write_text(text)
    assert machine._cgroups().found == found


def test_hardware_that_is_there_and_hardware_that_is_not(monkeypatch):
    found = {each.name: each for each in hardware.look_at_hardware(TpmSettings())}
    assert found["evidence nsm"].found.startswith(("not there: /dev/nsm", "there: platform"))
    monkeypatch.setattr(hardware, "SOURCES", {"nsm": lambda _: SimpleNamespace(platform="nitro")})
    (found,) = hardware.look_at_hardware(TpmSettings())
    assert (found.state, found.found) == (FindingState.GOOD, "there: platform nitro")


def test_the_image_is_found_by_its_measurement_or_missed(monkeypatch, tmp_path, isolates):
    found = machine._image(isolates.image.folder)
    assert found.state is FindingState.GOOD
    assert found.found == f"{isolates.image.measurement} in {isolates.image.folder}"
    monkeypatch.setattr(machine, "installed_archive", lambda: None)
    none = machine._image(None)
    assert (none.state, none.found, none.required) == (FindingState.MISSING, "none", True)
    assert "sonora image build" in none.remedy
    (tmp_path / "manifest").write_text("nothing")
    assert machine._image(tmp_path).state is FindingState.MISSING
    manifest = isolates.image.folder / "manifest.txt"
    assert machine._image(manifest).state is FindingState.MISSING, "a manifest cannot be run"
    changed = tmp_path / "changed"
    shutil.copytree(isolates.image.folder, changed, symlinks=True)
    victim = next(changed.rglob("os.py"))
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes() + b"#")
    assert "os.py" in machine._image(changed).found


# Trying things.


def test_what_is_tried_says_what_came_of_it():
    assert attempt(lambda: None) == (True, "")
    assert attempt(lambda: "seven") == (True, "seven")

    def fail(error: Exception) -> None:
        raise error

    assert attempt(lambda: fail(OSError(1, "Operation not permitted"))) == (
        False, "operation not permitted",
    )  # fmt: skip
    assert attempt(lambda: fail(Unable("half of it"))) == (False, "half of it")
    assert attempt(lambda: fail(KeyError())) == (False, "KeyError")


def test_what_is_tried_may_take_its_process_down_or_never_end(monkeypatch):
    monkeypatch.setattr(throwaway, "_TIMEOUT_S", 0.2)
    before = children(os.getpid())
    assert attempt(lambda: os.kill(os.getpid(), signal.SIGKILL)) == (False, "ended by signal 9")
    assert attempt(lambda: time.sleep(600)) == (False, "no answer in 0 s")
    assert children(os.getpid()) == before


# The command.


def finding(state: FindingState, layer: IsolationLayer | None) -> HostFinding:
    return HostFinding("a thing", state, "as it is", "It is a thing.", "mend it", layer)


@pytest.mark.usefixtures("unprotected")
@pytest.mark.parametrize(
    ("given", "status"),
    [
        (finding(FindingState.GOOD, IsolationLayer.LANDLOCK), 0),
        (finding(FindingState.MISSING, IsolationLayer.LANDLOCK), 1),
        (finding(FindingState.MISSING, IsolationLayer.SECCOMP), 0),
        (finding(FindingState.MISSING, None), 0),
        (finding(FindingState.NOTE, None), 0),
    ],
)
def test_the_status_says_whether_anything_is_missing_that_is_required(monkeypatch, given, status):
    monkeypatch.setattr(findings, "RUNTIME_LAYERS", frozenset({IsolationLayer.LANDLOCK}))
    monkeypatch.setattr("sonora.cli.host.diagnose", lambda *_: Diagnosis((given,)))
    said = CliRunner().invoke(main, ["doctor"])
    assert said.exit_code == status
    assert ("mend it" in said.output) is (given.state is not FindingState.GOOD)
    assert ("by a policy of default terms: a thing" in said.output) is (status == 1)
    told = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    assert told["complete"] is (status == 0)
    assert told["layers"] == ([given.layer] if given.state is FindingState.GOOD else [])
    assert told["findings"] == [
        {
            "name": "a thing", "state": given.state, "found": "as it is", "means": "It is a thing.",
            "remedy": "mend it", "layer": given.layer,
            "required": given.layer is IsolationLayer.LANDLOCK,
        }
    ]  # fmt: skip
