"""The metrics of real services: as their tables say, and about nobody in particular."""

import contextlib
import re
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

import sinaloa.metrics
import sonora.metrics
import tabasco.metrics
from sonora.enrolled_key import EnrolmentState
from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack, new_party
from veracruz_shells.metrics import OTHER, MetricKind, named

TABLES = {
    "sinaloa": sinaloa.metrics.METRICS,
    "sonora": sonora.metrics.METRICS,
    "tabasco": tabasco.metrics.METRICS,
}
NAME = "Planted-Person-41f7"
_ENDINGS = re.compile("_(bucket|count|sum)$")


@pytest.fixture
def measured_stack(tmp_path, monkeypatch):
    for name in ("SINALOA", "SONORA", "TABASCO"):
        monkeypatch.setenv(f"{name}_SERVE_METRICS", "0")
    monkeypatch.setenv("TABASCO_SERVE_HTTP", "127.0.0.1:0")
    stack = Stack(tmp_path)
    yield stack
    stack.close()


class Reading:
    """What a service served at one time."""

    def __init__(self, service):
        url = re.search(r"metrics on (http://127\.0\.0\.1:\d+/metrics)", service.last_words)[1]
        with urlopen(url, timeout=PATIENCE_S) as answer:
            self.text = answer.read().decode()
        families = [*text_string_to_metric_families(self.text)]
        self.samples = [each for family in families for each in family.samples]
        self.kinds = {each.name: each.type for each in families}

    def value(self, name, **labels):
        return sum(
            each.value
            for each in self.samples
            if each.name == name and labels.items() <= each.labels.items()
        )


def check_against_table(reading, table):
    """Every sample is one of the table; all that start with zero are there."""
    metrics = named(table)
    ours = [each for each in reading.samples if not each.name.startswith("process_")]
    for each in ours:
        metric = metrics.get(each.name) or metrics[_ENDINGS.sub("", each.name)]
        labels = {name: value for name, value in each.labels.items() if name != "le"}
        assert labels.keys() == metric.labels.keys(), each
        for name, value in labels.items():
            assert value in {*metric.labels[name], OTHER}, each
    for metric in table:
        family = metric.name.removesuffix("_total")
        if metric.kind is not MetricKind.HISTOGRAM and metric.most_series <= 64:
            assert reading.kinds[family] == metric.kind, metric.name


def test_services_serve_what_their_tables_say_and_no_name(measured_stack):
    stack = measured_stack
    parties = [new_party(f"{NAME}-{number}") for number in range(2)]
    with stack.computation([PI], [RESULT], program=HELLO, parties=parties) as computation:
        services = {
            "tabasco": stack.tabasco, "sonora": stack.sonora, "sinaloa": computation.sinaloa,
        }  # fmt: skip
        computation.send_program(0)
        assert computation.result(1) == b"hello"
        with contextlib.closing(computation.transport()) as stranger:
            stranger.send(b"no TLS at all")
            while stranger.receive(timeout_s=PATIENCE_S):
                pass
        http = re.search(r"HTTP on (\S+)", stack.tabasco.last_words)[1]
        with urlopen(f"{http}/.well-known/tabasco", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{http}/v1/{NAME}", timeout=PATIENCE_S)
        readings = {}

        def all_told():
            readings.update({name: Reading(each) for name, each in services.items()})
            return readings["sinaloa"].value("veracruz_sinaloa_sessions_ended_total") == 3

        assert eventually(all_told)
        for name, reading in readings.items():
            check_against_table(reading, TABLES[name])
            assert NAME not in reading.text
            assert computation.policy.digest.value.hex() not in reading.text
            assert "127.0.0.1" not in reading.text
        bridge, root, service = (readings[name] for name in ("sinaloa", "sonora", "tabasco"))
        assert bridge.value("veracruz_sinaloa_handshakes_refused_total", reason="ended") == 1
        assert bridge.value("veracruz_sinaloa_session_bytes_total", direction="in") > len(HELLO)
        assert bridge.value("veracruz_sinaloa_session_duration_seconds_count") == 3
        assert bridge.value("veracruz_sinaloa_policies", isolate="running") == 1
        minted = root.value("veracruz_sonora_tokens_total", outcome="minted")
        assert bridge.value("veracruz_sinaloa_attestations_total", outcome="answered") == minted
        assert root.value("veracruz_sonora_isolates", state="with-bridge") == 1
        assert root.value("veracruz_sonora_enrolment", state="good") == 1
        enrolled = {"action": "enrol", "outcome": "accepted"}
        assert service.value("veracruz_tabasco_attestations_total", **enrolled) == 1
        assert service.value("veracruz_tabasco_ready") == 1
        of_http = {"interface": "http"}
        requests = "veracruz_tabasco_requests_total"
        assert service.value(requests, **of_http, outcome="answered") == 1
        assert service.value(requests, **of_http, outcome="not-found") == 1
        assert "method=GET /.well-known/tabasco bytes_in=0" in stack.tabasco.last_words
        assert "method=GET ? bytes_in=0" in stack.tabasco.last_words
        assert NAME not in stack.tabasco.last_words
        assert computation.shut_down(1) == 0
    ended = Reading(stack.sonora)
    assert ended.value("veracruz_sonora_isolates_ended_total", outcome="quorum") == 1
    assert ended.value("veracruz_sonora_isolates") == 0


def test_the_states_of_an_enrolment_are_those_that_it_has():
    assert sonora.metrics.ENROLMENT.labels["state"] == tuple(each.value for each in EnrolmentState)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_small_and_its_names_are_as_prometheus_has_them(name):
    table = named(TABLES[name]).values()
    assert sum(each.most_series for each in table) < 400
    assert len({each.name.removesuffix("_total") for each in table}) == len(table)
    for each in table:
        assert re.fullmatch(rf"veracruz_({name}|grpc)_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind is MetricKind.COUNTER)
        assert each.name.endswith("_seconds") == (each.kind is MetricKind.HISTOGRAM)
