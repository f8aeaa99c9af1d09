"""Metrics: labels that nobody outside can add to, and an endpoint that few can hold."""

import contextlib
import socket
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import click
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from support.patience import PATIENCE_S
from veracruz_shells import metrics_endpoint
from veracruz_shells.metrics import OTHER, Metric, MetricKind, named
from veracruz_shells.metrics_endpoint import MetricsEndpoint, metrics_option
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

ASKED = Metric(
    "veracruz_demo_asked_total", MetricKind.COUNTER, "Asked.", {"outcome": ("good", "bad")}
)
TOOK = Metric("veracruz_demo_duration_seconds", MetricKind.HISTOGRAM, "Took.")
OPEN = Metric("veracruz_demo_open", MetricKind.GAUGE, "Open.", {"state": ("new", "old")})
CARRIED = Metric(
    "veracruz_demo_carried_bytes_total", MetricKind.COUNTER, "Carried.", {"direction": ("in",)}
)
TABLE = (ASKED, TOOK, OPEN, CARRIED)
HERE = Address("127.0.0.1", 0)


@pytest.fixture
def endpoint():
    looks = {
        OPEN.name: lambda: {("old",): 3, ("x",): 1, ("y",): 1},
        CARRIED.name: lambda: {("in",): 7},
    }
    with MetricsEndpoint(HERE, TABLE, looks, service="demo") as serving:
        yield serving


def read(endpoint):
    """The samples, by name and labels."""
    with urlopen(endpoint.url, timeout=PATIENCE_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = [*text_string_to_metric_families(answer.read().decode())]
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_is_recorded_is_served_under_the_names_of_the_table(endpoint):
    ASKED.add(outcome="good")
    ASKED.add(2, outcome="good")
    TOOK.add(0.2)
    found = read(endpoint)
    assert found[ASKED.name, "good"] == 3
    assert found[f"{TOOK.name}_count",] == 1
    assert found[f"{TOOK.name}_bucket", "0.5"] == 1
    assert found[f"{TOOK.name}_bucket", "0.1"] == 0
    assert found[CARRIED.name, "in"] == 7
    assert found["process_open_fds",] > 0


def test_what_has_not_happened_is_there_as_zero(endpoint):
    found = read(endpoint)
    assert found[ASKED.name, "bad"] == 0
    assert found[OPEN.name, "new"] == 0


def test_a_value_that_the_table_does_not_name_counts_as_other(endpoint):
    for number in range(1000):
        ASKED.add(outcome=f"9f3c{number}")
    found = read(endpoint)
    assert {key[1] for key in found if key[0] == ASKED.name} == {"good", "bad", OTHER}
    assert found[ASKED.name, OTHER] == 1000
    assert found[OPEN.name, OTHER] == 2, "values that are looked at, too, and together"


def test_after_its_end_nothing_is_kept_and_nobody_listens():
    with MetricsEndpoint(HERE, TABLE, {}, service="demo") as serving:
        url = serving.url
        ASKED.add(outcome="good")
    ASKED.add(outcome="good")
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=PATIENCE_S)
    with MetricsEndpoint(HERE, TABLE, {}, service="demo") as serving:
        assert read(serving)[ASKED.name, "good"] == 0


def test_without_an_address_nothing_is_loaded_and_nothing_served(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    with MetricsEndpoint(None, TABLE, {}, service="demo") as serving:
        ASKED.add(outcome="good")
        assert (serving.url, serving.facts) == (None, {})


def test_a_missing_extra_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    with (
        pytest.raises(VeracruzError, match=r"pip install 'veracruz-demo\[metrics\]'"),
        MetricsEndpoint(HERE, TABLE, {}, service="demo"),
    ):
        pass


def test_an_address_in_use_is_an_error_that_names_it(endpoint):
    place = Address("127.0.0.1", int(endpoint.url.split(":")[2].split("/")[0]))
    with (
        pytest.raises(VeracruzError, match=rf"{place} for metrics: address already in use"),
        MetricsEndpoint(place, TABLE, {}, service="demo"),
    ):
        pass


def test_there_is_nothing_but_the_metrics(endpoint):
    for path in ("/", "/metrics/..", "/debug"):
        with pytest.raises(HTTPError) as caught:
            urlopen(endpoint.url.replace("/metrics", path), timeout=PATIENCE_S)
        with caught.value as answer:
            assert answer.code == 404
            assert answer.read() == b"404 there is /metrics alone\n"


def test_who_holds_connections_and_says_nothing_loses_them(endpoint, monkeypatch):
    monkeypatch.setattr(metrics_endpoint, "_WAIT_S", 0.2)
    host, port = endpoint.url.removeprefix("http://").removesuffix("/metrics").split(":")
    silent = [socket.create_connection((host, int(port)), PATIENCE_S) for _ in range(32)]
    try:
        for each in silent:
            with contextlib.suppress(ConnectionResetError):
                assert each.recv(1) == b"", "ended: too many, or too long"
    finally:
        for each in silent:
            each.close()
    assert read(endpoint)


@pytest.mark.parametrize(
    ("word", "address"),
    [("9464", "127.0.0.1:9464"), ("0.0.0.0:1", "0.0.0.0:1"), ("[::1]:2", "[::1]:2")],
)
def test_a_port_alone_is_one_of_this_machine(word, address):
    command = click.command()(metrics_option(lambda metrics: click.echo(str(metrics))))
    assert CliRunner().invoke(command, ["--metrics", word]).output == f"{address}\n"


@pytest.mark.parametrize("word", ["", "65536", "here", "-1", "1.5", "²"])
def test_what_is_no_address_is_refused(word):
    command = click.command()(metrics_option(lambda metrics: click.echo(str(metrics))))
    assert CliRunner().invoke(command, ["--metrics", word]).exit_code == 2


def test_a_name_is_there_once():
    with pytest.raises(AssertionError):
        named([ASKED, ASKED])


def test_labels_are_those_of_the_table():
    with pytest.raises(AssertionError):
        ASKED.bounded({"outcome": "good", "peer": "192.0.2.1"})
