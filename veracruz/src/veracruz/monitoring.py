"""What watches the services: a dashboard for Grafana and alerts for Prometheus, of their tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sinaloa.metrics import METRICS as OF_SINALOA
from sonora.isolates import MAX_ISOLATES
from sonora.metrics import METRICS as OF_SONORA
from tabasco.metrics import METRICS as OF_TABASCO
from veracruz.errors import UnitError
from veracruz_shells.files import NewFile, write_new_files
from veracruz_shells.grpc_metrics import GRPC_METRICS
from veracruz_shells.metrics import Metric, MetricKind
from veracruz_utils.frozen import frozen

SECTIONS: Final[Mapping[str, Sequence[Metric]]] = {
    "Sinaloa, the bridge": [each for each in OF_SINALOA if each not in GRPC_METRICS],
    "Sonora, the root isolate": [each for each in OF_SONORA if each not in GRPC_METRICS],
    "Tabasco, the attestation service": [each for each in OF_TABASCO if each not in GRPC_METRICS],
    "gRPC, of all of them": GRPC_METRICS,
}
"""Every metric, under the name of the service that has it."""

DASHBOARD: Final = "grafana/veracruz.json"
ALERTS_FILE: Final = "prometheus/veracruz.rules.yml"
_RATE: Final = "[$__rate_interval]"
_WIDTH, _HEIGHT, _COLUMNS = 8, 7, 3


@frozen
class Alert:
    """Something that somebody has to look at.

    Attributes:
        name: of the alert.
        query: is true of something while it holds.
        lasting: for how long it has to hold.
        summary: what is the matter.
        remedy: what to do.
    """

    name: str
    query: str
    lasting: str
    summary: str
    remedy: str


ALERTS: Final = (
    Alert(
        "VeracruzServiceDown",
        'up{job=~"veracruz-.*"} == 0',
        "2m",
        "a service gives no metrics",
        "look at its state and its log: systemctl status, journalctl -u",
    ),
    Alert(
        "VeracruzTabascoNotReady",
        "veracruz_tabasco_ready == 0",
        "1m",
        "Tabasco has no database or no key for results, and nobody is attested",
        "veracruz doctor, then the database",
    ),
    Alert(
        "VeracruzNotEnrolled",
        'veracruz_sonora_enrolment{state="ended"} == 1',
        "2m",
        "this machine's enrolment is over, and its isolates get no tokens",
        "look at Sonora's log for what Tabasco says; see whether it is reached and the root known",
    ),
    Alert(
        "VeracruzMachineRefused",
        'increase(veracruz_sonora_enrolment_checks_total{outcome="refused"}[10m]) > 0',
        "0m",
        "Tabasco does not believe this machine, or its runtime",
        "tabasco revoke list and tabasco instance list say what was revoked",
    ),
    Alert(
        "VeracruzIsolateFailed",
        'increase(veracruz_sonora_isolates_ended_total{outcome="failure"}[15m]) > 0',
        "0m",
        "an isolate ended otherwise than by its policy, with all that was in it",
        "look for memory that ran out (journalctl -k) and at Sonora's log",
    ),
    Alert(
        "VeracruzIsolateWithoutBridge",
        'veracruz_sonora_isolates{state="held"} > 0',
        "15m",
        "an isolate waits for a bridge",
        "start the bridge again, with the same policy and user",
    ),
    Alert(
        "VeracruzIsolatesFull",
        f"sum by (instance) (veracruz_sonora_isolates) >= {MAX_ISOLATES}",
        "10m",
        "no further isolate is launched on this machine",
        "let computations end, or use another machine",
    ),
    Alert(
        "VeracruzSessionsRefused",
        'increase(veracruz_sinaloa_sessions_refused_total{reason="resource-exhausted"}[10m]) > 0',
        "0m",
        "all places for sessions are taken",
        "sinaloa serve --max-sessions, or see whose sessions they are in the log",
    ),
    Alert(
        "VeracruzHandshakesRefused",
        "sum by (instance) (rate(veracruz_sinaloa_handshakes_refused_total[5m])) > 1",
        "10m",
        "many come who are not let in",
        "the peers stand in the bridge's log; bound them by a firewall",
    ),
    Alert(
        "VeracruzAttestationRefused",
        'sum by (instance) (increase(veracruz_tabasco_attestations_total{outcome!="accepted"}'
        "[10m])) > 20",
        "0m",
        "Tabasco refuses much of what it is asked to attest",
        "tabasco audit show says what and why",
    ),
    Alert(
        "VeracruzInternalErrors",
        'increase(veracruz_grpc_calls_total{outcome="internal"}[10m]) > 0',
        "0m",
        "a call failed by a fault of ours",
        "the service's log has the traceback",
    ),
    Alert(
        "VeracruzOpenFiles",
        'process_open_fds{job=~"veracruz-.*"} / process_max_fds > 0.8',
        "5m",
        "a service has almost as many open files as it may",
        "LimitNOFILE= in its unit",
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    return {
        "title": "Veracruz",
        "uid": "veracruz",
        "schemaVersion": 39,
        "tags": ["veracruz"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [
                {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "instance",
                    "label": "Instance",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "$source"},
                    "query": 'label_values(up{job=~"veracruz-.*"}, instance)',
                    "includeAll": True,
                    "multi": True,
                    "allValue": ".*",
                },
            ]
        },
        "panels": [*_panels()],
    }


def queries_of(metric: Metric) -> dict[str, str]:
    """What a panel asks about a metric, by what stands in its legend."""
    only = '{instance=~"$instance"}'
    by = ", ".join(metric.labels)
    legend = " ".join(f"{{{{{name}}}}}" for name in metric.labels) or "all"
    if metric.kind is MetricKind.HISTOGRAM:
        groups = ", ".join(["le", *metric.labels])
        buckets = f"sum by ({groups}) (rate({metric.name}_bucket{only}{_RATE}))"
        return {
            f"{name} {'' if legend == 'all' else legend}".strip(): (
                f"histogram_quantile({part}, {buckets})"
            )
            for name, part in (("half", 0.5), ("95 %", 0.95))
        }
    values = f"{metric.name}{only}"
    if metric.kind is MetricKind.COUNTER:
        values = f"rate({values}{_RATE})"
    return {legend: f"sum by ({by}) ({values})" if by else f"sum({values})"}


def rules() -> str:
    """The alerts, as a file of rules for Prometheus."""
    lines = ["groups:", "  - name: veracruz", "    rules:"]
    for each in ALERTS:
        lines += [
            f"      - alert: {each.name}",
            f"        expr: {json.dumps(each.query)}",
            f"        for: {each.lasting}",
            "        annotations:",
            f"          summary: {json.dumps(each.summary)}",
            f"          remedy: {json.dumps(each.remedy)}",
        ]
    return "\n".join(lines) + "\n"


def write_monitoring(folder: Path, *, force: bool) -> tuple[Path, ...]:
    """Write the dashboard and the alerts, or neither, below a folder.

    Args:
        folder: it is made where it is missing.
        force: overwrite those that are there.

    Returns:
        the files.

    Raises:
        VeracruzError: a file exists already (without `force`), or cannot be written.
    """
    board = json.dumps(dashboard(), indent=1) + "\n"
    made = (
        NewFile(folder / DASHBOARD, board.encode(), 0o644),
        NewFile(folder / ALERTS_FILE, rules().encode(), 0o644),
    )
    for each in made:
        try:
            each.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnitError(f"cannot make {each.path.parent}: {error.strerror}") from error
    write_new_files(*made, force=force)
    return tuple(each.path for each in made)


def _panels() -> Iterator[dict[str, Any]]:
    row = 0
    number = 1
    for title, metrics in SECTIONS.items():
        place = {"h": 1, "w": _WIDTH * _COLUMNS, "x": 0, "y": row}
        yield {"id": number, "type": "row", "title": title, "gridPos": place, "collapsed": False}
        row, number = row + 1, number + 1
        for position, metric in enumerate(metrics):
            yield _panel(number, metric, position % _COLUMNS, row + position // _COLUMNS * _HEIGHT)
            number += 1
        row += -(-len(metrics) // _COLUMNS) * _HEIGHT


def _panel(number: int, metric: Metric, column: int, row: int) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "$source"}
    return {
        "id": number,
        "type": "timeseries",
        "title": metric.name,
        "description": metric.means,
        "datasource": source,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": column * _WIDTH, "y": row},
        "fieldConfig": {"defaults": {"unit": _unit(metric), "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": query,
             "legendFormat": legend}
            for index, (legend, query) in enumerate(queries_of(metric).items())
        ],
    }  # fmt: skip


def _unit(metric: Metric) -> str:
    if metric.kind is MetricKind.HISTOGRAM:
        return "s"
    if metric.kind is MetricKind.COUNTER:
        return "Bps" if "_bytes_" in metric.name else "ops"
    return "short"
