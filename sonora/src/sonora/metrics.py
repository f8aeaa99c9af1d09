"""What Sonora counts and measures. Nothing here names a policy, a principal or a user."""

from typing import Final

from veracruz_shells.grpc_metrics import GRPC_METRICS
from veracruz_shells.metrics import Metric, MetricKind

_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

ISOLATES: Final = Metric(
    "veracruz_sonora_isolates",
    _GAUGE,
    "Isolates that run: those that a bridge has, and those that are held for the next one.",
    {"state": ("with-bridge", "held")},
)
CONNECTIONS: Final = Metric(
    "veracruz_sonora_connections", _GAUGE, "Connections of bridges that are open."
)
CONNECTIONS_REFUSED: Final = Metric(
    "veracruz_sonora_connections_refused_total",
    _COUNTER,
    "Connections that were ended: of users who may not connect, beyond the limit, or malformed.",
    {"reason": ("not-admitted", "too-many", "malformed", "failed")},
)
LAUNCHES: Final = Metric(
    "veracruz_sonora_launches_total",
    _COUNTER,
    "Isolates that were asked for, by how that ended.",
    {"outcome": ("launched", "found-again", "refused")},
)
LAUNCH_SECONDS: Final = Metric(
    "veracruz_sonora_launch_duration_seconds",
    _HISTOGRAM,
    "How long a launch took, local attestation included.",
)
ISOLATES_ENDED: Final = Metric(
    "veracruz_sonora_isolates_ended_total",
    _COUNTER,
    "Isolates that are over, by how they ended: by their policy, at their bridge's word, or else.",
    {"outcome": ("quorum", "expired", "idle", "failure", "released")},
)
ISOLATE_SECONDS: Final = Metric(
    "veracruz_sonora_isolate_duration_seconds",
    _HISTOGRAM,
    "How long isolates ran. Runs of a program within are the isolate's own affair.",
)
TOKENS: Final = Metric(
    "veracruz_sonora_tokens_total",
    _COUNTER,
    "Tokens that isolates were vouched for with, or were refused.",
    {"outcome": ("minted", "refused")},
)
ENROLMENTS: Final = Metric(
    "veracruz_sonora_enrolments_total",
    _COUNTER,
    "Enrolments with Tabasco that were tried, by how that ended.",
    {"outcome": ("enrolled", "refused", "unreachable", "failed")},
)
ENROLMENT: Final = Metric(
    "veracruz_sonora_enrolment",
    _GAUGE,
    "1 for the state in which this machine's enrolment is, 0 for the others.",
    {"state": ("starting", "good", "due", "ended")},
)
ENROLMENT_CHECKS: Final = Metric(
    "veracruz_sonora_enrolment_checks_total",
    _COUNTER,
    "How often Tabasco was asked whether it still believes this machine, by what it said.",
    {"outcome": ("believed", "refused", "unreachable", "failed")},
)
CORES_WAITING: Final = Metric(
    "veracruz_sonora_cores_waiting", _GAUGE, "Cores of programs that wait to be compiled."
)

METRICS: Final = (
    ISOLATES,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    LAUNCHES,
    LAUNCH_SECONDS,
    ISOLATES_ENDED,
    ISOLATE_SECONDS,
    TOKENS,
    ENROLMENTS,
    ENROLMENT,
    ENROLMENT_CHECKS,
    CORES_WAITING,
    *GRPC_METRICS,
)
