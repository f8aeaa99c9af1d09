"""The reference of `transfer`: a TLS socket in Python, straight from process to process.

TLS 1.3 by pyOpenSSL over memory buffers, with the policy's suite and pieces of 1 MiB. The other
process takes what it is sent and looks at none of it, then sends as many bytes of its own. Or it
does with it what has to be done with an input and a result, in the plainest way: both ends hash,
and it keeps what it takes in an anonymous file, from where it sends it back.
"""

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
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
_DIGEST_BYTES = 32


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

    def upload_hashed(self, content: bytes) -> None:
        """Have the other end keep `content`, and find its digest to be the one announced."""
        digest = hashlib.sha256(content).digest()
        self.send(digest)
        self.send(content)
        self.receive(len(_WORD))

    def fetch_hashed(self, size: int) -> bytes:
        """Have the other end send what it keeps, and hash it."""
        self.send(_WORD)
        sha256 = hashlib.sha256()
        self.receive(size, sha256.update)
        return sha256.digest()

    def send(self, content: bytes | memoryview) -> None:
        """Send `content`."""
        view = memoryview(content)
        for start in range(0, len(view), _PIECE_BYTES):
            self._tls.sendall(view[start : start + _PIECE_BYTES])
            self._flush()

    def receive(self, size: int, take: Callable[[bytes], object] = lambda _: None) -> None:
        """Take `size` bytes."""
        while size:
            try:
                while size:
                    piece = self._tls.recv(min(size, _RECORD_BYTES))
                    size -= len(piece)
                    take(piece)
            except SSL.WantReadError:
                self._tls.bio_write(self._channel.recv(_RECEIVE_BYTES))

    def _flush(self) -> None:
        try:
            while True:
                self._channel.sendall(self._tls.bio_read(_RECEIVE_BYTES))
        except SSL.WantReadError:
            return


@contextmanager
def direct_tls(size: int, *, hashed: bool = False) -> Iterator[tuple[DirectTls, int]]:
    """A connection to another process, which takes and sends `size` bytes in turn; its id."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        role = "hashed" if hashed else "bare"
        command = [sys.executable, __file__, str(listener.getsockname()[1]), str(size), role]
        with subprocess.Popen(command) as process:  # noqa: S603 - this very file
            channel, _ = listener.accept()
            with channel:
                yield DirectTls(channel, server=False), process.pid
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


def _be_the_other(port: int, size: int, role: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as channel:
        end = DirectTls(channel, server=True)
        turn = _hashed_turn if role == "hashed" else _bare_turn
        content = os.urandom(_PIECE_BYTES) * (size // _PIECE_BYTES) if role == "bare" else b""
        try:
            while True:
                turn(end, size, content)
        except (SSL.Error, OSError):
            return


def _bare_turn(end: DirectTls, size: int, content: bytes) -> None:
    end.receive(size)
    end.send(_WORD)
    end.receive(len(_WORD))
    end.send(content)


def _hashed_turn(end: DirectTls, size: int, _: bytes) -> None:
    announced: list[bytes] = []
    end.receive(_DIGEST_BYTES, announced.append)
    sha256, file = hashlib.sha256(), os.memfd_create("kept")

    def keep(piece: bytes) -> None:
        sha256.update(piece)
        os.write(file, piece)

    try:
        end.receive(size, keep)
        assert sha256.digest() == b"".join(announced)
        end.send(_WORD)
        end.receive(len(_WORD))
        for start in range(0, size, _PIECE_BYTES):
            end.send(os.pread(file, _PIECE_BYTES, start))
    finally:
        os.close(file)


if __name__ == "__main__":
    _be_the_other(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
