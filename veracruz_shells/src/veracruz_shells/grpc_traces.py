"""The spans of calls over gRPC: named by the method's full name, on both sides."""

from functools import cache
from typing import Final

from veracruz_shells.health import HEALTH_SERVICE
from veracruz_shells.traces import SpanSide, SpanType

_FACTS: Final = ("policy", "bytes_in", "bytes_out", "refusal")
CALL_MADE: Final = SpanType(
    "package.Service/Method", SpanSide.CLIENT, "A call of a service, of one request.", _FACTS
)
CALL_ANSWERED: Final = SpanType(
    "package.Service/Method",
    SpanSide.SERVER,
    "The same where it is answered, from its request's arrival on; not of health checks.",
    _FACTS,
)


@cache
def call_made(method: str) -> SpanType:
    """The span of a call of this method, such as `/veracruz.tabasco.v1.Tabasco/Describe`."""
    return SpanType(method.removeprefix("/"), CALL_MADE.side, CALL_MADE.means, _FACTS)


@cache
def call_answered(method: str) -> SpanType:
    """The span of a call of this method, where it is answered."""
    return SpanType(method.removeprefix("/"), CALL_ANSWERED.side, CALL_ANSWERED.means, _FACTS)


def is_traced(method: str) -> bool:
    """Whether calls of this method have spans."""
    return not method.startswith(f"/{HEALTH_SERVICE}/")
