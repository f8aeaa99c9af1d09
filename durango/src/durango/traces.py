"""What a principal's own program traces."""

from collections.abc import Sequence
from typing import Final

from veracruz_shells.traces import SpanSide, SpanType

COMMAND: Final = SpanType(
    "durango.command",
    SpanSide.INTERNAL,
    "A command, from its first word to its end.",
    ("method",),
)
ATTEST: Final = SpanType(
    "durango.attest",
    SpanSide.INTERNAL,
    "The isolate is attested: a token of the bridge, Tabasco's result, the gate.",
    ("policy",),
)
CONNECT: Final = SpanType(
    "durango.connect",
    SpanSide.CLIENT,
    "A session with the isolate is opened, its TLS handshake included; again when it broke.",
    ("policy", "transport"),
)
SEND_PROGRAM: Final = SpanType(
    "durango.send-program",
    SpanSide.CLIENT,
    "The program is sent, and the isolate has taken it in.",
    ("bytes_out",),
)
SEND_INPUT: Final = SpanType(
    "durango.send-input",
    SpanSide.CLIENT,
    "An input is sent, and the isolate has taken it in.",
    ("content", "bytes_out"),
)
GET_RESULT: Final = SpanType(
    "durango.get-result",
    SpanSide.CLIENT,
    "The result is asked for, which may run the program, and fetched.",
    ("bytes_in",),
)
STATUS: Final = SpanType(
    "durango.status", SpanSide.CLIENT, "The isolate is asked where the computation stands."
)
WAIT: Final = SpanType(
    "durango.wait",
    SpanSide.CLIENT,
    "The isolate is asked so again and again, until others have done their part.",
)

SPANS: Final[Sequence[SpanType]] = (
    COMMAND, ATTEST, CONNECT, SEND_PROGRAM, SEND_INPUT, GET_RESULT, STATUS, WAIT
)  # fmt: skip
"""All, beside calls over gRPC."""
