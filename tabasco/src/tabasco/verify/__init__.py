"""Verifiers of native hardware evidence, one module per kind; no input or output, no clock."""

from tabasco.verify.base import (
    Acceptance,
    Check,
    Concern,
    EvidenceError,
    Fault,
    Proven,
    Stage,
    TcbStatus,
    appraise,
    checks,
)

__all__ = [
    "Acceptance",
    "Check",
    "Concern",
    "EvidenceError",
    "Fault",
    "Proven",
    "Stage",
    "TcbStatus",
    "appraise",
    "checks",
]
