"""The figures of a search: share of failing runs, latency, throughput, resources; all against
level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from surgetank.number_format import milliseconds, number, share, value
from surgetank.report.picture import NARROW, Picture, twice
from surgetank.report.plot import Plot, Scale
from surgetank.report.search.wording import level_text, no_break
from surgetank.search.answer import Answer
from surgetank.search.shape import Level

__all__ = ["pictures"]

_WIDE: Final = 540
#: Height of a figure by its width, px.
_HEIGHTS: Final = {_WIDE: 360, NARROW: 320}
#: Levels farther from the threshold than this factor are only in the table, not in the first
#: figure.
_NEAR: Final = 2.0


def pictures(answer: Answer) -> list[Picture]:
    """All figures for which the answer has data."""
    drawn = (_broken(answer), _delay(answer), _throughput(answer), _used(answer))
    return [picture for picture in drawn if picture is not None]


def _level_scale(answer: Answer, values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    word = {"load": "load, background messages/s", "speed": "times the recorded speed"}.get(
        answer.key, answer.key
    )
    if answer.unit not in ("1", "x", "") and answer.key != "load":
        word = f"{word}, {answer.unit}"

    def say(v: float) -> str:
        return level_text(answer, v, unit=False)

    if low > 0 and high / low > 1.5:
        room = (high / low) ** 0.04
        return Scale(low / room, high * room, log=True, say=say, title=word)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room, high + room, say=say, title=word)


def _mark_line(plot: Plot, answer: Answer) -> None:
    """Draws the estimate and its interval as vertical lines."""
    if answer.estimate is None or answer.ci_low is None or answer.ci_high is None:
        return
    low, high = plot.x(answer.ci_low), plot.x(answer.ci_high)
    tip = f"{level_text(answer, answer.ci_low)} to {level_text(answer, answer.ci_high)}"
    tall = plot.bottom - plot.top
    wide = max(abs(high - low), 1.0)
    plot.put("rect", "band", tip=tip, x=min(low, high), width=wide, y=plot.top, height=tall)
    at = plot.x(answer.estimate)
    plot.put("line", "edge", x1=at, x2=at, y1=plot.top, y2=plot.bottom)


def _dot_size(x: Level, most: int) -> float:
    return 3.0 + 8.0 * math.sqrt(x.runs / most)


def _broken(answer: Answer) -> Picture | None:
    known = [x for x in answer.levels if x.trials]
    near = known
    middle = answer.estimate
    if middle is not None and middle > 0:
        near = [x for x in known if 1 / _NEAR <= x.level / middle <= _NEAR]
    if not near:
        return None
    ends = [v for v in (answer.ci_low, answer.ci_high) if v]
    scale = _level_scale(answer, [x.level for x in near] + ends)
    top = 1.0
    if answer.target < 0.2:
        top = min(1.0, max(4 * answer.target, 1.15 * max(x.share for x in near)))
    y = Scale(-0.05 * top, 1.06 * top, say=share, title="share of failing runs")

    def draw(width: int) -> Plot:
        plot = Plot((width, _HEIGHTS[width]), scale, y, (38, 18, 50, 58))
        plot.axes(4 if width == NARROW else 6, 5)
        plot.clipped("broken", lambda: _fitted(plot, answer))
        level = plot.y(answer.target)
        plot.put("line", "target", x1=plot.left, x2=plot.right, y1=level, y2=level)
        text = f"threshold: {share(answer.target)}"
        plot.text(plot.right, level - 6, text, "target-text note", "end")
        most = max(x.runs for x in near)
        for x in sorted(near, key=lambda x: -x.runs):
            tip = f"{level_text(answer, x.level)}: {number(x.broken)} of {number(x.trials)} failed"
            plot.dot(x.level, x.share, _dot_size(x, most), "dot f0", f"{tip}, {x.runs} runs")
        return plot

    summary = f"Failure: {answer.breaks}. Points: levels, larger with more runs."
    if middle is not None:
        summary += f" Curve: the fitted probability; band: {answer.confidence:.0%} interval."
    left = len(known) - len(near)
    note = f"Levels farther from the threshold are in the table below: {left}." if left else ""
    svgs = twice(draw, _WIDE, "Share of failing runs against level")
    return Picture("broken", "Share of failing runs", no_break(summary), svgs, note=note)


def _fitted(plot: Plot, answer: Answer) -> None:
    """logit P = logit t ± (ln x − ln x₀)/w: the posterior's median and mean width."""
    _mark_line(plot, answer)
    middle, width = answer.estimate, answer.width
    if middle is None or middle <= 0 or not width:
        return
    offset = math.log(answer.target / (1 - answer.target))
    sign = -1.0 if answer.falling else 1.0
    points = []
    low, high = plot.x_scale.low, plot.x_scale.high
    for i in range(201):
        x = low * (high / low) ** (i / 200) if low > 0 else low + (high - low) * i / 200
        if x > 0:
            z = offset + sign * math.log(x / middle) / width
            points.append((x, 1 / (1 + math.exp(-min(max(z, -60.0), 60.0)))))
    plot.line(points, "curve s0")


