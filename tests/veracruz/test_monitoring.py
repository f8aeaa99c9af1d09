"""The dashboard and the alerts: of metrics, labels and values that there are."""

import json
import re

import pytest
import yaml
from click.testing import CliRunner

from veracruz.cli import main
from veracruz.monitoring import (
    ALERTS,
    ALERTS_FILE,
    DASHBOARD,
    SECTIONS,
    dashboard,
    queries_of,
    write_monitoring,
)
from veracruz_shells.metrics import MetricKind
from veracruz_utils.errors import VeracruzError

METRICS = {each.name: each for metrics in SECTIONS.values() for each in metrics}
PANELS = [each for each in dashboard()["panels"] if each["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def check(query):
    """Every metric, label and value of a query is one of the tables."""
    found = re.findall(r"(veracruz_[a-z_]+)(?:\{([^}]*)\})?", query)
    metrics = []
    for name, matchers in found:
        metric = METRICS.get(name) or METRICS[name.removesuffix("_bucket")]
        metrics.append(metric)
        for label, value in re.findall(r'(\w+)!?=~?"([^"]*)"', matchers):
            if label != "instance":
                assert value in metric.labels[label], query
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        for label in grouped.split(", "):
            assert label in {"le", "instance"} or any(label in each.labels for each in metrics)
    return metrics


@pytest.mark.parametrize("query", [*QUERIES, *(each.query for each in ALERTS)])
def test_a_query_names_metrics_labels_and_values_that_there_are(query):
    assert query.count("(") == query.count(")")
    metrics = check(query)
    assert metrics or query.startswith(("up{", "process_"))
    for each in metrics:
        if each.kind is MetricKind.COUNTER:
            assert re.search(rf"(rate|increase)\({each.name}", query), "a counter only grows"


def test_there_is_a_panel_for_every_metric_and_no_two_in_one_place():
    assert [each["title"] for each in PANELS] == list(METRICS)
    corners = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in dashboard()["panels"]]
    assert len(set(corners)) == len(corners)
    assert len({each["id"] for each in dashboard()["panels"]}) == len(corners)


def test_a_duration_is_shown_as_what_half_and_most_stay_below():
    asked = queries_of(METRICS["veracruz_sinaloa_session_duration_seconds"])
    assert list(asked) == ["half", "95 %"]
    assert asked["half"].startswith("histogram_quantile(0.5, sum by (le) (rate(")


def test_the_command_writes_what_grafana_and_prometheus_read(tmp_path):
    words = ["monitoring", "--output", str(tmp_path / "new")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "new" / DASHBOARD).read_text()) == dashboard()
    (group,) = yaml.safe_load((tmp_path / "new" / ALERTS_FILE).read_text())["groups"]
    assert [(each["alert"], each["expr"]) for each in group["rules"]] == [
        (each.name, each.query) for each in ALERTS
    ]
    assert all(re.fullmatch(r"\d+m", each["for"]) for each in group["rules"])
    with pytest.raises(VeracruzError, match="exists"):
        write_monitoring(tmp_path / "new", force=False)
