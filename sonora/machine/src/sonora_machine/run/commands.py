"""The commands `run` and `tpm`: a machine tried out in an emulator."""

import socket
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from sonora_machine.errors import ImageFormatError, MachineError
from sonora_machine.measure.platforms import of_tpm
from sonora_machine.run.emulator import MAX_IMAGE_BYTES, Emulator, MachineContents
from sonora_machine.run.firmware import Firmware, find_firmware
from sonora_machine.run.interrupts import Interrupts
from sonora_machine.run.programs import QEMU, require_programs
from sonora_machine.run.qemu import Emulated, forwarded, seen_inside
from sonora_machine.run.tpm import SoftwareTpm, tpm_in
from sonora_machine.uki import UnifiedImage
from veracruz_shells.console import ADDRESS, SecondsRange, emit, json_option, note, read_file
from veracruz_shells.option_names import NamedOption
from veracruz_shells.policy_files import read_policy
from veracruz_utils.address import Address
from veracruz_utils.policy import Policy, PolicyError

PLATFORM: Final = "tpm"
WARNING: Final = (
    "an emulator with a TPM in software: it protects nothing from anybody on this machine; "
    "for trying out"
)
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_LOOK_S: Final = 0.25
_CALL_S: Final = 3.0


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def tpm(folder: Path, *, as_json: bool) -> None:
    """Make a TPM in software in FOLDER, or tell of the one that is there.

    Prints the certificate of the authority that vouches for this TPM and no other, for Tabasco's
    operator (`tabasco root add`). Its keys are in files: it is for trying out.
    """
    found = tpm_in(folder)
    facts = {
        "folder": folder,
        "authority": found.authority,
        "authority_digest": found.authority_digest,
        "endorsement_key": found.endorsement_key,
    }
    emit(facts, str(found.authority), as_json=as_json)
    note(f"its endorsement key, as an appraisal policy names it: {found.endorsement_key}")
    note(f"warning: {WARNING}")


@click.command()
@click.argument("image", type=_FILE)
@click.argument("policy", type=_FILE)
@click.option(
    "--tabasco",
    type=ADDRESS,
    metavar="HOST:PORT",
    required=True,
    help="The attestation service, as this host reaches it.",
)
@click.option(
    "--listen",
    type=ADDRESS,
    metavar="HOST:PORT",
    help="Where the bridge in the machine is reached on this host.  [default: as the policy says]",
)
@click.option(
    "--tpm",
    "tpm_folder",
    cls=NamedOption,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="The machine's TPM, which is made where there is none (see `sonora machine tpm`).  "
    "[default: one that is thrown away]",
)
@click.option(
    "--memory",
    type=click.IntRange(256, 1 << 20),
    default=1024,
    show_default=True,
    metavar="MIB",
    help="Memory of the machine.",
)
@click.option(
    "--cpus",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processors of the machine.",
)
@click.option(
    "--accelerator",
    type=click.Choice(["tcg", "kvm"]),
    default="tcg",
    show_default=True,
    help="Have QEMU translate what the machine runs, which works everywhere, or use KVM.",
)
@click.option(
    "--firmware",
    type=_FILE,
    metavar="CODE.fd",
    help="UEFI firmware for virtual machines.  [default: the distribution's]",
)
@click.option(
    "--firmware-vars", type=_FILE, metavar="VARS.fd", help="The variables that belong to it."
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append what the machine says on its serial console.  [default: kept until the end]",
)
@click.option(
    "--timeout",
    type=SecondsRange(1, 86_400),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the bridge in the machine.",
)
@json_option
def run(  # noqa: PLR0917 - click gives them by name
    image: Path,
    policy: Path,
    tabasco: Address,
    listen: Address | None,
    tpm_folder: Path | None,
    memory: int,
    cpus: int,
    accelerator: str,
    firmware: Path | None,
    firmware_vars: Path | None,
    log: Path | None,
    timeout: float,
    *,
    as_json: bool,
) -> None:
    """Start the machine of IMAGE in an emulator, to compute POLICY.

    QEMU with UEFI firmware and a TPM in software, as a plain user: what it measures is real, what
    it protects is nothing. Boots in minutes where QEMU has to translate.

    Ends with status 0 when the machine powers itself off, which it does when the computation is
    over, or on Ctrl-C or SIGTERM once its bridge answered; a second one ends it at once.
    """
    if (firmware is None) != (firmware_vars is None):
        raise click.UsageError("--firmware and --firmware-vars go together")
    agreed = _accepting(read_policy(policy), policy)
    loaded = MachineContents(
        _image(image),
        agreed.raw,
        Firmware(firmware, firmware_vars) if firmware and firmware_vars else find_firmware(),
    )
    _warn_of_another(image, loaded.image, agreed)
    _warn_of_silence(tabasco)
    require_programs(QEMU, "swtpm")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="veracruz-machine-")))
        machine = Emulated(
            firmware=loaded.firmware.code.resolve(),
            listen=forwarded(listen or agreed.sinaloa),
            tabasco=seen_inside(tabasco),
            log=(log or folder / "console.log").resolve(),
            accelerator=accelerator,
            memory_mib=memory,
            cpus=cpus,
        )
        _tell(machine, tabasco)
        its_tpm = _tpm(tpm_folder, folder)
        own = folder / "machine"
        own.mkdir()
        interrupts = Interrupts()
        with interrupts.counted(), Emulator(machine, loaded, its_tpm, own) as emulator:
            _watch(emulator, machine, interrupts, timeout_s=timeout, as_json=as_json)