def _delay(answer: Answer) -> Picture | None:
    shown = [x for x in answer.levels if not math.isnan(x.delay_p99_ms)]
    finite = [
        v for x in shown for v in (x.delay_p50_ms, x.delay_p99_ms) if math.isfinite(v) and v > 0
    ]
    if len(shown) < 2 or not finite:
        return None
    base = answer.unloaded["p99_ms"] if answer.unloaded else None
    factor = answer.degradation
    bounds = [] if base is None else [base, base * (factor or 1)]
    low, high = min(finite + bounds) / 1.3, max(finite + bounds) * 1.5
    y = Scale(low, high, log=True, say=milliseconds, title="latency")
    scale = _level_scale(answer, [x.level for x in shown])

    def draw(width: int) -> Plot:
        plot = Plot((width, _HEIGHTS[width]), scale, y, (38, 44, 50, 66))
        plot.axes(4 if width == NARROW else 6, 5)
        _mark_line(plot, answer)
        if base is not None:
            _guide(plot, base, "unloaded p99", "guide", "note")
            if factor:
                _guide(plot, base * factor, f"{factor:g} × unloaded", "target", "target-text note")
        for name, kind, at in (("p50", 2, "delay_p50_ms"), ("p99", 1, "delay_p99_ms")):
            _delays(plot, answer, [(x.level, getattr(x, at)) for x in shown], name, kind)
        return plot

    summary = "Median over the runs of a level of their p50 and p99 end-to-end latency."
    never = sum(not math.isfinite(x.delay_p99_ms) for x in shown)
    note = ""
    if never:
        note = (
            "Open triangles: infinite, because more messages than the quantile allows never "
            "finished."
        )
    return Picture(
        "delay", "Latency", summary, twice(draw, _WIDE, "p50 and p99 latency by level"), note=note
    )


def _guide(plot: Plot, v: float, text: str, kind: str, words: str) -> None:
    plot.put("line", kind, x1=plot.left, x2=plot.right, y1=plot.y(v), y2=plot.y(v))
    plot.text(plot.right, plot.y(v) - 5, text, words, "end")


def _delays(
    plot: Plot, answer: Answer, points: list[tuple[float, float]], name: str, kind: int
) -> None:
    finite = [(x, v) for x, v in points if math.isfinite(v) and v > 0]
    plot.line(finite, f"curve s{kind}")
    for x, v in points:
        tip = f"{name} at {level_text(answer, x)}: {milliseconds(v)}"
        if math.isfinite(v) and v > 0:
            plot.dot(x, v, 3.2, f"dot f{kind}", tip)
        elif v > 0:
            at, top = plot.x(x), plot.top + 3
            triangle = f"M{at - 5:.1f},{top + 9:.1f}h10l-5,-9Z"
            plot.put("path", f"open s{kind}", tip=tip, d=triangle)
    if finite:
        x, v = finite[-1]
        plot.text(plot.x(x) + 9, plot.y(v) + 4, name, f"said f{kind}")


