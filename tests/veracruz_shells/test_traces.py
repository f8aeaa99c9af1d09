"""What spans may say, how they are nested, and which settings and headers are taken."""

import contextvars
import threading

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from veracruz_shells import traces
from veracruz_shells.otel_spans import OwnRatio
from veracruz_shells.trace_settings import are_traces_wanted, trace_settings
from veracruz_shells.traces import (
    FORMS,
    MAX_TRACEPARENT_CHARS,
    OTHER,
    TRACEPARENT,
    SpanFacts,
    SpanSide,
    SpanType,
    is_tracing,
    tell,
    trace_with,
    traceparent,
    traceparent_in,
)
from veracruz_utils.errors import RefusedError, VeracruzError

OUTER = SpanType("outer", SpanSide.INTERNAL, "Outside.", ("policy", "method"))
INNER = SpanType("inner", SpanSide.CLIENT, "Inside.", ("bytes_in", "found_again"))
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Kept:
    """A span that somebody kept."""

    def __init__(self, kind, above, parent):
        self.name, self.above, self.parent = kind.name, above, parent
        self.facts = {}
        self.error = self.outcome = None

    @property
    def traceparent(self):
        return f"of {self.name}"

    def tell(self, name, value):
        self.facts[name] = value

    def end(self, error, outcome):
        self.error, self.outcome = error, outcome


@pytest.fixture
def kept():
    """Every span that was begun, in order."""
    found = []

    def begin(*words):
        found.append(Kept(*words))
        return found[-1]

    trace_with(begin)
    yield found
    trace_with(None)


def test_nothing_is_kept_and_nothing_told_unless_somebody_exports_it():
    with OUTER.span(policy="ab" * 32) as block:
        assert block is None
        tell(method="status")
        assert traceparent() is None
        assert not is_tracing()
        assert OUTER.span() is INNER.span()


def test_what_is_begun_within_a_span_is_a_part_of_it(kept):
    @INNER.around
    def work(size):
        tell(bytes_in=size, found_again=None)
        assert traceparent() == "of inner"

    with OUTER.span("from elsewhere", policy="ab" * 32):
        work(7)
        tell(method="GET /v1/{name}", outcome="done")
        assert traceparent() == "of outer"
    with INNER.span():
        pass
    outer, inner, alone = kept
    assert (outer.above, outer.parent) == (None, "from elsewhere")
    assert outer.facts == {"policy": "ab" * 32, "method": "GET /v1/{name}"}
    assert outer.outcome == "done"
    assert (inner.above, inner.facts) == (outer, {"bytes_in": 7})
    assert alone.above is None


def test_a_span_ends_with_its_error_and_lets_it_pass(kept):
    error = RefusedError("the text of it")
    with pytest.raises(RefusedError), OUTER.span():
        raise error
    assert kept[0].error is error
    assert traceparent() is None


def test_a_thread_is_within_a_span_if_it_runs_in_a_copy_of_the_context(kept):
    with OUTER.span():
        context = contextvars.copy_context()
        for run in (context.run, lambda work: work()):
            thread = threading.Thread(target=run, args=(INNER.around(lambda: None),))
            thread.start()
            thread.join()
    assert [each.above for each in kept] == [None, kept[0], None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy", "ab" * 31), ("policy", "Alice"), ("policy", 7), ("method", "a secret text"),
        ("method", "GET /" + "x" * 200), ("method", "GET /\n"), ("outcome", "It failed"),
        ("outcome", ""), ("outcome", "x" * 41), ("refusal", "no, Alice"), ("content", "Alice"),
        ("transport", "http://alice"), ("bytes_in", "Alice"), ("session", 1.5),
    ],
)  # fmt: skip
def test_a_word_of_another_form_than_its_kind_is_other(name, value):
    assert traces._bounded(name, value) == OTHER


def test_every_fact_that_is_a_word_has_a_form():
    words = {name for name, kind in SpanFacts.__annotations__.items() if "str" in str(kind)}
    assert words == FORMS.keys()


def test_what_a_span_does_not_list_it_does_not_say(kept):
    with pytest.raises(AssertionError, match="inner has no policy"), INNER.span():
        tell(policy="ab" * 32)


