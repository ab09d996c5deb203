"""A Grafana dashboard of a venue: a panel for each title that the metrics name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from surgetank.grafana import BoardPanel, Chosen, Drawn, Unit, board_json
from surgetank.operations.metrics import METRICS, VenueMetric

__all__ = ["venue_dashboard_json"]

#: The venue chosen at the top of the dashboard, by the address that Prometheus scrapes.
_LABEL: Final = "instance"
_CHOSEN: Final = f'{_LABEL}="${_LABEL}"'
_QUANTILES: Final = ("0.5", "0.99")


def venue_dashboard_json() -> str:
    """The dashboard as JSON, for Grafana's import or its provisioning."""
    return board_json(
        "surgetank: a venue",
        "surgetank-venue",
        "What `surgetank serve --listen-http ADDRESS` serves at /metrics.",
        [_panel(title, list(metrics)) for title, metrics in groupby(METRICS, lambda m: m.panel)],
        [Chosen(_LABEL, f"label_values({METRICS[0].family}, {_LABEL})")],
    )


def _panel(title: str, metrics: list[VenueMetric]) -> BoardPanel:
    drawn = [one for metric in metrics for one in _drawn(metric)]
    return BoardPanel(title, _unit(metrics[0]), drawn)


def _unit(metric: VenueMetric) -> Unit:
    if "_bytes" in metric.name:
        return "bytes_per_s" if metric.kind == "counter" else "bytes"
    if metric.kind == "counter":
        return "per_s"
    if metric.name == "state":
        return "flag"
    endings: dict[str, Unit] = {"_seconds": "s", "_usd": "usd", "_price": "usd"}
    found = (unit for ending, unit in endings.items() if metric.name.endswith(ending))
    return next(found, "short")


def _drawn(metric: VenueMetric) -> Iterator[Drawn]:
    name = metric.name.removesuffix("_seconds").removesuffix("_usd").replace("_", " ")
    what = f"{name}: {metric.what}"
    own = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
    match metric.kind:
        case "counter":
            query = f"rate({metric.family}_total{{{_CHOSEN}}}[$__rate_interval])"
            yield Drawn(query, f"{name} {own}".strip(), what)
        case "gauge":
            yield Drawn(f"{metric.family}{{{_CHOSEN}}}", f"{name} {own}".strip(), what)
        case "histogram":
            buckets = f"rate({metric.family}_bucket{{{_CHOSEN}}}[$__rate_interval])"
            for quantile in _QUANTILES:
                query = f"histogram_quantile({quantile}, {buckets})"
                yield Drawn(query, f"{name} {quantile}", what)
