"""What a linter of dashboards would report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import promql_parser as promql
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


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
        case promql.NumberLiteral():
            pass
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
                grows = one.name.endswith(("_total", "_bucket"))
                if grows != ("rate(" in target["expr"]):
                    found.append(f"{place}: rates are of counters, and of them only")
    found += [f"{name} is not drawn" for name in sorted(served.keys() - drawn)]
    for a, b in combinations(board["panels"], 2):
        if a["title"] == b["title"]:
            found.append(f"{a['title']}: two panels")
        if a["id"] == b["id"] or overlap(a["gridPos"], b["gridPos"]):
            found.append(f"{a['title']} and {b['title']} have one number or place")
    return found


def overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    """Whether two rectangles of the grid share a cell."""
    return all(a[at] < b[at] + b[size] and b[at] < a[at] + a[size] for at, size in ("xw", "yh"))


def lost(text: str) -> dict[str, Any]:
    """What is lost or renamed where Grafana's own models read a dashboard and write it again."""
    board = json.loads(text)
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    return {key: value for key, value in board.items() if again.get(key) != value}
