"""Latency by class over time, and by stage."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.catalogue.families import STAGE
from surgetank.number_format import clock, milliseconds, share
from surgetank.report.charts.bars import Part, Stack, bar_chart
from surgetank.report.charts.over_time import Panel, Series, limit_text, seconds, time_chart
from surgetank.report.picture import Picture
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView
from surgetank.trace import CLASSES, STAGES

__all__ = ["delay_charts", "quantile_line", "stage_charts"]

_KINDS: Final = ("dots", "", "dash", "long", "dash-dot")
_WORDS: Final = {"p50": "median", "p99": "p99"}


def delay_charts(view: RunView) -> list[Picture]:
    """Median and p99 latency over time; nothing if no message was executed."""
    done = view.messages["delay_ns"].drop_nulls() / 1e6
    if done.is_empty():
        return []
    low = max(0.01, float(done.quantile(0.01) or 0.01) / 2)
    limit = view.limit("delay_p99_ms")
    high = 1.8 * max(float(done.max() or 1), limit or 0, low)  # type: ignore[arg-type]
    panels = []
    for which, word in _WORDS.items():
        series = [_class(view, which, n) for n in view.classes]
        series.append(quantile_line(view, which, "all messages", "ink", "bold", view.overall))
        never = _never(view, which, high)
        limits: tuple[tuple[float, str], ...] = ()
        if which == "p99" and limit is not None:
            limits = ((limit, limit_text(view, f"limit {milliseconds(limit)}")),)
        y = Scale(low, high, True, milliseconds, f"{word} latency, by the time of sending")
        panels.append(Panel(y, (*series, *never), 200, limits))
    summary = " ".join(_peak(view, which) for which in _WORDS)
    if any(view.overall[which].is_infinite().any() for which in _WORDS):
        summary += " Squares at the top: bins whose message was never executed."
    note = (
        f"Bins of {milliseconds(view.step_ns / 1e6)}. In a bin with fewer than 100 messages, p99 "
        "is the longest latency."
    )
    return [time_chart(view, "delay", "Latency over time", summary, panels, note=note)]


def _class(view: RunView, which: str, number: int) -> Series:
    name, kind = CLASSES[number], _KINDS[number % len(_KINDS)]
    return quantile_line(view, which, name, name, kind, view.quantiles(number))


def quantile_line(
    view: RunView, which: str, name: str, colour: str, kind: str, rows: pl.DataFrame
) -> Series:
    """The quantile in each bin that has a message; the line is broken where it is infinite."""
    x = seconds(rows["bin"] + view.step_ns // 2)
    y = rows[which].to_numpy().astype(np.float64)
    read = f"{_WORDS[which]}, {name}"
    y = np.where(np.isfinite(y), y, np.nan)
    return Series(name, colour, x, y, milliseconds, kind, read=read)


def _never(view: RunView, which: str, high: float) -> list[Series]:
    """Bins whose quantile of all messages is infinite."""
    rows = view.overall.filter(pl.col(which).is_infinite())
    if rows.is_empty():
        return []
    x, y = seconds(rows["bin"] + view.step_ns // 2), np.full(rows.height, high * 0.9)
    read = f"{_WORDS[which]}, all messages: never executed"
    return [Series("never executed", "bad", x, y, milliseconds, "late", read=read, keyed=False)]


def _peak(view: RunView, which: str) -> str:
    word = _WORDS[which]
    finite = view.overall.filter(pl.col(which).is_finite())
    if finite.is_empty():
        return f"No bin has a finite {word}."
    top = finite.sort(which, descending=True, maintain_order=True).row(0, named=True)
    peak, at = milliseconds(top[which]), clock(top["bin"])
    return f"The {word} of all messages peaks at {peak} for those sent at {at}."


def stage_charts(view: RunView) -> list[Picture]:
    """Mean latency by stage, over time and by class; nothing if no message was executed."""
    columns = [f"{stage}_ns" for stage in STAGES]
    done = view.messages.filter(pl.col("delay_ns").is_not_null()).drop_nulls(columns)
    if done.is_empty():
        return []
    return [_over_time(view, done), _by_class(done)]


def _over_time(view: RunView, done: pl.DataFrame) -> Picture:
    means = done.group_by("bin").agg(pl.col(f"{s}_ns").mean() / 1e6 for s in STAGES).sort("bin")
    first, last = int(means["bin"][0]), int(means["bin"][-1])
    step = view.step_ns
    grid = pl.DataFrame({"bin": pl.int_range(first, last + 1, step, eager=True)})
    means = grid.join(means, on="bin", how="left").with_columns(
        pl.col(f"{s}_ns").fill_null(0) for s in STAGES
    )
    x = seconds(means["bin"] + view.step_ns // 2)
    series, base = [], np.zeros(len(x))
    for stage in STAGES:
        top = base + means[f"{stage}_ns"].to_numpy()
        name = STAGE.title(stage)
        series.append(Series(name, f"stage-{stage}", x, top, milliseconds, base=base))
        base = top
    totals = {s: float(done[f"{s}_ns"].sum()) for s in STAGES}
    worst = max(totals, key=lambda s: totals[s])
    part = totals[worst] / max(1.0, sum(totals.values()))
    summary = (
        f"{STAGE.title(worst).capitalize()} makes up {share(part)} of all latency. Blue and green: "
        "communication and consensus; yellow: waiting for a block; orange and red: computation."
    )
    y = Scale(0.0, 1.06 * float(base.max()) or 1.0, say=milliseconds, title="mean latency")
    note = "Means of executed messages by time of sending; the stages sum to the latency."
    panel = Panel(y, tuple(series), 240)
    return time_chart(view, "stages", "Latency by stage", summary, [panel], note=note)


def _by_class(done: pl.DataFrame) -> Picture:
    means = done.group_by("class").agg(pl.col(f"{s}_ns").mean() / 1e6 for s in STAGES)
    means = means.filter(pl.col("class") < len(CLASSES)).sort("class")
    parts = [Part(STAGE.title(s), f"stage-{s}") for s in STAGES]
    bars = [
        Stack(CLASSES[row["class"]], tuple(row[f"{s}_ns"] for s in STAGES))
        for row in means.iter_rows(named=True)
    ]
    slowest = max(bars, key=lambda bar: bar.total)
    summary = f"Slowest on average: {slowest.name}, {milliseconds(slowest.total)}."
    return bar_chart("stages-class", "Latency by stage and class", summary, parts, bars)
