"""Sonora's door to bridges: a Unix socket on which one connection is a bridge of one isolate.

The protocol is `colima.sonora`. Nothing a bridge sends is trusted: frames are bounded, the first
must come in time, answers must be taken in time. Of the last bridge that an isolate has, a
connection that breaks the protocol ends it too; if the connection just ends, as that of a killed
process does, the isolate is held for the next bridge (`sonora.holders`). Each connection has a
thread of its own. Nothing a bridge does makes any other thread wait, but for those who ask for the
isolate that is being launched for it.
"""

import contextlib
import logging
import os
import socket
import socketserver
import struct
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from colima import WireError, frame, read_frame
from colima.sonora import (
    FROM_SONORA,
    MAX_LAUNCH_BYTES,
    TO_SONORA,
    Ended,
    Failed,
    FromSonora,
    Launch,
    Launched,
    MintToken,
    Release,
    Token,
    ToSonora,
)
from platform_services.descriptors import send_descriptors
from psa_attestation.tokens.runtime import mint_runtime_token
from sonora import metrics, traces
from sonora.bridge_access import BridgeAccess, Peer, RefusalLog
from sonora.enrolled_key import EnrolledKey
from sonora.errors import LaunchError, SonoraError
from sonora.holders import MAX_BRIDGES, Holders, Holding, Share
from sonora.isolates import MAX_ISOLATES, Isolate, Launcher
from sonora.records import (
    ending_of,
    tell_bridge_gone,
    tell_end,
    tell_launch,
    tell_refused_launch,
    tell_refused_token,
    tell_token,
)
from veracruz_shells.log import about
from veracruz_shells.metrics import Look
from veracruz_shells.traces import TRACEPARENT, tell, traceparent_in
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import IsolationLayer

_LOG: Final = logging.getLogger(__name__)
_FIRST_MESSAGE_S: Final = 10.0
_SEND_TIMEOUT: Final = struct.pack("@ll", 10, 0)
"""10 s as a `struct timeval`: who does not take an answer in that time loses the connection."""
_MAX_CONNECTIONS: Final = (MAX_BRIDGES + 1) * MAX_ISOLATES
_BACKLOG: Final = 64


class Sonora:
    """What the connections share: isolates to launch and a key to vouch for them with."""

    def __init__(self, launcher: Launcher, enrolled: EnrolledKey, *, version: str) -> None:
        self.launcher = launcher
        self._enrolled = enrolled
        self._version = version

    def mint(self, isolate: Isolate, challenge: bytes) -> bytes:
        """A PSA token that vouches for `isolate` over this challenge.

        Raises:
            VeracruzError: it was never attested, or there is no enrolled key now.
        """
        if not isolate.attested:
            raise SonoraError("the isolate has not answered Sonora's challenge")
        return mint_runtime_token(
            key=self._enrolled.key(),
            challenge=challenge,
            platform=self.launcher.platform,
            runtime_measurement=self.launcher.measurement,
            runtime_version=self._version,
            certificate_digest=isolate.certificate_digest,
            policy_digest=isolate.policy_digest,
            isolation=isolate.layers,
        )


