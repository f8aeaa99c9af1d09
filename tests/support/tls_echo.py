"""A bridge and an isolate in one: a real gRPC server whose sessions end in baja and echo frames."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import grpc

from baja import Endpoint, PeerError, PlaintextReceived, ServerContext
from colima.framing import FrameDecoder, frame
from colima.sinaloa import MAX_CHUNK_BYTES, SERVICE
from support.tls_pair import NOW

Session = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]


class EchoIsolate:
    """Answers each frame with the same frame, or counts raw content when told its size.

    Attributes:
        failures: the faults its sessions ended with.
    """

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self.failures = []

    def session(self, chunks: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        endpoint = self._context.endpoint(now=NOW)
        frames = FrameDecoder()
        try:
            for chunk in chunks:
                for event in endpoint.receive_data(chunk):
                    if isinstance(event, PlaintextReceived):
                        frames.feed(event.data)
                while (payload := frames.next_frame()) is not None:
                    self.answer(endpoint, payload)
                yield from cut(endpoint.data_to_send())
            endpoint.receive_end()
        except PeerError as error:
            self.failures.append(error.fault)
        endpoint.close()
        yield from cut(endpoint.data_to_send())

    def answer(self, endpoint: Endpoint, payload: bytes) -> None:
        """What one frame brings about; for tests to replace."""
        endpoint.send(frame(payload))


def cut(data: bytes) -> Iterator[bytes]:
    """`data` in chunks the bridge may pass on."""
    for start in range(0, len(data), MAX_CHUNK_BYTES):
        yield data[start : start + MAX_CHUNK_BYTES]


@contextmanager
def bridge(session: Session, *, maximum_sessions: int = 8):
    """Serve `session` as Sinaloa's; (address, server)."""
    server = grpc.server(
        ThreadPoolExecutor(maximum_sessions + 1),
        maximum_concurrent_rpcs=maximum_sessions,
        options=[
            ("grpc.max_receive_message_length", MAX_CHUNK_BYTES + 1024),
            ("grpc.so_reuseport", 0),
        ],
    )
    handlers = {"Session": grpc.stream_stream_rpc_method_handler(session)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", server
    finally:
        with suppress(RuntimeError):
            server.stop(0).wait()
