"""What a request says of the trace that it is a part of, outside the isolate alone."""

from typing import Annotated, Final, TypeAlias

from colima.codec import at_most

MAX_TRACEPARENT_CHARS: Final = 64
"""The version there is has 55."""
Traceparent: TypeAlias = Annotated[str, at_most(MAX_TRACEPARENT_CHARS)]
"""The header `traceparent` of W3C Trace Context; empty for none. It proves nothing."""
