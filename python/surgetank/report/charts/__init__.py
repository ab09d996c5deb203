"""The charts of a report, in the order in which a reader meets them."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.report.charts.budget import budget_charts
from surgetank.report.charts.collateral import collateral_charts
from surgetank.report.charts.delay import delay_charts, stage_charts
from surgetank.report.charts.funding import funding_charts
from surgetank.report.charts.lag import lag_charts
from surgetank.report.charts.load import queue_charts, throughput_charts
from surgetank.report.charts.money import (
    debt_charts,
    due_charts,
    liquidation_charts,
    price_charts,
)
from surgetank.report.charts.propagation import propagation_charts
from surgetank.report.charts.waiting import waiting_charts
from surgetank.report.picture import Picture
from surgetank.report.run_view import RunView

__all__ = ["Group", "chart_groups"]


@dataclass(frozen=True)
class Group:
    """Charts under one heading."""

    name: str
    title: str
    charts: tuple[Picture, ...]
    empty: str
    """The text that is shown if there is nothing to draw."""


def chart_groups(view: RunView) -> list[Group]:
    """All charts for which the trace has the facts; a group without charts has a text instead."""
    ordered = view.trace.orders
    none = "This scenario has no ordering; messages only spread."
    groups = [
        Group(
            "load",
            "Load",
            tuple(throughput_charts(view)),
            "No client message was sent.",
        ),
        Group(
            "delay",
            "Latency",
            (*delay_charts(view), *waiting_charts(view), *stage_charts(view)),
            "No message was executed." if ordered else none,
        ),
        Group(
            "queues",
            "Queues",
            tuple(queue_charts(view)),
            "No gauges were recorded (trace.gauge_ms).",
        ),
        Group(
            "nodes",
            "Nodes",
            (*lag_charts(view), *budget_charts(view), *propagation_charts(view)),
            "No node executed anything, and no receipts were recorded.",
        ),
    ]
    if view.trace.stats.live is not None:
        groups = [group for group in groups if group.charts]
    elif view.market.height or view.trace.scenario.market is not None:
        charts = (
            *price_charts(view),
            *due_charts(view),
            *debt_charts(view),
            *liquidation_charts(view),
            *funding_charts(view),
            *collateral_charts(view),
        )
        groups.append(Group("money", "Money", charts, "The market recorded nothing."))
    return groups
