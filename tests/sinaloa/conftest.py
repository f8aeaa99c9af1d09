"""A fake Sonora on a real socket, a real bridge in front of it, and policies that are valid now."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest

from colima import encode, frame
from colima.sinaloa import (
    BULK_VERSION,
    SERVICE,
    BulkStatus,
    OpenBulk,
)
from sinaloa import Bridge, IsolateLink
from sinaloa.bulk import BulkListener
from sinaloa.computation import ServedPolicy
from sinaloa.computations import Computations
from sinaloa.places import Places
from support.bulk_clients import answer_on
from support.patience import PATIENCE_S
from support.sinaloa_fakes import FakeSonora
from veracruz_shells.channels import open_channel
from veracruz_shells.service import GrpcService
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest


@pytest.fixture
def sonora(tmp_path) -> Iterator[FakeSonora]:
    fake = FakeSonora(tmp_path / "sonora.sock")
    yield fake
    fake.close()


@dataclass
class Rig:
    """A bridge that is being served, and a channel to it."""

    isolate: IsolateLink
    bridge: Bridge
    service: GrpcService
    channel: grpc.Channel
    bulk: BulkListener

    def connect(self, policy: bytes | None = None, *, opens: bool = True) -> socket.socket:
        """A connection to the port for bulk, whose session is opened unless it is not to be."""
        connection = socket.create_connection(("127.0.0.1", self.bridge.bulk_port), PATIENCE_S)
        if opens:
            digest = policy or self.isolate.launched.policy_digest
            connection.sendall(frame(encode(OpenBulk(BULK_VERSION, digest))))
            assert answer_on(connection).status is BulkStatus.OPENED
        return connection

    @property
    def places(self) -> Places:
        """Those of its sessions."""
        return self.bridge._computations.only.places

    def session(self, chunks):
        """Open a session."""
        return self.channel.stream_stream(f"/{SERVICE}/Session")(chunks, timeout=PATIENCE_S)


@pytest.fixture
def serve(sonora) -> Callable[..., Rig]:
    """Serve a bridge to a fake isolate for the length of a `with` block."""

    @contextmanager
    def serving(
        max_sessions: int = 4, *, opening_s: float = PATIENCE_S, **settings
    ) -> Iterator[Rig]:
        with (
            IsolateLink.launch(sonora.path, b"policy") as isolate,
            Bridge(_of_one(isolate, max_sessions), **settings) as bridge,
            GrpcService(
                "127.0.0.1:0",
                unary={},
                by_caller=bridge.by_caller,
                streams=bridge.streams,
                limits=bridge.limits,
            ) as service,
            BulkListener(Address("127.0.0.1", 0), bridge, opening_s=opening_s) as bulk,
            open_channel(service.address, max_message_bytes=(1 << 20) + 1024) as channel,
        ):
            yield Rig(isolate, bridge, service, channel, bulk)
            bridge.cut_sessions()

    return serving


def _of_one(isolate: IsolateLink, max_sessions: int) -> Computations:
    policy = Digest(isolate.launched.policy_digest)
    return Computations(ServedPolicy(policy, None, max_sessions=max_sessions, isolate=isolate))
