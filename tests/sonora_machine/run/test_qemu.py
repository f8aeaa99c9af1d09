"""QEMU's command, and what addresses mean on either side of it."""

import socket
from pathlib import Path

import pytest

from sonora_machine.errors import MachineError
from sonora_machine.run.qemu import Emulated, Ends, forwarded, qemu_command, seen_inside
from veracruz_utils.address import Address

MACHINE = Emulated(
    firmware=Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
    listen=Address("127.0.0.1", 3011),
    tabasco=Address("10.0.2.2", 3010),
    log=Path("/var/log/machine.log"),
)
ENDS = Ends(monitor=7, tpm=9)
COMMAND = """
qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
-machine q35,smm=off -accel tcg,thread=multi -cpu Nehalem,+rdrand -smp 2 -m 1024
-chardev file,id=console,path=/var/log/machine.log,append=on -serial chardev:console
-monitor none
-chardev socket,id=monitor,fd=7 -mon chardev=monitor,mode=control
-chardev socket,id=tpm,fd=9 -tpmdev emulator,id=tpm0,chardev=tpm
-device tpm-crb,tpmdev=tpm0
-netdev user,id=n0,hostfwd=tcp:127.0.0.1:3011-:3011 -device virtio-net-pci,netdev=n0,romfile=
-fw_cfg name=opt/veracruz/tabasco,string=10.0.2.2:3010
-fw_cfg name=opt/veracruz/policy,file=policy.json
-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
-drive if=pflash,format=raw,unit=1,file=variables.fd
-drive if=none,id=esp,format=raw,read-only=on,file=fat:esp
-device virtio-blk-pci,drive=esp,bootindex=0
"""


def changed(**values):
    return qemu_command(
        Emulated(**{name: getattr(MACHINE, name) for name in MACHINE.__slots__} | values), ENDS
    )


def test_the_command_is_the_one_that_was_tried():
    assert qemu_command(MACHINE, ENDS) == COMMAND.split()


def test_kvm_is_used_when_it_is_asked_for_and_else_never():
    assert not [word for word in qemu_command(MACHINE, ENDS) if "kvm" in word or word == "host"]
    command = changed(accelerator="kvm")
    assert command[command.index("-accel") + 1] == "kvm"
    assert command[command.index("-cpu") + 1] == "host"


def test_what_a_machine_has_is_what_was_said():
    command = changed(memory_mib=768, cpus=4, listen=Address("192.0.2.7", 9))
    assert command[command.index("-m") + 1] == "768"
    assert command[command.index("-smp") + 1] == "4"
    assert "user,id=n0,hostfwd=tcp:192.0.2.7:9-:3011" in command


def test_a_comma_in_a_path_separates_nothing():
    command = changed(firmware=Path("/a,b/code.fd"), log=Path("/c,size=1/log"))
    assert "if=pflash,format=raw,unit=0,readonly=on,file=/a,,b/code.fd" in command
    assert "file,id=console,path=/c,,size=1/log,append=on" in command


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost"])
def test_the_hosts_loopback_has_another_name_in_the_machine(host):
    assert seen_inside(Address(host, 3010)) == Address("10.0.2.2", 3010)


def test_a_tabasco_elsewhere_is_where_it_is():
    assert seen_inside(Address("192.0.2.9", 3010)) == Address("192.0.2.9", 3010)


def test_a_name_is_looked_up_here_for_the_machine_knows_none(monkeypatch):
    def found(*_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.44", 3010))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert seen_inside(Address("tabasco.example", 3010)) == Address("192.0.2.44", 3010)


@pytest.mark.parametrize("host", ["::1", "2001:db8::1"])
def test_a_tabasco_that_a_machine_does_not_reach_is_refused(host):
    with pytest.raises(MachineError, match="no IPv4 address"):
        seen_inside(Address(host, 3010))


def test_port_0_is_no_service_and_no_bridge():
    with pytest.raises(MachineError, match="give the port"):
        seen_inside(Address("127.0.0.1", 0))
    with pytest.raises(MachineError, match="--listen"):
        forwarded(Address("127.0.0.1", 0))


def test_the_bridge_is_forwarded_from_an_ipv4_address():
    assert forwarded(Address("localhost", 3011)) == Address("127.0.0.1", 3011)
    assert forwarded(Address("0.0.0.0", 1)) == Address("0.0.0.0", 1)
    for host in ("::1", "bridge.example"):
        with pytest.raises(MachineError, match="give an IPv4 address"):
            forwarded(Address(host, 3011))
