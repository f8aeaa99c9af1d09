"""How the bytes of a command reach a TPM: the kernel's device, or the socket of a software TPM."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sonora.evidence.base import EvidenceUnavailableError
from sonora.evidence.tpm.answers import code_of
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

Exchange = Callable[[bytes], bytes]
"""A command of the TPM, and its answer."""

DEVICE: Final = Path("/dev/tpmrm0")
MAX_ANSWER_BYTES: Final = 4096
_HEADER_BYTES: Final = 10
_TIMEOUT_S: Final = 120.0
"""For one command: a TPM may take a minute to make an RSA key."""

# Part 2, 6.6.3: the TPM did nothing, and asks for the same command once more.
_YIELDED, _TESTING, _RETRY = 0x908, 0x90A, 0x922
_ATTEMPTS: Final = 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0


@frozen
class TpmPlace:
    """Where a TPM is: a device, or a socket over TCP or of Unix. Printed as it is parsed."""

    kind: str
    where: str

    @classmethod
    def parse(cls, text: str) -> "TpmPlace":
        """The place that `text` names: a path, `tcp:HOST:PORT` or `unix:PATH`.

        Raises:
            VeracruzError: it names none.
        """
        kind, separator, where = text.partition(":")
        if not separator or kind not in ("tcp", "unix"):
            kind, where = "device", text
        if not where:
            raise VeracruzError(
                f"{text[:64]!r} names no TPM: use the path of a device, tcp:HOST:PORT or unix:PATH"
            )
        # A TPM elsewhere says what another machine booted.
        if kind == "tcp" and not Address.parse(where).is_loopback:
            raise VeracruzError(
                f"{where} is not on this machine: the TPM of another one does not vouch for this"
            )
        return cls(kind, where)

    def __str__(self) -> str:
        return self.where if self.kind == "device" else f"{self.kind}:{self.where}"

    def open(self) -> Exchange:
        """How the TPM there is asked; safe for one thread at a time.

        Raises:
            EvidenceUnavailableError: a device cannot be opened.
        """
        if self.kind == "device":
            return exchange_with(Path(self.where))
        return lambda command: _over_socket(self, command)

    def connect(self) -> socket.socket:
        """A connection to the socket."""
        if self.kind == "tcp":
            address = Address.parse(self.where)
            return socket.create_connection((address.host, address.port), timeout=_TIMEOUT_S)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_TIMEOUT_S)
        try:
            connection.connect(self.where)
        except OSError:
            connection.close()
            raise
        return connection


def exchange_with(device: Path) -> Exchange:
    """How the TPM behind a device of this path is asked.

    Raises:
        EvidenceUnavailableError: it cannot be opened.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error

    def exchange(command: bytes) -> bytes:
        try:
            # The device takes a whole command in one write and gives the answer to one read.
            os.write(descriptor, command)
            return os.read(descriptor, MAX_ANSWER_BYTES)
        except OSError as error:
            raise EvidenceUnavailableError(f"{device}: {error.strerror}") from error

    return exchange


def patient(exchange: Exchange, *, pause: Callable[[float], None]) -> Exchange:
    """`exchange`, asked again while the TPM asks for that, a bounded number of times."""

    def ask(command: bytes) -> bytes:
        answer = exchange(command)
        for attempt in range(_ATTEMPTS - 1):
            if code_of(answer) not in (_YIELDED, _TESTING, _RETRY):
                return answer
            pause(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt))
            answer = exchange(command)
        return answer

    return ask


def _over_socket(place: TpmPlace, command: bytes) -> bytes:
    """One command over a connection of its own.

    A TPM's socket serves one connection at a time, and may end it with each answer (swtpm's option
    `disconnect`); what a TPM holds does not depend on connections.
    """
    try:
        with place.connect() as connection:
            connection.sendall(command)
            header = _receive(connection, _HEADER_BYTES)
            size = int.from_bytes(header[2:6])
            if not _HEADER_BYTES <= size <= MAX_ANSWER_BYTES:
                raise EvidenceUnavailableError(
                    f"{place}: an answer of {size} bytes, at most {MAX_ANSWER_BYTES} are read"
                )
            return header + _receive(connection, size - _HEADER_BYTES)
    except OSError as error:
        raise EvidenceUnavailableError(f"{place}: {error.strerror or error}") from error


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EvidenceUnavailableError("the TPM's socket closed within an answer")
        data += piece
    return data