class _Bridge(socketserver.BaseRequestHandler):
    """One connection: launch, then tokens until either side ends."""

    server: "SonoraServer"
    request: socket.socket

    def handle(self) -> None:
        # Not `settimeout`, which would bound the wait for the next request as well.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_TIMEOUT)
        try:
            message = self._receive_first()
            if isinstance(message, Launch):
                self._serve(message)
        except (WireError, OSError) as error:
            metrics.CONNECTIONS_REFUSED.add(reason="malformed")
            told = about(outcome="malformed")
            _LOG.warning("connection dropped: %s", type(error).__name__, extra=told)

    def _serve(self, launch: Launch) -> None:
        holders = self.server.holders
        peer = Peer.of(self.request)
        begun = time.monotonic()
        digest = Digest.of(launch.policy)
        try:
            with traces.LAUNCH.span(_parent(launch), policy=str(digest)):
                share = holders.obtain(
                    digest.value, peer.uid, self.request, partial(self._launch, launch.policy, peer)
                )
                isolate_id = share.holding.isolate.isolate_id
                tell(isolate=isolate_id, found_again=share.found_again)
        except LaunchError as error:
            tell_refused_launch(str(digest), str(error), peer=peer.uid, seconds=_since(begun))
            self._send(Failed(str(error)[:500]))
            return
        holding, isolate = share.holding, share.holding.isolate
        tell_launch(isolate, peer=peer.uid, found_again=share.found_again, seconds=_since(begun))
        gone = False
        try:
            gone = self._attend(share)
        finally:
            last = holders.leave(holding, self.request, hold=gone)
            self._tell_end(isolate)
            if last:
                self._end(isolate, peer)
            else:
                tell_bridge_gone(isolate, peer=peer.uid)

    def _launch(self, policy: bytes, peer: Peer) -> Isolate:
        isolate = self.server.sonora.launcher.launch(policy)
        # For good: other bridges that get it are of the same user.
        if self.server.access.separates(peer):
            isolate.layers |= {IsolationLayer.SEPARATE_USER}
        return isolate

    def _attend(self, share: Share) -> bool:
        """Serve a bridge to its end; whether it went without a word."""
        isolate = share.holding.isolate
        try:
            self._announce(share)
            while (message := self._receive()) is not None and not isolate.ended.is_set():
                match message:
                    case MintToken():
                        self._mint_token(share.holding, message)
                    case Release():
                        return False
                    case Launch():
                        raise WireError("a second launch on one connection")
        except OSError:  # its process is gone, or takes no answers
            return True
        return not isolate.ended.is_set()

    def _announce(self, share: Share) -> None:
        launcher, isolate = self.server.sonora.launcher, share.holding.isolate
        launched = Launched(
            isolate.isolate_id,
            launcher.platform,
            launcher.measurement,
            isolate.policy_digest,
            isolate.certificate_digest,
            share.found_again,
        )
        # A second holder would keep the isolate from seeing that the bridge is gone.
        with share.control:
            self._send(launched)
            send_descriptors(self.request, [share.control.fileno()])

    def _mint_token(self, holding: Holding, asked: MintToken) -> None:
        begun, isolate = time.monotonic(), holding.isolate
        try:
            with traces.MINT_TOKEN.span(
                _parent(asked), policy=isolate.policy_digest.hex(), isolate=isolate.isolate_id
            ):
                holding.tokens.take(begun)
                token = self.server.sonora.mint(isolate, asked.challenge)
                tell(bytes_out=len(token))
        except VeracruzError as error:
            tell_refused_token(holding.isolate, str(error), peer=holding.owner)
            self._send(Failed(str(error)[:500]))
            return
        self._send(Token(token))
        tell_token(holding.isolate, token, peer=holding.owner, seconds=_since(begun))

    def _tell_end(self, isolate: Isolate) -> None:
        """Tell the bridge how the isolate ended, if it did."""
        if isolate.ended.is_set():
            with contextlib.suppress(OSError):
                self._send(Ended(ending_of(isolate)))

    def _end(self, isolate: Isolate, peer: Peer) -> None:
        """End the isolate if it did not end of itself."""
        of_itself = isolate.ended.is_set()
        isolate.close()
        outcome = ending_of(isolate).name.lower() if of_itself else "released"
        tell_end(isolate, peer=peer.uid, outcome=outcome)

    def _receive_first(self) -> ToSonora | None:
        """The first message, all of it within a time that no trickle of bytes extends."""
        deadline = time.monotonic() + _FIRST_MESSAGE_S

        def receive(size: int) -> bytes:
            self.request.settimeout(max(0.001, deadline - time.monotonic()))
            return self.request.recv(size)

        message = _decode(read_frame(receive, limit=MAX_LAUNCH_BYTES))
        self.request.settimeout(None)
        return message

    def _receive(self) -> ToSonora | None:
        return _decode(read_frame(self.request.recv))

    def _send(self, message: FromSonora) -> None:
        self.request.sendall(frame(FROM_SONORA.encode(message)))


