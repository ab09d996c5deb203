"""The Grafana dashboard of a venue: all metrics are drawn, each in a panel of its unit."""

from __future__ import annotations

import json

import pytest

from grafana_lint import lost, wrong_with
from surgetank.operations.dashboard import venue_dashboard_json
from surgetank.operations.metrics import METRICS

#: Endings of the samples that a query uses, by kind (Prometheus' exposition format).
ENDINGS = {"counter": "_total", "gauge": "", "histogram": "_bucket"}


@pytest.fixture(scope="module")
def served() -> dict[str, set[str]]:
    """Labels by sample, with the one that a scrape adds; that these are served is shown by
    test_operations.py."""
    return {
        metric.family + ENDINGS[metric.kind]: {*metric.labels, "instance", "le"}
        for metric in METRICS
    }


def test_the_dashboard_draws_every_metric(served: dict[str, set[str]]) -> None:
    assert wrong_with(json.loads(venue_dashboard_json()), served) == []


@pytest.mark.parametrize(
    ("seeded", "instead", "found"),
    [
        ("surgetank_venue_sessions{", "surgetank_venue_gone{", "sessions is not drawn"),
        ("{{reason}}", "{{gone}}", "no label gone"),
        ("rate(surgetank_venue_sync_seconds_bucket{", "delta(surgetank_venue_sync_seconds_bucket{",
         "rates are of counters"),
        ('"title": "Money"', '"title": "Prices"', "Prices: two panels"),
    ],
)  # fmt: skip
def test_a_wrong_dashboard_is_seen(
    seeded: str, instead: str, found: str, served: dict[str, set[str]]
) -> None:
    """The controls of the lint."""
    text = venue_dashboard_json()
    assert seeded in text
    assert found in " ".join(wrong_with(json.loads(text.replace(seeded, instead)), served))


def test_it_has_grafana_s_structure() -> None:
    assert lost(venue_dashboard_json()) == {}


def test_a_panel_has_one_unit() -> None:
    """Series of one panel share an axis."""
    endings = ("_bytes", "_seconds", "_usd", "_price")

    def unit(name: str) -> str:
        return next((ending for ending in endings if ending in name), "")

    units: dict[str, set[tuple[str, bool]]] = {}
    for metric in METRICS:
        units.setdefault(metric.panel, set()).add((unit(metric.name), metric.kind == "counter"))
    assert {panel: found for panel, found in units.items() if len(found) > 1} == {}
