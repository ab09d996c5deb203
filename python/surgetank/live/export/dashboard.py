"""A Grafana dashboard of live runs: a panel for each title that the metrics name."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from surgetank.grafana import BoardPanel, Chosen, Drawn, Unit, board_json
from surgetank.live.export.metrics import METRICS, RUN_LABELS, LiveMetric

__all__ = ["dashboard_json"]

#: The run chosen at the top of the dashboard.
_CHOSEN: Final = ",".join(f'{label}="${label}"' for label in RUN_LABELS)


def dashboard_json() -> str:
    """The dashboard as JSON, for Grafana's import or its provisioning."""
    return board_json(
        "surgetank: live runs",
        "surgetank-live",
        "Readings that `surgetank run --target … --prometheus PORT` serves.",
        [_panel(title, list(metrics)) for title, metrics in groupby(METRICS, lambda m: m.panel)],
        [Chosen(label, f"label_values({METRICS[0].sample}, {label})") for label in RUN_LABELS],
    )


def _panel(title: str, metrics: list[LiveMetric]) -> BoardPanel:
    first = metrics[0]
    plain: Unit = "short" if first.unit == "messages" else first.unit
    unit: Unit = "per_s" if first.counter else plain
    return BoardPanel(title, unit, [_drawn(metric) for metric in metrics])


def _drawn(metric: LiveMetric) -> Drawn:
    chosen = f"{metric.sample}{{{_CHOSEN}}}"
    query = f"rate({chosen}[$__rate_interval])" if metric.counter else chosen
    name = metric.name.removesuffix("_seconds").replace("_", " ")
    own = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
    return Drawn(query, f"{name} {own}".strip(), f"{name}: {metric.what}")
