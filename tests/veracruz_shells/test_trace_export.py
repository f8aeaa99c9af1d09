"""Spans on their way to a collector: over TLS, when there are too many, and to the end."""

import threading

import grpc
import pytest

from support.patience import PATIENCE_S
from support.tls_authority import TlsAuthority
from support.trace_collector import TraceCollector
from veracruz_shells.otel_spans import SpanExport
from veracruz_shells.trace_export import Tracing
from veracruz_shells.trace_settings import trace_settings
from veracruz_shells.traces import SpanSide, SpanType, is_tracing, trace_with
from veracruz_utils.errors import VeracruzError

STEP = SpanType("step", SpanSide.INTERNAL, "A step.", ("bytes_in",))


@pytest.fixture(autouse=True)
def nothing_traced_afterwards():
    yield
    trace_with(None)


class BusyCollector(TraceCollector):
    """One that answers once it is free."""

    def __init__(self):
        super().__init__()
        self.free = threading.Event()

    def Export(self, request, context):  # noqa: N802 - the protocol's
        self.free.wait(PATIENCE_S)
        return super().Export(request, context)


def sent(url, count=1):
    """What people are told while so many spans are sent there, to the end."""
    told = []
    export = SpanExport(trace_settings(url, {}), service="tabasco", version="1", tell=told.append)
    trace_with(export.begin)
    for number in range(count):
        with STEP.span(bytes_in=number):
            pass
    trace_with(None)
    export.close()
    return told


@pytest.fixture
def over_tls(tmp_path):
    """An authority, and a collector that has a certificate of it and asks clients for one."""
    authority = TlsAuthority(tmp_path / "tls")
    pair = authority.issue("collector")
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        authority.file.read_bytes(),
        require_client_auth=True,
    )
    with TraceCollector(credentials=credentials) as collector:
        yield authority, collector


def test_what_is_over_arrives_before_the_end_of_the_program():
    with TraceCollector() as collector:
        assert sent(collector.url, count=700) == []
        assert {each.facts["veracruz.bytes_in"] for each in collector.spans} == set(range(700))


def test_the_collector_is_believed_by_the_authority_that_is_named(over_tls, monkeypatch):
    authority, collector = over_tls
    ours = authority.issue("tabasco")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.file))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(ours.certificate))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(ours.key))
    assert sent(collector.url) == []
    assert [each.service for each in collector.spans] == ["tabasco"]


def test_a_collector_of_another_authority_gets_nothing_and_one_warning(
    over_tls, monkeypatch, tmp_path
):
    _, collector = over_tls
    stranger = TlsAuthority(tmp_path / "other", "stranger")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(stranger.file))
    (told,) = sent(collector.url)
    assert told.startswith(f"warning: the collector at {collector.url} takes no traces")
    assert not collector.spans


def test_of_more_spans_than_there_is_room_for_the_oldest_are_dropped():
    with BusyCollector() as collector:
        export = SpanExport(
            trace_settings(collector.url, {}), service="tabasco", version="1", tell=lambda _: None
        )
        trace_with(export.begin)
        for number in range(6000):
            with STEP.span(bytes_in=number):
                pass
        collector.free.set()
        export.close()
    arrived = {each.facts["veracruz.bytes_in"] for each in collector.spans}
    assert arrived >= set(range(6000 - 2048, 6000))
    assert len(arrived) < 3000


def test_a_variable_that_cannot_be_used_is_a_warning_and_a_setting_an_error(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "planted")
    with pytest.raises(VeracruzError, match="InvalidCompressionValueException"):
        Tracing("http://127.0.0.1:1", service="tabasco").__enter__()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with Tracing(None, service="tabasco"):
        assert not is_tracing()
    err = capsys.readouterr().err
    assert err.startswith("tabasco: warning: no traces: ")
    assert "planted" not in err


def test_where_traces_go_is_said_and_that_others_can_read_them(capsys):
    with Tracing("http://192.0.2.7", service="tabasco"):
        assert is_tracing()
    assert not is_tracing()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "tabasco: traces to http://192.0.2.7:4317"
    assert "in plain text: give an https URL" in said[1]
