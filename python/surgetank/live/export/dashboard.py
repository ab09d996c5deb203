"""A Grafana dashboard of live runs, made from the metrics: a panel for each title that they name.

Built with Grafana's own SDK, so that its structure is the one that Grafana publishes.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from grafana_foundation_sdk.builders import common, prometheus, statetimeline, timeseries
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableRefresh,
    VariableSort,
)

from surgetank.live.export.metrics import METRICS, RUN_LABELS, LiveMetric

__all__ = ["dashboard_json"]

_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
#: The run chosen at the top of the dashboard.
_CHOSEN: Final = ",".join(f'{label}="${label}"' for label in RUN_LABELS)
#: Grafana's names of units.
_UNITS: Final = {"messages": "short", "s": "s", "flag": "bool_on_off"}
_WIDTH: Final = 12
"""Of a panel, in columns of 24."""

_Panel = timeseries.Panel | statetimeline.Panel


def dashboard_json() -> str:
    """The dashboard as JSON, for Grafana's import or its provisioning."""
    board = (
        Dashboard("surgetank: live runs")
        .uid("surgetank-live")
        .description("Readings that `surgetank run --target … --prometheus PORT` serves.")
        .tags(["surgetank"])
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("5s")
        .time("now-15m", "now")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for label in RUN_LABELS:
        board = board.with_variable(
            QueryVariable(label)
            .label(label.capitalize())
            .query(f"label_values({METRICS[0].sample}, {label})")
            .datasource(_SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    for number, (title, metrics) in enumerate(groupby(METRICS, key=lambda m: m.panel), start=1):
        board = board.with_panel(_panel(title, list(metrics)).id(number))
    return str(JSONEncoder(sort_keys=True, indent=2).encode(board.build())) + "\n"


def _panel(title: str, metrics: Sequence[LiveMetric]) -> _Panel:
    unit = _UNITS[metrics[0].unit]
    panel: _Panel
    if metrics[0].unit == "flag":
        panel = statetimeline.Panel().show_value(VisibilityMode.NEVER).unit(unit)
    else:
        panel = timeseries.Panel().min(0).unit("cps" if metrics[0].counter else unit)
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel = panel.title(title).datasource(_SOURCE).span(_WIDTH).height(8).legend(legend)
    panel = panel.description(" · ".join(f"{_name(metric)}: {metric.what}" for metric in metrics))
    for letter, metric in zip(string.ascii_uppercase, metrics, strict=False):
        own = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
        query = prometheus.Dataquery().expr(_query(metric)).ref_id(letter).range()
        panel = panel.with_target(
            query.legend_format(f"{_name(metric)} {own}".strip()).datasource(_SOURCE)
        )
    return panel


def _query(metric: LiveMetric) -> str:
    chosen = f"{metric.sample}{{{_CHOSEN}}}"
    return f"rate({chosen}[$__rate_interval])" if metric.counter else chosen


def _name(metric: LiveMetric) -> str:
    return metric.name.removesuffix("_seconds").replace("_", " ")