def _parent(asked: Launch | MintToken) -> str | None:
    return traceparent_in([(TRACEPARENT, asked.traceparent)])


def _decode(payload: bytes | None) -> ToSonora | None:
    return None if payload is None else TO_SONORA.decode(payload)


class BridgeSocket:
    """The listening socket at `path`, for who has access and nobody else.

    It listens at once: a second Sonora sees that this one is there.

    Raises:
        SonoraError: another Sonora listens there, the path cannot be used, or a bridge could not
            reach it.
    """

    def __init__(self, path: Path, access: BridgeAccess) -> None:
        self.path = path
        self.access = access
        _remove_stale(path)
        self.listener = socket.socket(socket.AF_UNIX)
        # Others could connect between the making of the socket and a later chmod.
        before = os.umask(0o177)
        try:
            self.listener.bind(str(path))
        except OSError as error:
            self.listener.close()
            reason = error.strerror or error
            raise SonoraError(
                f"cannot listen on {path}: {reason}: choose another --socket"
            ) from error
        finally:
            os.umask(before)
        try:
            access.require_reachable(path.parent)
            access.grant(path)
            self.listener.listen(_BACKLOG)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening and remove the file."""
        self.listener.close()
        # In a folder of root's it stays: the next Sonora finds that nobody listens there.
        with contextlib.suppress(PermissionError):
            self.path.unlink(missing_ok=True)


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 6)


class SonoraServer(socketserver.ThreadingUnixStreamServer):
    """What serves the bridges that come to a socket; a thread for each."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, door: BridgeSocket, sonora: Sonora) -> None:
        self.sonora = sonora
        self.holders = Holders()
        self.access = door.access
        self._door = door
        self._connections: set[socket.socket] = set()
        self._refusals = RefusalLog()
        super().__init__(str(door.path), _Bridge, bind_and_activate=False)
        self.socket.close()
        self.socket = door.listener

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002
        """Whether who connected may; asked before anything it sent is read."""
        try:
            peer = Peer.of(request)
        except OSError:
            return False
        if self.access.admits(peer):
            return True
        metrics.CONNECTIONS_REFUSED.add(reason="not-admitted")
        if (line := self._refusals.line(peer)) is not None:
            told = about(peer=peer.uid, process=peer.process_id, outcome="not-admitted")
            _LOG.warning("%s", line, extra=told)
        return False

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Forget a connection that is over."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection in its own thread; keep track of it, to end it with the service."""
        if len(self._connections) >= _MAX_CONNECTIONS:
            metrics.CONNECTIONS_REFUSED.add(reason="too-many")
            told = about(outcome="too-many")
            _LOG.warning("connection refused: %d are open", len(self._connections), extra=told)
            self.shutdown_request(request)
            return
        self._connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        """Name an unforeseen failure of one connection; the others go on."""
        # Its kind alone: the text of an exception may quote what a bridge sent.
        kind = sys.exc_info()[0]
        metrics.CONNECTIONS_REFUSED.add(reason="failed")
        told = about(outcome="failed")
        _LOG.error("connection failed: %s", kind.__name__ if kind else None, extra=told)

    @property
    def looks(self) -> dict[str, Look]:
        """How its metrics are looked at that change from moment to moment, by name."""
        return {
            metrics.ISOLATES.name: self.holders.counts,
            metrics.CONNECTIONS.name: lambda: {(): len(self._connections)},
        }

    def stop(self) -> None:
        """Accept nothing more, end every connection and every isolate, remove the socket."""
        self.shutdown()
        self.server_close()
        self.holders.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._door.close()


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            # A socket's file outlives its process: only a refused connection says it is stale.
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SonoraError(f"cannot use {path}: {error.strerror or error}") from error
        else:
            raise SonoraError(
                f"another sonora listens on {path}; stop it or choose another --socket"
            )
