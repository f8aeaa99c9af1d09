"""The reference of `transfer`: a TLS socket in Python, straight from process to process.

TLS 1.3 by pyOpenSSL over memory buffers, with the policy's suite and pieces of 1 MiB. The other
process takes what it is sent and looks at none of it, then sends as many bytes of its own.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cryptography import x509
from OpenSSL import SSL

from baja import make_certificate
from veracruz_utils.policy import TLS_1_3_SUITES

_PIECE_BYTES = 1024 * 1024
_RECEIVE_BYTES = 256 * 1024
_RECORD_BYTES = 16 * 1024
_WORD = b"!"


class DirectTls:
    """One end of a connection, the handshake done."""

    def __init__(self, channel: socket.socket, *, server: bool) -> None:
        self._channel = channel
        self._tls = SSL.Connection(_context(server=server), None)
        (self._tls.set_accept_state if server else self._tls.set_connect_state)()
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._flush()
                self._tls.bio_write(channel.recv(_RECEIVE_BYTES))
            else:
                self._flush()
                return

    def upload(self, content: bytes) -> None:
        """Have the other end take `content`, and say so."""
        self.send(content)
        self.receive(len(_WORD))

    def fetch(self, size: int) -> None:
        """Have the other end send `size` bytes."""
        self.send(_WORD)
        self.receive(size)

    def send(self, content: bytes) -> None:
        """Send `content`."""
        view = memoryview(content)
        for start in range(0, len(view), _PIECE_BYTES):
            self._tls.sendall(view[start : start + _PIECE_BYTES])
            self._flush()

    def receive(self, size: int) -> None:
        """Take `size` bytes."""
        while size:
            try:
                while size:
                    size -= len(self._tls.recv(_RECORD_BYTES))
            except SSL.WantReadError:
                self._tls.bio_write(self._channel.recv(_RECEIVE_BYTES))

    def _flush(self) -> None:
        try:
            while True:
                self._channel.sendall(self._tls.bio_read(_RECEIVE_BYTES))
        except SSL.WantReadError:
            return


@contextmanager
def direct_tls(size: int) -> Iterator[DirectTls]:
    """A connection to another process, which takes and sends `size` bytes in turn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, __file__, str(listener.getsockname()[1]), str(size)]
        with subprocess.Popen(command) as process:  # noqa: S603 - this very file
            channel, _ = listener.accept()
            with channel:
                yield DirectTls(channel, server=False)
            process.wait()


def _context(*, server: bool) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(TLS_1_3_SUITES[0].openssl_name.encode())
    if server:
        now = datetime.now(UTC)
        made = make_certificate(name="peer", not_before=now, not_after=now + timedelta(days=1))
        context.use_certificate(x509.load_der_x509_certificate(made.certificate))
        context.use_privatekey(made.private_key)
    return context


def _be_the_other(port: int, size: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as channel:
        end = DirectTls(channel, server=True)
        content = os.urandom(_PIECE_BYTES) * (size // _PIECE_BYTES)
        try:
            while True:
                end.receive(size)
                end.send(_WORD)
                end.receive(len(_WORD))
                end.send(content)
        except (SSL.Error, OSError):
            return


if __name__ == "__main__":
    _be_the_other(int(sys.argv[1]), int(sys.argv[2]))
