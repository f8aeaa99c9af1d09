"""Sessions over a real gRPC server on loopback."""

from jalisco import Connection, SinaloaTransport
from support.tls_echo import EchoIsolate, bridge
from support.tls_pair import client, identity, server_context

ALICE = identity("alice")


def test_frames_go_to_the_isolate_and_back():
    isolate = EchoIsolate(server_context(ALICE.certificate))
    with bridge(isolate.session) as (address, _):
        transport = SinaloaTransport(address)
        with Connection.open(transport, client(ALICE), timeout_s=10) as session:
            for payload in (b"", b"hello", b"x" * 65536):
                session.send_frame(payload)
                assert session.receive_frame(timeout_s=10) == payload
    assert isolate.failures == []
