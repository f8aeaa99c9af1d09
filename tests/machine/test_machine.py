"""A machine image is built and started, enrols by what was computed of it, and computes.

The page is followed as it stands. Beside its machine another one starts, of an image with another
initramfs, which Tabasco refuses. Two more images get no further than their kernel: by then all is
measured, and what they said to their TPM is said to one outside, where Sonora is refused.
"""

import hashlib
import json
import os
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sonora.enrolment import enrol
from sonora.evidence.tpm.source import TpmSource
from sonora_machine.run.firmware import find_firmware
from sonora_machine.run.programs import QEMU
from sonora_machine.run.tpm import STATE, tpm_in
from sonora_machine.uki import UnifiedImage
from support import machines, swtpm
from support.followed_page import Shell, steps_of
from support.measured_boots import Recording, registers, replay
from support.pe_files import rewritten
from support.processes import eventually
from support.stack import run
from support.tpm_enrolment import der, new_world, refused_for

PAGE = Path(__file__).parents[2] / "docs/how-to/run-a-measured-machine.md"
BOOT_S = 900.0
"""For machines that are translated, on a host that does other work besides."""
MEASURED = (4, 9, 11)
pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("default:the shipped lock is out of date"),
]


class Walk:
    """The page, and what is started beside it."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.shell = Shell(folder, patience_s=BOOT_S)
        self._stack.callback(self.shell.close)
        self.recording = Recording(folder / "recording")
        self.shell.environment = self.recording.environment(self.shell.environment)
        wheels = Path(os.environ["VERACRUZ_MACHINE"])
        self.shell.environment["WHEELS"] = str(wheels)
        lock = machines.lock_that_can_be_had(folder, wheels)
        self.shell.environment["SONORA_MACHINE_BUILD_LOCK"] = str(lock)

    def follow(self) -> None:
        """Do what the page says; when its machine starts, others do."""
        steps = steps_of(PAGE, "machine")
        begin = next(at for at, (_, step) in enumerate(steps) if "sonora machine run" in step)
        self.shell.follow(steps[:begin])
        self.tabasco = steps[begin][1].split("--tabasco ")[1].split()[0]
        self.refused, _ = self.start("another-initramfs", initrd=self.part("initrd") + bytes(4))
        self.shell.follow(steps[begin:])
        self.interrupted, _ = self.start("interrupted")

    def start(self, name: str, **changes: bytes):
        """Start a machine, of an image with other parts, with a TPM that Tabasco knows."""
        folder = self.shell.folder / name
        folder.mkdir()
        image = folder / "image.efi"
        image.write_bytes(rewritten(self.image, **changes) if changes else self.image)
        tpm = tpm_in(folder / "tpm")
        self.shell.do(f"tabasco root add --state tabasco --name {name} '{tpm.authority}'")
        recording = Recording(folder / "recording")
        words = [
            image, self.shell.folder / "policy.json", "--tabasco", self.tabasco,
            "--listen", machines.free_address(), "--tpm", tpm.folder, "--timeout", BOOT_S,
            "--log", folder / "console.log",
        ]  # fmt: skip
        machine = machines.trial(*words, environment=recording.environment())
        return self._stack.enter_context(machine), recording

    @property
    def image(self) -> bytes:
        return (self.shell.folder / "machine/veracruz.efi").read_bytes()

    def part(self, name: str) -> bytes:
        return bytes(UnifiedImage.parse(self.image).parts[f".{name}"])

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    walk = Walk(tmp_path_factory.mktemp("walk"))
    try:
        walk.follow()
        yield walk
    finally:
        walk.close()


@pytest.fixture
def world(walk, tmp_path):
    """A Tabasco that accepts the page's machine, as the page's does."""
    with new_world(tmp_path) as world:
        world.trust(der(walk.shell.folder / "tpm/ca.pem"))
        policy = (walk.shell.folder / "appraisal.toml").read_text()
        world.accept(policy.removeprefix("version = 1\n"))
        yield world


@contextmanager
def outside(walk, folder, extensions):
    """The machine's TPM, just powered on, without the machine; and told all this."""
    with swtpm.running(swtpm.copied(walk.shell.folder / "tpm" / STATE, folder), unix=True) as tpm:
        replay(extensions, tpm)
        yield TpmSource(tpm.settings())


def test_the_machine_switches_itself_off_when_its_computation_is_over(walk):
    _, machine = walk.shell.services
    assert machine.wait(BOOT_S) == 0
    console = (walk.shell.folder / "console.log").read_text(errors="replace")
    assert "veracruz: sinaloa ended with status 0" in console


