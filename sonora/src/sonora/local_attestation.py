"""Local attestation: what Sonora sees of an isolate itself before it vouches for it.

Theory of operation. Sonora has launched an isolate, and the isolate has said which certificate it
made and which policy it holds. Then Sonora sends a fresh nonce over the isolate's private channel
and accepts one answer, in time, if all of this holds:

1. it came from the very process that was launched, by the means of the isolate's kind;
2. it brings the certificate whose digest the isolate reported;
3. that certificate's key signed the transcript: both roles, this nonce, the digests of certificate
   and policy, and the measurement of the image, as Sonora knows them (`local_transcript`).

A wrong, late, replayed or missing answer is the end of the isolate, and no token is signed for one
that was not attested. The means of a Linux process are what the kernel says: whose process wrote
the answer and, to the machine's root alone, which folder is its root. Of a kind with hardware they
are a local report over the transcript.
"""

import contextlib
import secrets
import socket
import struct
import time
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from colima import WireError, frame, isolate, read_frame
from mexico_city.local_attestation import LocalClaims, local_transcript
from sonora.errors import LaunchError
from sonora.process import ProcessHandle
from veracruz_utils.digest import Digest

ANSWER_S: Final = 10.0
NONCE_BYTES: Final = 32
_CREDENTIALS: Final = struct.Struct("@iII")
"""`struct ucred`: process, user and group of who sent the bytes."""


class LocalMeans(Protocol):
    """How a kind of isolate shows which process, and which image, is behind an answer."""

    def prepare(self, channel: socket.socket) -> None:
        """Ready the private channel, before the isolate has the other end."""

    def receive(self, channel: socket.socket, size: int) -> bytes:
        """At most `size` bytes of the answer, their origin noted."""

    def require(self, transcript: bytes, answer: isolate.LocalAnswer) -> None:
        """Check what the answer came from.

        Raises:
            LaunchError: it is not the isolate that was launched.
        """


class LinuxMeans:
    """A Linux process: the kernel says who wrote to the private channel; to root, from which root.

    Args:
        process: the isolate's front process, held since it was forked.
        image_root: a folder that the kernel shows at the root of every process in the image, such
            as `/proc/ZYGOTE/root`.
    """

    def __init__(self, process: ProcessHandle, image_root: Path) -> None:
        self._process = process
        self._image_root = image_root
        self._senders: set[int] = set()

    @staticmethod
    def prepare(channel: socket.socket) -> None:
        """Have the kernel name the sender of all that is written from now on."""
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def receive(self, channel: socket.socket, size: int) -> bytes:
        """At most `size` bytes, with the process that the kernel names."""
        data, messages, _, _ = channel.recvmsg(size, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, content in messages:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                self._senders.add(_CREDENTIALS.unpack(content)[0])
        return data

    def require(self, transcript: bytes, answer: isolate.LocalAnswer) -> None:  # noqa: ARG002
        """Check that the launched process alone wrote it; as root, that its root is the image."""
        process_id = self._process.process_id
        # Still running, it is the only process of this id: what the kernel named is this one.
        if process_id == 0 or self._senders != {process_id}:
            raise LaunchError("the answer to Sonora's challenge came from another process")
        # The kernel shows a root to who may trace the process. Zygote and isolates cannot be traced
        # but by the machine's root: for any other user it is not compared, here or by other means.
        # What stands for it is the pidfd: the process was forked by the zygote, whose root Sonora
        # made of the checked copy before it started it.
        with contextlib.suppress(PermissionError):
            try:
                root = Path(f"/proc/{process_id}/root").stat()
                image = self._image_root.stat()
            except FileNotFoundError as error:
                raise LaunchError("the isolate ended before it was attested") from error
            if (root.st_dev, root.st_ino) != (image.st_dev, image.st_ino):
                raise LaunchError("the isolate's root is not the image that was launched")


def attest_locally(
    channel: socket.socket, claims: LocalClaims, means: LocalMeans, *, timeout_s: float = ANSWER_S
) -> None:
    """Challenge an isolate and check its answer; it is what `claims` says, or LaunchError.

    Args:
        channel: the isolate's private channel, which `means` prepared.
        claims: certificate as the isolate reported it; policy and image as Sonora launched it.
        means: of the isolate's kind.
        timeout_s: for the whole answer, however its bytes come.

    Raises:
        LaunchError: the answer is wrong, late or missing.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    deadline = time.monotonic() + timeout_s

    def receive(size: int) -> bytes:
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        return means.receive(channel, size)

    try:
        channel.settimeout(timeout_s)
        channel.sendall(frame(isolate.TO_RUNTIME.encode(isolate.LocalChallenge(nonce))))
        answer = isolate.FROM_RUNTIME.decode(read_frame(receive) or b"")
    except TimeoutError as error:
        raise LaunchError(
            f"the isolate did not answer Sonora's challenge within {timeout_s:.3g} s"
        ) from error
    except (OSError, WireError) as error:
        raise LaunchError("the isolate did not answer Sonora's challenge") from error
    if not isinstance(answer, isolate.LocalAnswer):
        raise LaunchError("the isolate did not answer Sonora's challenge")
    transcript = local_transcript(nonce, claims)
    means.require(transcript, answer)  # (1)
    if Digest.of(answer.certificate).value != claims.certificate_digest:  # (2)
        raise LaunchError("the isolate answered with another certificate than it reported")
    _require_signature(answer, transcript)  # (3)


def _require_signature(answer: isolate.LocalAnswer, transcript: bytes) -> None:
    try:
        key = x509.load_der_x509_certificate(answer.certificate).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise LaunchError("the isolate's certificate is not of an elliptic-curve key")
        key.verify(answer.proof, transcript, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature) as error:
        raise LaunchError(
            "the isolate's answer is not over this challenge, policy and image, by its own key"
        ) from error
