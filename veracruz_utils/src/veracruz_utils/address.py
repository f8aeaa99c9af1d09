"""Where a service listens: a host and a port."""

import ipaddress
import re
from typing import Final, Self

from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC: Final = re.compile(r"[0-9.]+")
_FORM: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[^\[\]:]{1,253})):(?P<port>0|[1-9][0-9]{0,4})"
)


@frozen
class Address:
    """A host (name, IPv4 or IPv6 address without brackets) and a TCP port.

    Port 0 asks for any free port; it is good for listening and nothing else.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        if not _is_host(self.host):
            raise VeracruzError(f"{self.host[:80]!r} is neither a host name nor an address")
        if not 0 <= self.port <= 0xFFFF:
            raise VeracruzError(f"port {self.port} is not between 1 and 65535")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address written as `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.

        Raises:
            VeracruzError: `text` is anything else.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            raise VeracruzError(f"{text[:80]!r} is not HOST:PORT, such as 127.0.0.1:3010")
        if form["six"] is not None and ":" not in form["six"]:
            raise VeracruzError(
                f"{text[:80]!r} has brackets around something else than an IPv6 address"
            )
        return cls(form["six"] or form["host"], int(form["port"]))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine gets there."""
        if self.host == "localhost":
            return True
        return _is_address(self.host) and ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_host(text: str) -> bool:
    if ":" in text or _NUMERIC.fullmatch(text):
        return _is_address(text)
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a scope means something on one machine only
