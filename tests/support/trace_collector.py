"""A collector of OpenTelemetry's protocol over gRPC, which keeps what it is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status as StatusMessage


@dataclass(frozen=True)
class CollectedSpan:
    """A span as it came."""

    service: str
    resource: dict[str, Any]
    message: SpanMessage

    @property
    def name(self) -> str:
        return self.message.name

    @property
    def trace(self) -> str:
        return self.message.trace_id.hex()

    @property
    def number(self) -> str:
        return self.message.span_id.hex()

    @property
    def parent(self) -> str:
        """The number of the span that this one is a part of; "" for none."""
        return self.message.parent_span_id.hex()

    @property
    def facts(self) -> dict[str, Any]:
        return _values(self.message.attributes)

    @property
    def failed(self) -> bool:
        return self.message.status.code == StatusMessage.STATUS_CODE_ERROR


class TraceCollector(TraceServiceServicer):
    """Listens on a port of its own for as long as the `with` block lasts."""

    def __init__(self, port: int = 0, *, credentials: grpc.ServerCredentials | None = None) -> None:
        self._lock = threading.Lock()
        self._requests: list[ExportTraceServiceRequest] = []
        self._server = grpc.server(ThreadPoolExecutor(4))
        add_TraceServiceServicer_to_server(self, self._server)
        self._is_plain = credentials is None
        self.port = (
            self._server.add_insecure_port(f"127.0.0.1:{port}")
            if credentials is None
            else self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def Export(self, request, context) -> ExportTraceServiceResponse:  # noqa: N802 - the protocol's
        with self._lock:
            self._requests.append(request)
        return ExportTraceServiceResponse()

    @property
    def url(self) -> str:
        return f"{'http' if self._is_plain else 'https'}://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[CollectedSpan]:
        """All that came."""
        with self._lock:
            requests = list(self._requests)
        found = []
        for request in requests:
            for of_resource in request.resource_spans:
                resource = _values(of_resource.resource.attributes)
                for scope in of_resource.scope_spans:
                    found += [
                        CollectedSpan(resource["service.name"], resource, each)
                        for each in scope.spans
                    ]
        return found

    @property
    def raw(self) -> bytes:
        """Every byte that came, one request after the other."""
        with self._lock:
            return b"".join(each.SerializeToString() for each in self._requests)

    def named(self, name: str) -> list[CollectedSpan]:
        return [each for each in self.spans if each.name == name]

    def way_up(self, span: CollectedSpan) -> list[tuple[str, str]]:
        """Service and name of a span, of what it is a part of, and so on; as far as it is there."""
        by_number = {(each.trace, each.number): each for each in self.spans}
        way = []
        while span is not None:
            way.append((span.service, span.name))
            span = by_number.get((span.trace, span.parent))
        return way


def _values(attributes) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
