"""QEMU's command line for a machine, from what it is made of.

All files but the firmware's code and the log are in the folder that QEMU is started in, under the
names below: what QEMU reads has separators of its own, which a folder's name could hold.
"""

import ipaddress
import socket
from pathlib import Path
from typing import Final

from sonora_machine.errors import MachineError
from sonora_machine.run.programs import QEMU
from veracruz_utils.address import Address
from veracruz_utils.frozen import frozen

ESP: Final = "esp"
"""A folder that the machine sees as its disk, the EFI system partition."""
IMAGE: Final = f"{ESP}/EFI/BOOT/BOOTX64.EFI"
VARIABLES: Final = "variables.fd"
POLICY: Final = "policy.json"

BRIDGE_PORT: Final = 3011
"""Where the bridge in the machine listens."""
HOST_SEEN_INSIDE: Final = "10.0.2.2"
"""What QEMU's network calls the loopback of the host."""

_PROCESSORS: Final = {"tcg": "Nehalem,+rdrand", "kvm": "host"}
_ACCELERATORS: Final = {"tcg": "tcg,thread=multi", "kvm": "kvm"}


@frozen
class Emulated:
    """What a machine in the emulator is made of.

    Attributes:
        firmware: the file with the firmware's code.
        listen: where on the host its bridge is reached.
        tabasco: where it finds Tabasco, as it sees it.
        log: the file for its serial console.
        accelerator: `tcg`, or `kvm`.
        memory_mib: how much memory it has.
        cpus: how many processors.
    """

    firmware: Path
    listen: Address
    tabasco: Address
    log: Path
    accelerator: str = "tcg"
    memory_mib: int = 1024
    cpus: int = 2


@frozen
class Ends:
    """What QEMU is born with: descriptors of a socket to whoever watches it, and to its TPM."""

    monitor: int
    tpm: int


def qemu_command(machine: Emulated, ends: Ends) -> list[str]:
    """The command, to be started in the machine's folder."""
    forward = f"tcp:{machine.listen.host}:{machine.listen.port}-:{BRIDGE_PORT}"
    code, log = _value(machine.firmware), _value(machine.log)
    return [
        QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35,smm=off", "-accel", _ACCELERATORS[machine.accelerator],
        "-cpu", _PROCESSORS[machine.accelerator], "-smp", str(machine.cpus),
        "-m", str(machine.memory_mib),
        "-chardev", f"file,id=console,path={log},append=on", "-serial", "chardev:console",
        "-monitor", "none",
        "-chardev", f"socket,id=monitor,fd={ends.monitor}",
        "-mon", "chardev=monitor,mode=control",
        "-chardev", f"socket,id=tpm,fd={ends.tpm}",
        "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0",
        "-netdev", f"user,id=n0,hostfwd={forward}",
        "-device", "virtio-net-pci,netdev=n0,romfile=",
        "-fw_cfg", f"name=opt/veracruz/tabasco,string={machine.tabasco}",
        "-fw_cfg", f"name=opt/veracruz/policy,file={POLICY}",
        "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
        "-drive", f"if=pflash,format=raw,unit=1,file={VARIABLES}",
        # Read-only here, not in the name of the folder: `fat:ro:` alone is refused.
        "-drive", f"if=none,id=esp,format=raw,read-only=on,file=fat:{ESP}",
        "-device", "virtio-blk-pci,drive=esp,bootindex=0",
    ]  # fmt: skip


def seen_inside(tabasco: Address) -> Address:
    """The address of Tabasco as a machine in the emulator reaches it, which knows no names.

    Raises:
        MachineError: it does not reach there.
    """
    if tabasco.port == 0:
        raise MachineError(f"{tabasco} is no address of a service: give the port")
    if tabasco.host == "localhost" or tabasco.host.startswith("127."):
        return Address(HOST_SEEN_INSIDE, tabasco.port)
    try:
        found = socket.getaddrinfo(tabasco.host, tabasco.port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise MachineError(
            f"{tabasco.host} has no IPv4 address, and a machine in the emulator has no other: "
            f"{(error.strerror or str(error)).lower()}"
        ) from error
    host = str(found[0][4][0])
    loopback = ipaddress.ip_address(host).is_loopback
    return Address(HOST_SEEN_INSIDE if loopback else host, tabasco.port)


def forwarded(listen: Address) -> Address:
    """Where on this host a machine's bridge is reached.

    Raises:
        MachineError: QEMU does not listen there.
    """
    host = "127.0.0.1" if listen.host == "localhost" else listen.host
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise MachineError(
            f"{listen} is no place to listen for QEMU: give an IPv4 address of this host by "
            "--listen, such as 127.0.0.1:3011"
        ) from None
    if listen.port == 0:
        raise MachineError("port 0: the principals' policy names the port, so give it by --listen")
    return Address(host, listen.port)


def _value(path: Path) -> str:
    """A path among values that commas separate."""
    return str(path).replace(",", ",,")