def _throughput(answer: Answer) -> Picture | None:
    shown = [
        x
        for x in answer.levels
        if x.offered_per_s > 0 and math.isfinite(x.offered_per_s) and x.throughput_per_s > 0
    ]
    if answer.key != "load" or len(shown) < 2:
        return None
    offered = [x.offered_per_s for x in shown]
    low = min(offered + [x.throughput_per_s for x in shown])
    log = max(offered) / min(offered) > 6
    scale, y = (
        Scale(
            low / 1.15 if log else 0.0,
            max(offered) * (1.25 if log else 1.06),
            log=log,
            say=number,
            title=title,
        )
        for title in ("offered, messages/s", "throughput, messages/s")
    )

    def draw(width: int) -> Plot:
        plot = Plot((width, _HEIGHTS[width]), scale, y, (38, 18, 50, 66))
        plot.axes(4 if width == NARROW else 6, 5)
        ends = (scale.low, scale.high)
        plot.line([(v, v) for v in ends], "guide")
        far = scale.low**0.15 * scale.high**0.85 if log else scale.high * 0.85
        plot.text(plot.x(far) - 8, plot.y(far) - 4, "all offered", "note", "end")
        if answer.estimate is not None:
            at = plot.x(answer.estimate)
            plot.put("line", "edge", x1=at, x2=at, y1=plot.top, y2=plot.bottom)
        plot.line([(x.offered_per_s, x.throughput_per_s) for x in shown], "curve s0")
        for x in shown:
            _with_spread(plot, x)
        if answer.shape is not None and answer.shape.collapse:
            _collapse(plot, shown)
        return plot

    summary = "Mean throughput of a level against what was offered; bars: 95 % of the mean."
    if answer.shape is not None and answer.shape.collapse:
        peak, last = (number(v) for v in (answer.shape.peak_per_s, answer.shape.past_peak_per_s))
        summary = f"Throughput collapses past its peak: {peak}/s, then {last}/s. {summary}"
    svgs = twice(draw, _WIDE, "Throughput against offered load")
    return Picture("throughput", "Throughput", no_break(summary), svgs)


def _with_spread(plot: Plot, x: Level) -> None:
    at = x.offered_per_s
    tip = f"offered {number(at)}/s: throughput {value(x.throughput_per_s, '1/s')}"
    if math.isfinite(x.throughput_sd):
        half = 1.96 * x.throughput_sd / math.sqrt(x.runs)
        low = max(x.throughput_per_s - half, plot.y_scale.low)
        plot.line([(at, low), (at, x.throughput_per_s + half)], "whisker s0")
    plot.dot(at, x.throughput_per_s, 3.6, "dot f0", tip)


def _collapse(plot: Plot, shown: Sequence[Level]) -> None:
    peak, last = max(shown, key=lambda x: x.throughput_per_s), shown[-1]
    at = (plot.x(last.offered_per_s), plot.y(last.throughput_per_s))
    top = plot.y(peak.throughput_per_s)
    plot.put("line", "target", x1=plot.x(peak.offered_per_s), x2=at[0], y1=top, y2=top)
    plot.put("line", "target", x1=at[0], x2=at[0], y1=top, y2=at[1] - 6)
    plot.text(at[0] - 6, (top + at[1]) / 2 + 4, "collapse", "target-text note", "end")


def _used(answer: Answer) -> Picture | None:
    used = answer.used[:10]
    if not used:
        return None

    def draw(width: int) -> Plot:
        step = 34
        box = (width, 30 + step * len(used) + 34)
        ends = Scale(0, max(1.0, *(u.value for u in used)), say=share)
        plot = Plot(box, ends, Scale(0, 1), (14, 52, 34, 150 if width == NARROW else 168))
        for v in (0.0, 0.5, 1.0):
            at = plot.x(v)
            plot.put("line", "gridline", x1=at, x2=at, y1=plot.top, y2=plot.bottom)
            plot.text(at, plot.bottom + 18, share(v), anchor="middle")
        for i, u in enumerate(used):
            top = plot.top + 8 + i * step
            tip = f"{u.resource} at {u.where}: {share(u.value)}"
            tip += "" if u.before is None else f", unloaded {share(u.before)}"
            kind = "f1" if u.resource == answer.most_used else "f0"
            long = plot.x(max(u.value, 0.0)) - plot.left
            plot.put("rect", kind, tip=tip, x=plot.left, y=top, width=long, height=16, rx=2)
            if u.before is not None:
                at = plot.x(u.before)
                plot.put("line", "before", x1=at, x2=at, y1=top - 3, y2=top + 19)
            name = "said" if u.resource == answer.most_used else ""
            plot.text(plot.left - 10, top + 13, u.resource, name, "end")
            plot.text(plot.left + long + 7, top + 13, share(u.value), f"note {name}".strip())
        return plot

    summary = (
        "Use of each resource at its worst place, in the failing runs nearest to the threshold."
    )
    summary += " Tick across a bar: the same when unloaded."
    title = "Resource use"
    return Picture(
        "used", title, summary, twice(draw, _WIDE, "Use of each resource past the threshold")
    )