def test_the_result_is_that_of_the_demonstration(walk):
    shown = json.loads(run("veracruz", "demo", "--json").done().out)
    result = (walk.shell.folder / "result.dat").read_bytes()
    assert hashlib.sha256(result).hexdigest() == shown["result_digest"]


def test_the_registers_were_what_the_file_alone_had_said(walk):
    told = run("sonora", "machine", "measure", walk.shell.folder / "machine/veracruz.efi", "--json")
    measured = json.loads(told.done().out)["platforms"]["tpm"]["measurements"]
    held = registers(walk.recording.extensions())
    assert {f"pcr{index}": [held[index].hex()] for index in MEASURED} == measured


def test_built_again_the_image_is_the_same_to_the_last_byte(walk, tmp_path):
    built, again = walk.shell.folder / "machine", tmp_path / "again"
    walk.shell.do(f"sonora machine build '{again}' --wheels \"$WHEELS\"")
    names = {path.name for path in built.iterdir()}
    assert names >= {"veracruz.efi", "manifest.json", "sbom.cdx.json"}
    for name in names:
        assert (built / name).read_bytes() == (again / name).read_bytes(), name


def test_tabasco_refuses_a_machine_with_another_initramfs(walk):
    _, said = walk.refused.communicate(timeout=BOOT_S)
    assert walk.refused.returncode == 3, said
    assert "veracruz: sonora ended with status 3" in said
    assert "evidence-unacceptable" in said


def test_tabasco_refuses_a_changed_byte_and_another_command_line(walk, world, tmp_path):
    name = walk.part("uname")  # the kernel's, which stubs measure and nobody reads
    changed = walk.start("a-changed-byte", uname=bytes([name[0] ^ 1]) + name[1:])
    commanded = walk.start("another-command-line", cmdline=walk.part("cmdline") + b" init=/bin/sh")
    ours = registers(walk.recording.extensions())
    for (process, recording), differ in ((changed, {4, 11}), (commanded, {4, 9, 11})):
        # The kernel measures its command line, and the initramfs last.
        assert eventually(lambda each=recording: measured_all(each), within_s=BOOT_S)
        process.terminate()
        held = registers(recording.extensions())
        assert {index for index in MEASURED if held[index] != ours[index]} == differ
        with outside(
            walk, tmp_path / recording.folder.parent.name, recording.extensions()
        ) as source:
            refused_for(world, source, "evidence-unacceptable")


def test_an_interrupt_presses_the_power_button(walk):
    assert any("ready on" in line for line in walk.interrupted.stderr)
    walk.interrupted.terminate()
    assert walk.interrupted.wait(BOOT_S) == 0
    console = (walk.shell.folder / "interrupted/console.log").read_text(errors="replace")
    assert "veracruz: asked to end by the power button" in console
    assert "veracruz: power off" in console


def measured_all(recording):
    return [register for register, _ in recording.extensions()].count(9) == 2


def test_tabasco_refuses_one_more_extension_of_a_register(walk, world, tmp_path):
    told = walk.recording.extensions()
    with outside(walk, tmp_path / "more", [*told, (11, bytes(32))]) as source:
        refused_for(world, source, "evidence-unacceptable")
    with outside(walk, tmp_path / "same", told) as source:
        enrol(world.call, source)  # the other one was refused for that alone


def test_without_the_hosts_tables_or_random_numbers_a_machine_comes_up(walk, tmp_path):
    walk.shell.do(
        f"sonora machine build '{tmp_path / 'machine'}' --wheels \"$WHEELS\" --evidence tsm"
        f" --kernel-option acpi=off --policy policy.json --tabasco '{walk.tabasco}'"
    )
    console = tmp_path / "console.log"
    console.touch()
    command = [
        QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35",
        "-cpu", "qemu64",  # which has no instruction for random numbers
        "-smp", "1", "-m", "1G", "-serial", f"file:{console}",
        "-drive", f"if=pflash,format=raw,readonly=on,file={find_firmware().code}",
        "-kernel", tmp_path / "machine/veracruz.efi",
        "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile=",
    ]  # fmt: skip
    with subprocess.Popen(command) as machine:
        try:
            # No table says how to switch it off.
            assert eventually(
                lambda: (
                    machine.poll() is not None
                    or "Power off not available" in console.read_text(errors="replace")
                ),
                within_s=BOOT_S,
            )
        finally:
            machine.terminate()
    said = console.read_text(errors="replace")
    assert "veracruz: network on eth0" in said
    # There is no hardware here whose evidence it could ask for.
    assert "--evidence tsm needs an SEV-SNP, TDX or CCA machine" in said
