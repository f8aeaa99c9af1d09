"""A bridge and an isolate in one: a real gRPC server whose sessions end in baja."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

from baja import Endpoint, PeerClosed, PeerError, PlaintextReceived, ServerContext
from colima.framing import FrameDecoder, frame
from colima.sinaloa import MAX_CHUNK_BYTES, SERVICE
from support.tls_pair import NOW

Session = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]
CONTENT = hashlib.sha256(b"content").digest() * 2048  # 64 KiB, repeated as often as it takes


class EchoIsolate:
    """Echoes frames, but for two: `put N` takes N bytes of content, `get N` sends them.

    Attributes:
        faults: how its sessions failed.
        received: all plaintext it was handed, unless it was content.
    """

    def __init__(self, context: ServerContext, *, now=NOW) -> None:
        self._context = context
        self._now = now
        self.faults = []
        self.received = b""

    def session(self, chunks: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        """One session, as gRPC calls it."""
        endpoint = self._context.endpoint(now=self._now)
        conversation = self.converse(endpoint)
        next(conversation)
        try:
            for chunk in chunks:
                for event in endpoint.receive_data(chunk):
                    if isinstance(event, PlaintextReceived):
                        conversation.send(event.data)
                    if isinstance(event, PeerClosed):
                        endpoint.close()
                yield from cut(endpoint.data_to_send())
            endpoint.receive_end()
        except PeerError as error:
            self.faults.append(error.fault)
        yield from cut(endpoint.data_to_send())

    def converse(self, endpoint: Endpoint) -> Iterator[None]:
        """Is sent plaintext and answers to `endpoint`."""
        frames, missing, hashed = FrameDecoder(), 0, None
        while True:
            frames.feed((yield))
            while True:
                if missing:
                    content = frames.take(missing)
                    missing -= len(content)
                    hashed.update(content)
                    if missing:
                        break
                    endpoint.send(frame(hashed.digest()))
                payload = frames.next_frame()
                if payload is None:
                    break
                self.received += payload
                word, _, size = payload.partition(b" ")
                if word == b"put":
                    missing, hashed = int(size), hashlib.sha256()
                elif word == b"get":
                    endpoint.send(frame(b"content follows"))
                    for start in range(0, int(size), len(CONTENT)):
                        endpoint.send(CONTENT[: int(size) - start])
                    endpoint.send(frame(b"that was it"))
                else:
                    endpoint.send(frame(payload))


def cut(data: bytes) -> Iterator[bytes]:
    """`data` in chunks the bridge may pass on."""
    for start in range(0, len(data), MAX_CHUNK_BYTES):
        yield data[start : start + MAX_CHUNK_BYTES]


@contextmanager
def bridge(session: Session, *, maximum_sessions: int = 8, service: str = SERVICE):
    """Serve `session` as Sinaloa's; (address, server)."""
    pool = ThreadPoolExecutor(maximum_sessions + 1)
    server = grpc.server(
        pool,
        maximum_concurrent_rpcs=maximum_sessions,
        options=[
            ("grpc.max_receive_message_length", MAX_CHUNK_BYTES + 1024),
            ("grpc.max_send_message_length", 2 * MAX_CHUNK_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    handlers = {"Session": grpc.stream_stream_rpc_method_handler(session)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", server
    finally:
        server.stop(0).wait()
        pool.shutdown()
