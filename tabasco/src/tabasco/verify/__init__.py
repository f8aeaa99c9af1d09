"""Verifiers of native hardware evidence, one module per kind; no input or output, no clock."""

from tabasco.verify.base import (
    Acceptance,
    Concern,
    EvidenceError,
    Fault,
    Proven,
    Stage,
    TcbStatus,
    appraise,
)

__all__ = [
    "Acceptance",
    "Concern",
    "EvidenceError",
    "Fault",
    "Proven",
    "Stage",
    "TcbStatus",
    "appraise",
]