def _watch(
    emulator: Emulator,
    machine: Emulated,
    interrupts: Interrupts,
    *,
    timeout_s: float,
    as_json: bool,
) -> None:
    note(f"sonora: the machine starts, {_processes(emulator)}")
    ready = emulator.wait_ready(interrupts.came, timeout_s=timeout_s)
    if ready:
        note(
            f"sonora: ready on {machine.listen}, the bridge in the machine",
            address=str(machine.listen),
        )
    if ready and as_json:
        facts = {
            "ready": True,
            "bridge": machine.listen,
            "tabasco": machine.tabasco,
            "platform": PLATFORM,
            "emulator": True,
            "processes": emulator.processes,
            "warnings": [WARNING],
        }
        emit(facts, "", as_json=True)
    while not interrupts.came() and not emulator.ended:
        interrupts.wait(_LOOK_S)
    if not interrupts.came():
        emulator.require_well()
        note("sonora: the machine powered itself off")
        return
    note("sonora: powering the machine off")
    # While it starts it has nothing to lose, and does not hear the button.
    emulator.power_off(impatient=lambda: not ready or interrupts.came_again())
    if not ready:
        raise KeyboardInterrupt


def _processes(emulator: Emulator) -> str:
    return ", ".join(f"{name} is process {number}" for name, number in emulator.processes.items())


def _tell(machine: Emulated, tabasco: Address) -> None:
    note(f"warning: {WARNING}")
    if machine.tabasco != tabasco:
        note(f"tabasco at {tabasco} is {machine.tabasco} to the machine")


def _warn_of_another(path: Path, image: bytes, agreed: Policy) -> None:
    """Say what the principals would refuse in the end: a machine that their policy does not pin."""
    try:
        measured = of_tpm(UnifiedImage.parse(image)).measurements
    except ImageFormatError:
        return  # it may start nevertheless, and nobody can say as what
    accepted = agreed.accepted(PLATFORM)
    for pinned in accepted.machine if accepted else ():
        known = set(measured.get(pinned.name, pinned.values))
        if known.isdisjoint(pinned.values):
            note(
                f"warning: {path} will measure {pinned.name} as {_hex(known)}, and the policy"
                f" pins {_hex(pinned.values)}: the principals will refuse this machine"
            )


def _hex(values: Iterable[bytes]) -> str:
    return " or ".join(sorted(each.hex() for each in values))


def _warn_of_silence(tabasco: Address) -> None:
    try:
        socket.create_connection((tabasco.host, tabasco.port), _CALL_S).close()
    except OSError as error:
        note(
            f"warning: nothing answers at {tabasco} from this host ({error.strerror or error}):"
            " the machine will not enrol unless Tabasco comes up"
        )


def _tpm(folder: Path | None, throwaway: Path) -> SoftwareTpm:
    found = tpm_in(folder or throwaway / "tpm")
    if folder is None:
        note(
            f"the TPM is thrown away at the end; until then {found.authority} vouches for it: "
            "Tabasco refuses it unless its operator adds that, within a minute, or you give --tpm"
        )
    return found


def _accepting(agreed: Policy, path: Path) -> Policy:
    """The policy, if the machine can compute by it; else minutes would pass before it says so.

    Raises:
        MachineError, PolicyError: it cannot.
    """
    try:
        agreed.require_in_force(datetime.now(UTC))
    except PolicyError as error:
        raise error.in_file(str(path)) from None
    accepted = sorted(each.name for each in agreed.platforms)
    if PLATFORM not in accepted:
        raise MachineError(
            f"{path} accepts {', '.join(accepted) or 'no platform'}, and this machine is of the "
            f"platform {PLATFORM}: have the principals agree on a policy that accepts that"
        )
    return agreed


def _image(path: Path) -> bytes:
    """An image; whether it starts the firmware says."""
    found = read_file(path, limit=MAX_IMAGE_BYTES, what="image")
    if not found.startswith(b"MZ"):
        raise MachineError(f"{path} is no EFI program: give the image that `build` made")
    return found
