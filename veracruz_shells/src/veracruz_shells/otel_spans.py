"""Spans as OpenTelemetry keeps and sends them; loaded only where traces are wanted.

The provider is our own and not the process's, so that libraries we use add nothing to it; the
resource is made here, for what OpenTelemetry finds of a process would have its command line in it.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from veracruz_shells.call_errors import outcome_of
from veracruz_shells.grpc_setup import grpc
from veracruz_shells.trace_settings import TraceSettings
from veracruz_shells.traces import TRACEPARENT, OpenSpan, SpanSide, SpanType
from veracruz_utils.errors import VeracruzError

# isort: split
# After gRPC was set up.
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

__all__ = ["SpanExport"]

_PREFIX: Final = "veracruz."
_QUEUE: Final = 2048
"""Spans that wait to be sent; of one more the oldest is dropped."""
_BATCH: Final = 256
_DELAY_MS: Final = 1000
_EXPORT_S: Final = 5.0
"""For one batch, further attempts included; then it is dropped."""
_PARTING_S: Final = 2.0
"""For what is still to be sent when the program ends."""
_CHANNEL: Final[Any] = (  # theirs is declared as of one option alone
    # A proxy named in the environment would see all of what is in plain text.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_LIMITS: Final = SpanLimits(max_attributes=16, max_events=0, max_links=0, max_attribute_length=128)
_KINDS: Final = {
    SpanSide.CLIENT: SpanKind.CLIENT,
    SpanSide.SERVER: SpanKind.SERVER,
    SpanSide.INTERNAL: SpanKind.INTERNAL,
}
_FINE: Final = frozenset({"answered", "cancelled"})
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_OF_EXIT: Final = {3: "permission-denied", 4: "unavailable", 130: "cancelled"}


class OwnRatio(Sampler):
    """Keeps a part of what begins here, and of what another process says that it keeps.

    Not by the number of the trace, which whoever calls us has chosen.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._random = random.SystemRandom()

    def should_sample(  # noqa: PLR0917 - as the base class has it
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002
        name: str,  # noqa: ARG002
        kind: SpanKind | None = None,  # noqa: ARG002
        attributes: Attributes = None,  # noqa: ARG002
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        """Whether a span is kept."""
        above = get_current_span(parent_context).get_span_context()
        kept = above.trace_flags.sampled if above.is_valid else True
        if kept and (not above.is_valid or above.is_remote):
            kept = self._random.random() < self._ratio
        return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP)

    def get_description(self) -> str:
        """What it does."""
        return f"OwnRatio({self._ratio})"


class _Sending(SpanExporter):
    """Sends, and says once that nobody takes what is sent, until somebody does again."""

    def __init__(self, settings: TraceSettings, tell: Callable[[str], None]) -> None:
        self._url = settings.url
        self._tell = tell
        self._told = False
        self._exporter = OTLPSpanExporter(
            endpoint=settings.url,
            insecure=settings.is_plain,
            timeout=_EXPORT_S,
            channel_options=_CHANNEL,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send these."""
        try:
            result = self._exporter.export(spans)
        except (grpc.RpcError, ValueError):  # a ValueError: the channel was closed meanwhile
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            self.tell_of_loss()
        elif self._told:
            self._told = False
            self._tell(f"the collector at {self._url} takes traces again")
        return result

    def tell_of_loss(self) -> None:
        """Say that spans are lost."""
        if not self._told:
            self._told = True
            self._tell(
                f"warning: the collector at {self._url} takes no traces; they are dropped until it "
                "does: see that it runs and speaks OTLP over gRPC there"
            )

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()


class SpanExport:
    """Begins spans, and sends those that are over from a thread of its own.

    Args:
        settings: where to.
        service: what the spans are of.
        version: its version.
        tell: takes a line for people.

    Raises:
        VeracruzError: the environment asks for something that cannot be done.
    """

    def __init__(
        self, settings: TraceSettings, *, service: str, version: str, tell: Callable[[str], None]
    ) -> None:
        # What goes wrong is said once, and in our words: theirs quote what a collector answers.
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        try:
            self._sending = _Sending(settings, tell)
        except Exception as error:  # what it reads of the environment fails in many ways
            kind = type(error).__name__
            raise VeracruzError(
                f"traces cannot be sent to {settings.url} ({kind}): correct the variables that "
                "begin with OTEL_EXPORTER_OTLP_"
            ) from error
        self._provider = TracerProvider(
            OwnRatio(settings.ratio),
            Resource({"service.name": service, "service.version": version}),
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._sending,
                max_queue_size=_QUEUE,
                schedule_delay_millis=_DELAY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("veracruz")

    def begin(self, kind: SpanType, above: OpenSpan | None, parent: str | None) -> OpenSpan:
        """Begin a span; see `traces.Begin`."""
        context = Context()
        if parent is not None:
            context = _PROPAGATOR.extract({TRACEPARENT: parent}, context)
        elif isinstance(above, _OtelSpan):
            context = above.context
        span = self._tracer.start_span(kind.name, context, _KINDS[kind.side])
        return _OtelSpan(span)

    def close(self) -> None:
        """Send what is over, for a short time; then give it up."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(_PARTING_S)
        if ending.is_alive():
            self._sending.tell_of_loss()
            self._sending.shutdown()
            ending.join(_PARTING_S / 4)


class _OtelSpan:
    """One span."""

    __slots__ = ("_span", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = set_span_in_context(span, Context())

    @property
    def traceparent(self) -> str:
        """See `OpenSpan`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, self.context)
        return carrier[TRACEPARENT]

    def tell(self, name: str, value: str | int) -> None:
        """See `OpenSpan`."""
        self._span.set_attribute(_PREFIX + name, value)

    def end(self, error: BaseException | None, outcome: str | None) -> None:
        """See `OpenSpan`. Of an error its kind alone is told: its text may quote anything."""
        outcome = outcome or _outcome_of(error)
        self._span.set_attribute(f"{_PREFIX}outcome", outcome)
        if error is not None and outcome not in _FINE:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _outcome_of(error: BaseException | None) -> str:
    """How something ended, in the words of logs and metrics."""
    match error:
        case None:
            return "answered"
        case VeracruzError():
            return outcome_of(error)
        case Exception():
            status = getattr(error, "exit_code", None)  # click's, with which a command ends
            if status == 0:
                return "answered"
            return "internal" if status is None else _OF_EXIT.get(status, "failed-precondition")
    return "cancelled"
