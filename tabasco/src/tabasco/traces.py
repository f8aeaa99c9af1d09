"""What the attestation service traces."""

from collections.abc import Sequence
from typing import Final

from veracruz_shells.traces import SpanSide, SpanType

HTTP_REQUEST: Final = SpanType(
    "tabasco.http-request",
    SpanSide.SERVER,
    "A request over HTTP, from its head to the end of the answer; not of health checks.",
    ("method", "bytes_in", "bytes_out", "refusal"),
)

SPANS: Final[Sequence[SpanType]] = (HTTP_REQUEST,)
"""All, beside calls over gRPC."""
