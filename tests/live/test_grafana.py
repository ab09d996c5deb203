"""The Grafana dashboard: each query is PromQL on what a live run serves; all of it is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser as promql
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from collecting import scrape
from surgetank.live.export.dashboard import dashboard_json
from surgetank.live.export.prometheus import Prometheus
from surgetank.live.snapshot import ClassDelays, Snapshot

SEEN = Snapshot(
    2.5, 10.0, "nats:", "calm", by_class={"order": ClassDelays(1, 1.0, 2.0)}, faults=("stall",)
)


def selectors(expression: Any) -> Iterator[Any]:
    """The selectors of series in an expression of PromQL."""
    match expression:
        case promql.VectorSelector():
            yield expression
        case promql.MatrixSelector():
            yield expression.vector_selector
        case promql.Call():
            for argument in expression.args:
                yield from selectors(argument)
        case _:
            raise AssertionError(f"no selectors known of {type(expression)}")


def wrong_with(board: dict[str, Any], served: dict[str, set[str]]) -> list[str]:
    """What a linter of dashboards would report; `served` has the labels of each metric."""
    found = []
    variables = {one["name"] for one in board["templating"]["list"]}
    drawn = set()
    for panel in board["panels"]:
        place = panel["title"]
        found += [
            f"{place}: no {key}" for key in ("title", "description", "datasource") if not panel[key]
        ]
        if "unit" not in panel["fieldConfig"]["defaults"]:
            found.append(f"{place}: no unit")
        letters = [target["refId"] for target in panel["targets"]]
        if len(set(letters)) != len(letters):
            found.append(f"{place}: queries of one name")
        for target in panel["targets"]:
            used = set(re.findall(r"\$\{?(\w+)", json.dumps(target))) - {"__rate_interval"}
            found += [f"{place}: no variable {name}" for name in sorted(used - variables)]
            for one in selectors(promql.parse(target["expr"].replace("$__rate_interval", "1m"))):
                drawn.add(one.name)
                if one.name not in served:
                    found.append(f"{place}: no metric {one.name}")
                    continue
                named = {matcher.name for matcher in one.matchers.matchers}
                shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                unknown = (named | shown) - served[one.name]
                found += [f"{place}: no label {label}" for label in sorted(unknown)]
                if one.name.endswith("_total") != target["expr"].startswith("rate("):
                    found.append(f"{place}: rates are of counters, and of them only")
    found += [f"{name} is not drawn" for name in sorted(served.keys() - drawn)]
    for a, b in combinations(board["panels"], 2):
        if a["id"] == b["id"] or overlap(a["gridPos"], b["gridPos"]):
            found.append(f"{a['title']} and {b['title']} have one number or place")
    return found


def overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    """Whether two rectangles of the grid share a cell."""
    return all(a[at] < b[at] + b[size] and b[at] < a[at] + a[size] for at, size in ("xw", "yh"))


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
    again = JSONEncoder(sort_keys=True, indent=2).encode(Dashboard.from_json(json.loads(text)))
    assert json.loads(again) == json.loads(text)
    extra = json.loads(text) | {"pannels": []}
    again = JSONEncoder().encode(Dashboard.from_json(extra))
    assert json.loads(again) != extra
