"""What Sonora traces, outside isolates."""

from collections.abc import Sequence
from typing import Final

from veracruz_shells.traces import SpanSide, SpanType

LAUNCH: Final = SpanType(
    "sonora.launch",
    SpanSide.SERVER,
    "A bridge gets the isolate of a policy: the one there is, or a new one, locally attested.",
    ("policy", "isolate", "found_again"),
)
MINT_TOKEN: Final = SpanType(
    "sonora.mint-token",
    SpanSide.SERVER,
    "An isolate is vouched for.",
    ("policy", "isolate", "bytes_out"),
)
ENROL: Final = SpanType(
    "sonora.enrol",
    SpanSide.INTERNAL,
    "This machine enrols with Tabasco, at first or anew.",
)

SPANS: Final[Sequence[SpanType]] = (LAUNCH, MINT_TOKEN, ENROL)
"""All, beside calls over gRPC."""
