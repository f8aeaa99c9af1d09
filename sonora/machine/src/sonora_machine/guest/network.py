"""Brings the network up: by a fixed address, or as the network's DHCP server says."""

import fcntl
import ipaddress
import re
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Final, NoReturn

_SET_ADDRESS, _SET_MASK, _GET_FLAGS, _SET_FLAGS, _ADD_ROUTE = 0x8916, 0x891C, 0x8913, 0x8914, 0x890B
_UP: Final = 1
_GATEWAY_ROUTE: Final = 3  # up, by a gateway
_INTERFACES: Final = Path("/sys/class/net")
DHCP: Final = "dhcp"
_FIXED: Final = re.compile(r"(?P<interface>[0-9.]+/[0-9]+)(,(?P<gateway>[0-9.]+))?")
_LOOPBACK: Final = "lo"
_APPEARS_S: Final = 30.0
_LEASE_S: Final = 60
_CLIENT: Final = "/usr/sbin/dhcpcd"
ENVIRONMENT: Final = {"PATH": "/usr/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
"""Of every process that the first one starts: nothing of what the kernel handed to that one."""
_LEASES: Final = Path("/var/lib/dhcpcd")


class NetworkError(Exception):
    """There is no network."""


def bring_up(address: str) -> str:
    """Bring up the loopback interface and the first other one; that one's name.

    Args:
        address: `dhcp`, or `ADDRESS/PREFIX` or `ADDRESS/PREFIX,GATEWAY` of IPv4.

    Raises:
        NetworkError: there is no interface, no lease, or the address is none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _up(control, _LOOPBACK)
        name = _first_interface()
        if address == DHCP:
            _ask_for_lease(name)
        else:
            _set(control, name, address)
    return name


def _first_interface() -> str:
    deadline = time.monotonic() + _APPEARS_S
    while time.monotonic() < deadline:
        names = sorted(each.name for each in _INTERFACES.iterdir() if each.name != _LOOPBACK)
        if names:
            return names[0]
        time.sleep(0.1)
    raise NetworkError(f"no network interface appeared within {_APPEARS_S:.0f} s")


def _ask_for_lease(name: str) -> None:
    _LEASES.mkdir(parents=True, exist_ok=True)
    # No hooks: there is no shell, and names are not resolved here.
    command = [_CLIENT, "--oneshot", "--ipv4only", "--noarp", "--script", "", name]
    try:
        done = subprocess.run(  # noqa: S603 - of the image
            [*command, "--timeout", str(_LEASE_S)], check=False, timeout=_LEASE_S + 30,
            env=ENVIRONMENT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NetworkError(f"no lease on {name}: dhcpcd does not end") from None
    if done.returncode:
        raise NetworkError(f"no lease on {name}: dhcpcd ended with status {done.returncode}")


def parse_address(text: str) -> tuple[ipaddress.IPv4Interface, ipaddress.IPv4Address | None]:
    """An address with its prefix, and the gateway if there is one.

    Raises:
        NetworkError: it is none.
    """
    found = _FIXED.fullmatch(text)
    try:
        if found is None:
            return _no_address(text, "it has no prefix, or nothing behind its comma")
        gateway = ipaddress.IPv4Address(found["gateway"]) if found["gateway"] else None
        return ipaddress.IPv4Interface(found["interface"]), gateway
    except ValueError as error:
        return _no_address(text, str(error))


def _no_address(text: str, why: str) -> NoReturn:
    raise NetworkError(f"{text!r} is neither {DHCP} nor ADDRESS/PREFIX[,GATEWAY] of IPv4: {why}")


def _set(control: socket.socket, name: str, text: str) -> None:
    interface, router = parse_address(text)
    for request, value in (
        (_SET_ADDRESS, interface.ip),
        (_SET_MASK, interface.network.netmask),
    ):
        fcntl.ioctl(control, request, struct.pack("16s16s8x", name.encode(), _place(value)))
    _up(control, name)
    if router is not None:
        anywhere = _place(ipaddress.IPv4Address(0))
        # struct rtentry: a long, three addresses, flags, and what is zero here.
        route = struct.pack("8x16s16s16sH78x", anywhere, _place(router), anywhere, _GATEWAY_ROUTE)
        fcntl.ioctl(control, _ADD_ROUTE, route)


def _up(control: socket.socket, name: str) -> None:
    asked = fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
    (flags,) = struct.unpack_from("16xH", asked)
    fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", name.encode(), flags | _UP))


def _place(address: ipaddress.IPv4Address) -> bytes:
    """An address as `struct sockaddr_in`."""
    return struct.pack("=HH4s8x", socket.AF_INET, 0, address.packed)
