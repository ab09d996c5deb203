"""Dashboards of Prometheus metrics for Grafana, built with Grafana's own SDK."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

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

__all__ = ["BoardPanel", "Chosen", "Drawn", "board_json"]

_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
#: Grafana's names of units.
_UNITS: Final = {
    "short": "short",
    "per_s": "cps",
    "bytes": "bytes",
    "bytes_per_s": "Bps",
    "s": "s",
    "usd": "currencyUSD",
    "flag": "bool_on_off",
}
_WIDTH: Final = 12
"""Of a panel, in columns of 24."""

Unit = Literal["short", "per_s", "bytes", "bytes_per_s", "s", "usd", "flag"]


@dataclass(frozen=True)
class Drawn:
    """A query of a panel, in PromQL."""

    query: str
    legend: str
    """Its name in the legend; `{{label}}` stands for the value of a label."""
    what: str


@dataclass(frozen=True)
class BoardPanel:
    """A picture of the dashboard: of time series, or of states where the unit is `flag`."""

    title: str
    unit: Unit
    drawn: Sequence[Drawn]


@dataclass(frozen=True)
class Chosen:
    """A variable at the top of the dashboard: which value of a label is shown."""

    label: str
    query: str


def board_json(
    title: str, uid: str, what: str, panels: Sequence[BoardPanel], chosen: Sequence[Chosen] = ()
) -> str:
    """A dashboard as JSON, for Grafana's import or its provisioning; two panels in a row."""
    board = (
        Dashboard(title)
        .uid(uid)
        .description(what)
        .tags(["surgetank"])
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("5s")
        .time("now-15m", "now")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for one in chosen:
        board = board.with_variable(
            QueryVariable(one.label)
            .label(one.label.capitalize())
            .query(one.query)
            .datasource(_SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    for number, panel in enumerate(panels, start=1):
        board = board.with_panel(_built(panel).id(number))
    return str(JSONEncoder(sort_keys=True, indent=2).encode(board.build())) + "\n"


def _built(panel: BoardPanel) -> timeseries.Panel | statetimeline.Panel:
    built: timeseries.Panel | statetimeline.Panel
    if panel.unit == "flag":
        built = statetimeline.Panel().show_value(VisibilityMode.NEVER)
    else:
        built = timeseries.Panel().min(0)
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    built = built.title(panel.title).datasource(_SOURCE).span(_WIDTH).height(8)
    built = built.unit(_UNITS[panel.unit]).legend(legend)
    built = built.description(" · ".join(dict.fromkeys(one.what for one in panel.drawn)))
    for letter, one in zip(string.ascii_uppercase, panel.drawn, strict=False):
        query = prometheus.Dataquery().expr(one.query).ref_id(letter).range()
        built = built.with_target(query.legend_format(one.legend).datasource(_SOURCE))
    return built