def test_a_header_is_looked_at_if_it_is_there_once_and_of_a_length_that_one_can_have(kept):
    good = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    assert traceparent_in([("x", "y"), (TRACEPARENT, good)]) == good
    assert traceparent_in([(TRACEPARENT, good.encode())]) == good
    assert traceparent_in([(TRACEPARENT, b"\xff\x00")]) == "\xff\x00"
    assert traceparent_in([]) is None
    assert traceparent_in([(TRACEPARENT, good), (TRACEPARENT, good)]) is None
    assert traceparent_in([(TRACEPARENT, "0" * MAX_TRACEPARENT_CHARS)]) is not None
    assert traceparent_in([(TRACEPARENT, "0" * (MAX_TRACEPARENT_CHARS + 1))]) is None
    trace_with(None)
    assert traceparent_in([(TRACEPARENT, good)]) is None


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: " "}, False),
        ({ENDPOINT: "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ({ENDPOINT: "http://c:4317", "OTEL_SDK_DISABLED": "True"}, False),
        ({ENDPOINT: "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://c:4317", "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_are_wanted_where_a_collector_is_named_and_nothing_switches_them_off(
    environment, wanted
):
    assert are_traces_wanted(environment) == wanted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://c:1", "http://c:1"), ("https://c", "https://c:4317"), ("http://c:1/", "http://c:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)  # fmt: skip
def test_a_url_names_a_collector_and_whether_it_speaks_tls(url, shown):
    found = trace_settings(url, {ENDPOINT: "http://another:1"})
    assert found.url == shown
    assert found.is_plain == url.startswith("http:")
    assert trace_settings(None, {ENDPOINT: url}) == found


@pytest.mark.parametrize(
    "url",
    [
        "c:4317", "ftp://c:1", "http://", "http://c:1/path", "http://c:1?q", "http://c:99999",
        "http://c:x", "http://[::1", "unix:/socket", "",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_collector_is_refused(url):
    with pytest.raises(VeracruzError, match="is no URL for traces"):
        trace_settings(url or None, {})


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [
        ("", "0.5", 1), ("always_on", "0.5", 1), ("parentbased_always_on", "", 1),
        ("always_off", "", 0), ("parentbased_always_off", "1", 0), ("traceidratio", "0.25", 0.25),
        ("parentbased_traceidratio", "0.25", 0.25), ("traceidratio", "", 1),
    ],
)  # fmt: skip
def test_the_standard_names_of_samplers_say_how_much_is_kept(sampler, argument, ratio):
    environment = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert trace_settings("http://c", environment).ratio == ratio


@pytest.mark.parametrize(
    ("sampler", "argument"),
    [("jaeger_remote", ""), ("traceidratio", "2"), ("traceidratio", "nan"), ("traceidratio", "x")],
)
def test_a_sampler_that_is_not_known_is_refused(sampler, argument):
    environment = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    with pytest.raises(VeracruzError, match="OTEL_TRACES_SAMPLER"):
        trace_settings("http://c", environment)


def test_a_protocol_that_is_not_spoken_is_refused():
    with pytest.raises(VeracruzError, match="is 'http/protobuf', traces are sent by 'grpc'"):
        trace_settings("http://c", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})


def context_of(trace_id, *, sampled, remote):
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(trace_id, 1, remote, flags)))


def kept_of(ratio, *contexts):
    sampler = OwnRatio(ratio)
    return sum(sampler.should_sample(each, 1, "name").decision.is_sampled() for each in contexts)


def test_whoever_calls_can_have_fewer_spans_kept_and_never_more():
    # The numbers that a sampler by the trace's number would keep first, and last.
    lowest = [context_of(1, sampled=True, remote=True)] * 2000
    highest = [context_of(2**128 - 1, sampled=True, remote=True)] * 2000
    for contexts in (lowest, highest):
        assert kept_of(0, *contexts) == 0
        assert 300 < kept_of(0.25, *contexts) < 700
        assert kept_of(1, *contexts) == len(contexts)
    assert kept_of(1, context_of(1, sampled=False, remote=True)) == 0


def test_what_is_a_part_of_a_span_of_this_process_is_kept_with_it():
    assert kept_of(0, context_of(1, sampled=True, remote=False)) == 1
    assert kept_of(1, context_of(1, sampled=False, remote=False)) == 0
