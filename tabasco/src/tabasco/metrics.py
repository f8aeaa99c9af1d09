"""What Tabasco counts and measures. Nothing here names an instance, a key or an address."""

from typing import Final

from tabasco.errors import RejectionReason
from tabasco.verify.kinds import EvidenceKind
from veracruz_shells.grpc_metrics import GRPC_METRICS, OUTCOMES
from veracruz_shells.metrics import Metric, MetricKind
from veracruz_utils.policy import LINUX_SOFTWARE

_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM
_INTERFACES: Final = ("grpc", "http")
ACCEPTED: Final = "accepted"
CONTRAINDICATED: Final = "contraindicated"
"""Evidence that is authentic and that the policy does not accept: there is a result, saying so."""

REQUESTS: Final = Metric(
    "veracruz_tabasco_requests_total",
    _COUNTER,
    "Requests that are over, by how they ended.",
    {"interface": _INTERFACES, "outcome": (*OUTCOMES, "unauthenticated")},
)
REQUEST_SECONDS: Final = Metric(
    "veracruz_tabasco_request_duration_seconds",
    _HISTOGRAM,
    "How long requests took.",
    {"interface": _INTERFACES},
)
REQUEST_BYTES: Final = Metric(
    "veracruz_tabasco_request_bytes_total",
    _COUNTER,
    "Bytes of requests and of answers, without what protocols add.",
    {"interface": _INTERFACES, "direction": ("in", "out")},
)
ATTESTATIONS: Final = Metric(
    "veracruz_tabasco_attestations_total",
    _COUNTER,
    "Enrolments, tokens and evidence that were judged, and what was said of them.",
    {
        "action": ("enrol", "verify-token", "appraise"),
        "outcome": (ACCEPTED, CONTRAINDICATED, *(reason.value for reason in RejectionReason)),
    },
)
EVIDENCE: Final = Metric(
    "veracruz_tabasco_evidence_total",
    _COUNTER,
    "Enrolments and evidence that were judged, by the platform that it came from.",
    {
        "platform": (LINUX_SOFTWARE, *(kind.value for kind in EvidenceKind)),
        "accepted": ("yes", "no"),
    },
)
HANDSHAKES_REFUSED: Final = Metric(
    "veracruz_tabasco_handshakes_refused_total",
    _COUNTER,
    "Connections for HTTP that came to no request: TLS failed, the client was late or gone, or "
    "there was no room. gRPC keeps its own to itself.",
    {"reason": ("tls", "late-or-gone", "too-many")},
)
CONNECTIONS: Final = Metric(
    "veracruz_tabasco_http_connections", _GAUGE, "Connections for HTTP that are open."
)
READY: Final = Metric(
    "veracruz_tabasco_ready",
    _GAUGE,
    "1 while the database answers in time and there is a key for results, of all tenants.",
)

METRICS: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    REQUEST_BYTES,
    ATTESTATIONS,
    EVIDENCE,
    HANDSHAKES_REFUSED,
    CONNECTIONS,
    READY,
    *GRPC_METRICS,
)
