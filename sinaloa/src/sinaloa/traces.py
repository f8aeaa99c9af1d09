"""What a bridge traces."""

from collections.abc import Sequence
from typing import Final

from veracruz_shells.traces import SpanSide, SpanType

SESSION: Final = SpanType(
    "sinaloa.session",
    SpanSide.SERVER,
    "A session with the isolate, from the wish for it to its end.",
    ("policy", "session", "bytes_in", "bytes_out"),
)
LAUNCH: Final = SpanType(
    "sinaloa.launch",
    SpanSide.CLIENT,
    "Sonora is asked for the isolate of a policy.",
    ("policy", "isolate", "found_again"),
)
MINT_TOKEN: Final = SpanType(
    "sinaloa.mint-token",
    SpanSide.CLIENT,
    "Sonora is asked to vouch for an isolate.",
    ("isolate", "bytes_in"),
)

SPANS: Final[Sequence[SpanType]] = (SESSION, LAUNCH, MINT_TOKEN)
"""All, beside calls over gRPC."""
