"""What every service on gRPC counts of its calls."""

from typing import Final

from veracruz_shells.metrics import Metric, MetricKind

OUTCOMES: Final = (
    "answered",
    "cancelled",
    "failed-precondition",
    "internal",
    "invalid-argument",
    "not-found",
    "permission-denied",
    "resource-exhausted",
    "unavailable",
)
"""How a call ends, in gRPC's words but for the first."""

CALLS: Final = Metric(
    "veracruz_grpc_calls_total",
    MetricKind.COUNTER,
    "Calls that are over, by how they ended: what is asked of the service, or of its health.",
    {"kind": ("work", "health"), "outcome": OUTCOMES},
)
CALLS_NOW: Final = Metric(
    "veracruz_grpc_open_calls",
    MetricKind.GAUGE,
    "Calls now: in progress, streams, and those whose request is still to come.",
    {"state": ("in-progress", "streams", "arriving")},
)

GRPC_METRICS: Final = (CALLS, CALLS_NOW)
