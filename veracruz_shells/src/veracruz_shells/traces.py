"""What services and clients trace: a table of spans, and how one is begun and ended.

Theory of operation. A span says what its type lists and nothing else: numbers, and words of a form
in which no name and no text of an error fits. What has another form is `other`. Nothing is kept
unless somebody exports it (`trace_export`), so that a program without it loads nothing and pays one
comparison. The span that is under way is a context variable: what is begun meanwhile is a part of
it, in a thread too if that runs in a copy of the context. From another process comes the header
`traceparent` of W3C Trace Context. Who sends it may be anybody: it is of bounded length, one that
is malformed counts as none, and it does not decide whether a span is kept.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from enum import StrEnum
from types import TracebackType
from typing import Final, ParamSpec, Protocol, TypedDict, TypeVar, Unpack

from veracruz_utils.frozen import frozen

TRACEPARENT: Final = "traceparent"
"""The name of the header in metadata and over HTTP."""
MAX_TRACEPARENT_CHARS: Final = 64
"""Of what is looked at; the version there is has 55."""
OTHER: Final = "other"
"""The value of a word that has not the form of its kind."""
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class SpanFacts(TypedDict, total=False):
    """What a span may say of what it stands for.

    Attributes:
        policy: the digest of the policy, in hexadecimal.
        session: the number of a session, of this process.
        isolate: the number of an isolate, of this Sonora.
        method: which command, or which method and route over HTTP, was asked for.
        content: which kind of content.
        transport: by which way.
        found_again: whether there was an isolate already.
        bytes_in: how many bytes came.
        bytes_out: how many bytes went.
        outcome: how it ended.
        refusal: for which reason it was refused.
    """

    policy: str | None
    session: int | None
    isolate: int | None
    method: str | None
    content: str | None
    transport: str | None
    found_again: bool | None
    bytes_in: int | None
    bytes_out: int | None
    outcome: str | None
    refusal: str | None


_WORD: Final = "[a-z][a-z0-9-]{0,39}"
FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "policy": re.compile("[0-9a-f]{64}"),
    "method": re.compile(r"(?:(?:[A-Z]{3,7}|[?]) )?[\w/{}.:?-]{1,100}", re.ASCII),
    "content": re.compile("program|data|stream"),
    "transport": re.compile("grpc|tcp"),
    "outcome": re.compile(_WORD),
    "refusal": re.compile(_WORD),
}
"""The form of every fact that is a word; the others are numbers, or yes and no."""


class SpanSide(StrEnum):
    """Where a span stands in a call between two processes."""

    CLIENT = "client"
    SERVER = "server"
    INTERNAL = "internal"


class OpenSpan(Protocol):
    """A span that is under way, as who exports it keeps it."""

    @property
    def traceparent(self) -> str:
        """What tells another process of it."""

    def tell(self, name: str, value: str | int) -> None:
        """A fact of it."""

    def end(self, error: BaseException | None, outcome: str | None) -> None:
        """It is over, by this error or by none; `outcome` says more of that, if it is there."""


@frozen
class SpanType:
    """One kind of span.

    Attributes:
        name: of the span.
        side: where it stands.
        means: what it stands for, for people.
        facts: which of `SpanFacts` it may have, beside `outcome`.
    """

    name: str
    side: SpanSide
    means: str
    facts: tuple[str, ...] = ()

    def span(self, parent: str | None = None, **facts: Unpack[SpanFacts]) -> "Lasting":
        """A block that is such a span, if anybody exports it.

        Args:
            parent: the `traceparent` that came with a call; else it is a part of the span that is
                under way, if one is.
            facts: what is known of it already.
        """
        return _NOTHING if _SINK.begin is None else _Recorded(_SINK.begin, self, parent, facts)

    def around(self, function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        """A decorator: every call of the function is such a span."""

        @functools.wraps(function)
        def traced(*args: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
            with self.span():
                return function(*args, **named)

        return traced


Begin = Callable[[SpanType, OpenSpan | None, str | None], OpenSpan]
"""Begins a span of a type: a part of another one, or of what another process named, or its own."""


class _Sink:
    """Where the spans of this process go."""

    begin: Begin | None = None


_SINK: Final = _Sink()
_UNDER_WAY: Final[ContextVar["_Recorded | None"]] = ContextVar("_under_way", default=None)


class Lasting:
    """A block; of this class itself, one that is no span."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class _Recorded(Lasting):
    """A span, from the beginning of the block to its end."""

    __slots__ = ("_begin", "_facts", "_outcome", "_parent", "_token", "_type", "span")

    def __init__(
        self, begin: Begin, span_type: SpanType, parent: str | None, facts: SpanFacts
    ) -> None:
        self._begin = begin
        self._type = span_type
        self._parent = parent
        self._facts = facts
        self._outcome: str | None = None
        self.span: OpenSpan | None = None
        self._token: Token[_Recorded | None] | None = None

    def __enter__(self) -> None:
        above = _UNDER_WAY.get()
        self.span = self._begin(self._type, above.span if above else None, self._parent)
        self._token = _UNDER_WAY.set(self)
        self.tell(self._facts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.span is not None
        assert self._token is not None
        _UNDER_WAY.reset(self._token)
        self.span.end(error, self._outcome)

    def tell(self, facts: SpanFacts) -> None:
        assert self.span is not None
        for name, value in facts.items():
            if value is None:
                continue
            assert name in {*self._type.facts, "outcome"}, f"{self._type.name} has no {name}"
            assert isinstance(value, str | int)
            bounded = _bounded(name, value)
            if name == "outcome":
                self._outcome = str(bounded)
            else:
                self.span.tell(name, bounded)


_NOTHING: Final = Lasting()


def tell(**facts: Unpack[SpanFacts]) -> None:
    """Add to the span that is under way, if one is."""
    recorded = _UNDER_WAY.get()
    if recorded is not None:
        recorded.tell(facts)


def traceparent() -> str | None:
    """What tells another process of the span that is under way, if one is."""
    recorded = _UNDER_WAY.get()
    return None if recorded is None or recorded.span is None else recorded.span.traceparent


def traceparent_in(headers: Iterable[tuple[str, str | bytes]]) -> str | None:
    """What came with a call: the one `traceparent` of a length that one can have.

    Args:
        headers: names in lower case, and values.
    """
    if _SINK.begin is None:
        return None
    found = [value for name, value in headers if name == TRACEPARENT]
    if len(found) != 1 or len(found[0]) > MAX_TRACEPARENT_CHARS:
        return None
    (value,) = found
    return value.decode("latin-1") if isinstance(value, bytes) else value


def trace_with(begin: Begin | None) -> None:
    """Have every span from now on begun by this; None for by nobody."""
    _SINK.begin = begin


def is_tracing() -> bool:
    """Whether anybody exports spans."""
    return _SINK.begin is not None


def _bounded(name: str, value: str | int) -> str | int:
    form = FORMS.get(name)
    if form is None:
        return value if isinstance(value, int) else OTHER
    return value if isinstance(value, str) and form.fullmatch(value) else OTHER
