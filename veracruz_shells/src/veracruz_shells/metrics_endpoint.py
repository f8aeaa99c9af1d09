"""Metrics for Prometheus over HTTP: recorded by OpenTelemetry, served to few at a time.

What is served is no secret of principals, but tells who can reach the port how busy a service is:
it listens on this machine unless told otherwise.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final, Self

import click

from veracruz_shells.console import note
from veracruz_shells.listening import why_not_bound
from veracruz_shells.metrics import SECONDS, Look, Metric, MetricKind, record_into
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import CollectorRegistry

PATH: Final = "/metrics"
_MOST: Final = 8
"""Connections at a time; one more is closed."""
_WAIT_S: Final = 10.0
"""How long one may last."""
_STARTED_WITH_ZERO: Final = 64
"""Series of a counter; one with more has each from its first value on."""
_UNITS: Final = {"_seconds": "s", "_bytes": "By"}


class _MetricsAddress(click.ParamType[Address]):
    name = "host:port"

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        """The address; a port alone is one of this machine."""
        try:
            if isinstance(value, Address):
                return value
            return Address.parse(f"127.0.0.1:{value}" if value.isdigit() else value)
        except VeracruzError as error:
            self.fail(str(error), param, ctx)


metrics_option = click.option(
    "--metrics",
    type=_MetricsAddress(),
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus here, over plain HTTP; a port alone is of this machine. "
    "Needs the extra metrics.",
)
"""Adds `--metrics`, for services."""


class MetricsEndpoint:
    """Serves the metrics of one table, from `with` on until the block is left.

    Args:
        address: where to listen; None for nowhere, which costs nothing.
        table: what there is.
        observed: those of the table that are looked at when somebody asks, and how.
        service: whose they are, such as `sinaloa`.
    """

    def __init__(
        self,
        address: Address | None,
        table: Sequence[Metric],
        observed: Mapping[str, Look],
        *,
        service: str,
    ) -> None:
        self._address = address
        self._table = table
        self._observed = observed
        self._service = service
        self._server: _Server | None = None
        self._provider: MeterProvider | None = None

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            VeracruzError: the extra is not installed, or the address cannot be listened on.
        """
        if self._address is None:
            return self
        server = _listening(self._address)
        try:
            from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

            registry, self._provider = _recorded(self._table, self._observed)
        except ModuleNotFoundError as error:
            server.server_close()
            raise VeracruzError(
                f"--metrics needs {error.name}: pip install "
                f"'veracruz-{self._service}[metrics]', or leave it away"
            ) from error
        server.text = partial(generate_latest, registry)
        self._server = server
        self._address = Address(self._address.host, self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        note(f"{self._service}: metrics on {self.url}", metrics=self.url)
        if not self._address.is_loopback:
            note(
                f"warning: whoever reaches {self._address} can read how busy {self._service} is; "
                "bound it by a firewall, or give a port alone"
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is None or self._provider is None:
            return
        self._server.shutdown()
        self._server.server_close()
        record_into(None)
        self._provider.shutdown()

    @property
    def url(self) -> str | None:
        """What Prometheus is to read; None if nothing is served."""
        return None if self._server is None else f"http://{self._address}{PATH}"

    @property
    def facts(self) -> dict[str, object]:
        """What a service that is ready tells of it, for programs."""
        return {} if self.url is None else {"metrics": self.url}


def _recorded(
    table: Sequence[Metric], observed: Mapping[str, Look]
) -> "tuple[CollectorRegistry, MeterProvider]":
    """Where the values of all metrics are kept from now on."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    reader = PrometheusMetricReader(
        disable_target_info=True, scope_info_enabled=False, registry=registry
    )
    # Not the process's own provider: libraries that we use are to add nothing here.
    provider = MeterProvider(
        [reader],
        resource=Resource.get_empty(),
        exemplar_filter=AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
    )
    meter = provider.get_meter("veracruz")
    takers: dict[str, Callable[[float, Mapping[str, str]], None]] = {}
    for metric in table:
        look = observed.get(metric.name)
        if look is not None:
            _watch(meter, metric, look)
        elif metric.kind is not MetricKind.GAUGE:  # of which there is nothing here
            takers[metric.name] = _taker(meter, metric)
    assert observed.keys() <= {each.name for each in table}

    def take(metric: Metric, by: float, labels: Mapping[str, str]) -> None:
        taker = takers.get(metric.name)
        if taker is not None:
            taker(by, labels)

    record_into(take)
    return registry, provider


def _taker(meter: "Meter", metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    name, unit = _names(metric)
    if metric.kind is MetricKind.HISTOGRAM:
        return meter.create_histogram(
            name, unit, metric.means, explicit_bucket_boundaries_advisory=SECONDS
        ).record
    assert metric.kind is MetricKind.COUNTER
    counter = meter.create_counter(name, unit, metric.means)
    if metric.most_series <= _STARTED_WITH_ZERO:
        # From the beginning, for a rate of what happened once cannot be seen otherwise.
        for labels in _combinations(metric):
            counter.add(0, labels)
    return counter.add


def _watch(meter: "Meter", metric: Metric, look: Look) -> None:
    from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

    def observe(_: "CallbackOptions") -> "Iterable[Observation]":
        found = dict.fromkeys(known, 0.0)
        for values, number in look().items():
            labels = metric.bounded(dict(zip(metric.labels, values, strict=True)))
            bounded = tuple(labels.values())
            found[bounded] = found.get(bounded, 0) + number
        for bounded, number in found.items():
            yield Observation(number, dict(zip(metric.labels, bounded, strict=True)))

    known = [tuple(each.values()) for each in _combinations(metric)]

    name, unit = _names(metric)
    if metric.kind is MetricKind.COUNTER:
        meter.create_observable_counter(name, [observe], unit, metric.means)
    else:
        meter.create_observable_gauge(name, [observe], unit, metric.means)


def _names(metric: Metric) -> tuple[str, str]:
    """The name and unit that OpenTelemetry has, of which the exporter makes ours again."""
    name = metric.name
    if metric.kind is MetricKind.COUNTER:
        name = name.removesuffix("_total")
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return name.removesuffix(ending), unit
    return name, ""


def _combinations(metric: Metric) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for name, values in metric.labels.items():
        found = [{**each, name: value} for each in found for value in values]
    return found


class _Server(ThreadingMixIn, TCPServer):
    """A few connections at a time, each for so long and no longer."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST

    text: Callable[[], bytes]

    def __init__(self, family: socket.AddressFamily, place: Any) -> None:  # noqa: ANN401
        self.address_family = family
        self._open: dict[socket.socket, float] = {}
        super().__init__(place, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002
        """Whether there is room for one more."""
        return len(self._open) < _MOST

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection in its own thread; keep track of how long it lasts."""
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Forget a connection that is over."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what lasts too long; called now and then."""
        late = time.monotonic() - _WAIT_S
        for connection, since in list(self._open.items()):
            if since < late:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: who asks and goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = _WAIT_S
    server_version = "veracruz"
    sys_version = ""
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """All metrics, or that there is nothing else."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without a body."""
        self._answer(body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing of requests, which come every few seconds."""

    def _answer(self, *, body: bool) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404, f"there is {PATH} alone")
            return
        text = self.server.text()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if body:
            self.wfile.write(text)


def _listening(address: Address) -> _Server:
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        return _Server(family, place)
    except OSError as error:
        raise VeracruzError(
            f"cannot listen on {address} for metrics: {why_not_bound(address)}: choose another "
            "address"
        ) from error
