"""Latency by class, over time and by stage."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import polars as pl

from surgetank.catalogue.families import STAGE
from surgetank.number_format import clock, milliseconds, share
from surgetank.report.charts.figure import Chart, Line, line, log_ms_axis, plain, seconds
from surgetank.report.run_view import RunView
from surgetank.trace import CLASSES, STAGES

__all__ = ["delay_charts", "ms_axis", "stage_charts"]

_DASH: Final = ("dot", "solid", "dash", "longdash", "dashdot")


def delay_charts(view: RunView) -> list[Chart]:
    """Median and p99 latency over time; nothing if no message was executed."""
    done = view.messages["delay_ns"].drop_nulls() / 1e6
    if done.is_empty():
        return []
    series: list[tuple[str, str, dict[str, Any], pl.DataFrame]] = [
        ("all messages", "@ink", {"width": 2.6}, view.overall)
    ]
    for number in view.classes:
        style = {"dash": _DASH[number % len(_DASH)], "width": 1.6}
        rows = view.quantiles(number)
        series.append((CLASSES[number], f"@{CLASSES[number]}", style, rows))
    low = max(0.01, float(done.quantile(0.01) or 0.01) / 2)
    limit = view.limit("delay_p99_ms")
    high = 1.8 * max(float(done.max() or 1), limit or 0)  # type: ignore[arg-type]
    median = _quantile_chart(view, "p50", series, (low, high), None)
    return [median, _quantile_chart(view, "p99", series, (low, high), limit)]


def _quantile_chart(
    view: RunView,
    which: str,
    series: list[tuple[str, str, dict[str, Any], pl.DataFrame]],
    span: tuple[float, float],
    limit: float | None,
) -> Chart:
    data = [_quantile_line(view, which, *entry) for entry in series]
    never = view.overall.filter(pl.col(which).is_infinite())
    word = "median" if which == "p50" else "p99"
    if never.height:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{word} of all: never",
                "showlegend": False,
                "x": seconds(never["bin"] + view.step_ns // 2),
                "y": [span[1] * 0.93] * never.height,
                "marker": {"symbol": "triangle-up", "size": 8, "color": "@bad"},
                "hovertemplate": "not executed within the run<extra></extra>",
            }
        )
    layout: dict[str, Any] = {"yaxis": log_ms_axis(*span)}
    if limit is not None:
        layout["limits"] = [{"y": limit, "text": f"limit {milliseconds(limit)}"}]
    finite = view.overall.filter(pl.col(which).is_finite())
    summary = "No bin has a finite value."
    if finite.height:
        top = finite.sort(which, descending=True, maintain_order=True).row(0, named=True)
        peak, at = milliseconds(top[which]), clock(top["bin"])
        summary = f"The {word} of all messages peaks at {peak} for those sent at {at}."
    if never.height:
        summary += f" Triangles: bins whose {word} message was never executed."
    note = f"Bins of {milliseconds(view.step_ns / 1e6)}, by the time of sending."
    if which == "p99":
        note = "In a bin with fewer than 100 messages, p99 is the longest latency."
    title = "Median latency" if which == "p50" else "p99 latency"
    return Chart(
        f"delay-{which}", f"{title} over time", summary, data, layout, half=True, note=note
    )


def _quantile_line(
    view: RunView, which: str, name: str, colour: str, style: dict[str, Any], rows: pl.DataFrame
) -> Line:
    middle = rows["bin"] + view.step_ns // 2
    return line(
        name,
        seconds(middle),
        rows[which].to_list(),
        colour,
        customdata=[milliseconds(v) for v in rows[which]],
        hovertemplate="%{customdata}",
        **style,
    )


def stage_charts(view: RunView) -> list[Chart]:
    """Mean latency by stage, over time and by class; nothing if no message was executed."""
    columns = [f"{stage}_ns" for stage in STAGES]
    done = view.messages.filter(pl.col("delay_ns").is_not_null()).drop_nulls(columns)
    if done.is_empty():
        return []
    return [_over_time(view, done), _by_class(done)]


def _over_time(view: RunView, done: pl.DataFrame) -> Chart:
    means = done.group_by("bin").agg(pl.col(f"{s}_ns").mean() / 1e6 for s in STAGES).sort("bin")
    first, last = int(means["bin"][0]), int(means["bin"][-1])
    step = view.step_ns
    grid = pl.DataFrame({"bin": pl.int_range(first, last + 1, step, eager=True)})
    means = grid.join(means, on="bin", how="left").with_columns(
        pl.col(f"{s}_ns").fill_null(0) for s in STAGES
    )
    x = seconds(means["bin"] + view.step_ns // 2)
    data = [
        line(
            STAGE.title(stage),
            x,
            means[f"{stage}_ns"].to_list(),
            f"@stage-{stage}",
            width=0.8,
            stackgroup="stages",
            fillcolor=f"@stage-{stage}/80",
            customdata=[milliseconds(v) for v in means[f"{stage}_ns"]],
            hovertemplate="%{customdata}",
        )
        for stage in STAGES
    ]
    totals = {s: float(done[f"{s}_ns"].sum()) for s in STAGES}
    worst = max(totals, key=lambda s: totals[s])
    part = totals[worst] / max(1.0, sum(totals.values()))
    summary = (
        f"{STAGE.title(worst).capitalize()} makes up {share(part)} of all latency. Blue and green: "
        "communication and consensus; yellow: waiting for a block; orange and red: computation."
    )
    top = float(means.select(pl.sum_horizontal(f"{s}_ns" for s in STAGES)).to_series().max() or 1)  # type: ignore[arg-type]
    return Chart(
        "stages",
        "Latency by stage",
        summary,
        data,
        {"yaxis": ms_axis(top)},
        height=340,
        note="Means of executed messages by time of sending; the stages sum to the latency.",
    )


def _by_class(done: pl.DataFrame) -> Chart:
    means = done.group_by("class").agg(pl.col(f"{s}_ns").mean() / 1e6 for s in STAGES)
    means = means.filter(pl.col("class") < len(CLASSES)).sort("class", descending=True)
    names = [CLASSES[n] for n in means["class"]]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": STAGE.title(stage),
            "y": names,
            "x": plain(means[f"{stage}_ns"]),
            "marker": {"color": f"@stage-{stage}", "line": {"width": 0}},
            "customdata": [milliseconds(v) for v in means[f"{stage}_ns"]],
            "hovertemplate": "%{customdata}",
        }
        for stage in STAGES
    ]
    totals = means.select(pl.sum_horizontal(f"{s}_ns" for s in STAGES)).to_series()
    slowest = names[int(np.argmax(totals.to_numpy()))]
    longest = float(totals.max() or 1)  # type: ignore[arg-type]
    layout = {
        "barmode": "stack",
        "xaxis": ms_axis(longest),
        "yaxis": {"dtick": 1},
        "bargap": 0.35,
        "hovermode": "y unified",
        "left": [124, 112],
    }
    return Chart(
        "stages-class",
        "Latency by stage and class",
        f"Slowest on average: {slowest}, {milliseconds(longest)}.",
        data,
        layout,
        time=False,
        height=120 + 34 * len(names),
    )


def ms_axis(top: float) -> dict[str, Any]:
    """A linear axis from 0 with ticks in words."""
    step = 10 ** math.floor(math.log10(max(top, 1e-3)))
    step = next(step * m for m in (0.2, 0.5, 1, 2) if top / (step * m) <= 6)
    ticks = [round(k * step, 9) for k in range(math.ceil(top / step) + 1)]
    return {
        "tickvals": ticks,
        "ticktext": [milliseconds(t) if t else "0" for t in ticks],
        "range": [0, top * 1.06],
    }
