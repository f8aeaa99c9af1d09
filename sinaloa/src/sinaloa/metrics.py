"""What a bridge counts and measures. Nothing here names a policy, a principal or an address."""

from typing import Final

from sinaloa.session import SessionEnd
from veracruz_shells.grpc_metrics import GRPC_METRICS, OUTCOMES
from veracruz_shells.metrics import Metric, MetricKind

_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

SESSIONS: Final = Metric(
    "veracruz_sinaloa_sessions",
    _GAUGE,
    "Sessions now: let in by the isolate, or still to shake hands with it.",
    {"state": ("let-in", "handshaking")},
)
SESSIONS_ENDED: Final = Metric(
    "veracruz_sinaloa_sessions_ended_total",
    _COUNTER,
    "Sessions that are over, by what ended them.",
    {"outcome": tuple(SessionEnd)},
)
SESSIONS_REFUSED: Final = Metric(
    "veracruz_sinaloa_sessions_refused_total",
    _COUNTER,
    "Sessions that got no place, or no isolate.",
    {"reason": OUTCOMES[1:]},
)
HANDSHAKES_REFUSED: Final = Metric(
    "veracruz_sinaloa_handshakes_refused_total",
    _COUNTER,
    "Sessions that ended before the isolate let them in: 'ended' is the isolate's own refusal.",
    {"reason": tuple(SessionEnd)},
)
SESSION_BYTES: Final = Metric(
    "veracruz_sinaloa_session_bytes_total",
    _COUNTER,
    "Bytes that were carried to isolates and from them.",
    {"direction": ("in", "out")},
)
SESSION_SECONDS: Final = Metric(
    "veracruz_sinaloa_session_duration_seconds", _HISTOGRAM, "How long sessions lasted."
)
ATTESTATIONS: Final = Metric(
    "veracruz_sinaloa_attestations_total",
    _COUNTER,
    "Tokens that were asked for, by how that ended.",
    {"outcome": OUTCOMES},
)
ATTESTATION_SECONDS: Final = Metric(
    "veracruz_sinaloa_attestation_duration_seconds",
    _HISTOGRAM,
    "How long a token took, the launch of an isolate included.",
)
POLICIES: Final = Metric(
    "veracruz_sinaloa_policies",
    _GAUGE,
    "Policies that are served, by what their isolate does.",
    {"isolate": ("running", "waiting", "ended")},
)
SONORA_WAITING: Final = Metric(
    "veracruz_sinaloa_sonora_requests",
    _GAUGE,
    "Requests that Sonora has not answered yet.",
)

METRICS: Final = (
    SESSIONS,
    SESSIONS_ENDED,
    SESSIONS_REFUSED,
    HANDSHAKES_REFUSED,
    SESSION_BYTES,
    SESSION_SECONDS,
    ATTESTATIONS,
    ATTESTATION_SECONDS,
    POLICIES,
    SONORA_WAITING,
    *GRPC_METRICS,
)
