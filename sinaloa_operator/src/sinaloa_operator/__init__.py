"""An operator for Kubernetes: computations and attestation services as custom resources.

It is outside the trusted base: it holds no principal's key and vouches for nothing. A computation
that it places wrongly is caught by the principals' own attestation.
"""

from sinaloa_operator.attestation import objects_for
from sinaloa_operator.decisions import Course, Plan, Seen, decide
from sinaloa_operator.definitions import definitions
from sinaloa_operator.errors import ObjectRefusedError, OperatorError
from sinaloa_operator.specification import Placement

__all__ = [
    "Course",
    "ObjectRefusedError",
    "OperatorError",
    "Placement",
    "Plan",
    "Seen",
    "decide",
    "definitions",
    "objects_for",
]
