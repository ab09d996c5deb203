"""The Grafana dashboard: each query is PromQL on what a live run serves; all of it is drawn."""

from __future__ import annotations

import json

import pytest

from collecting import scrape
from grafana_lint import lost, wrong_with
from surgetank.live.export.dashboard import dashboard_json
from surgetank.live.export.prometheus import Prometheus
from surgetank.live.snapshot import ClassDelays, Snapshot

SEEN = Snapshot(
    2.5, 10.0, "nats:", "calm", by_class={"order": ClassDelays(1, 1.0, 2.0)}, faults=("stall",)
)


@pytest.fixture(scope="module")
def served() -> dict[str, set[str]]:
    """The labels of each metric, as scraped from a run."""
    with Prometheus(0) as exporter:
        exporter(SEEN)
        return {name: {label for label, _ in labels} for name, labels in scrape(exporter.url)}


def test_the_dashboard_draws_what_is_served(served: dict[str, set[str]]) -> None:
    """Each metric in a panel, each query on a metric and labels that there are."""
    assert len(served) >= 15
    assert wrong_with(json.loads(dashboard_json()), served) == []


@pytest.mark.parametrize(
    ("seeded", "instead", "found"),
    [
        ("surgetank_backlog{", "surgetank_gone{", "no metric surgetank_gone"),
        ("{{fault}}", "{{gone}}", "no label gone"),
        ('scenario=\\"$scenario\\"', 'gone=\\"$gone\\"', "no variable gone"),
        ("rate(surgetank_sent_total{", "deriv(surgetank_sent_total{", "rates are of counters"),
        ('"unit": "s"', '"max": 1', "no unit"),
        ('"x": 12', '"x": 0', "one number or place"),
    ],
)
def test_a_wrong_dashboard_is_seen(
    seeded: str, instead: str, found: str, served: dict[str, set[str]]
) -> None:
    """The controls of the lint."""
    text = dashboard_json()
    assert seeded in text
    assert found in " ".join(wrong_with(json.loads(text.replace(seeded, instead)), served))


def test_it_has_grafana_s_structure() -> None:
    """Read by Grafana's own models and written again, nothing is lost or renamed."""
    text = dashboard_json()
    assert lost(text) == {}
    assert "pannels" in lost(json.dumps(json.loads(text) | {"pannels": []}))
