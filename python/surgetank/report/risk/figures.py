"""The figures of a risk answer: how often bad debt exceeds an amount, its causes, and changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from surgetank.number_format import share, usd
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, nice_ticks
from surgetank.risk import Risk
from surgetank.risk.contributions import Contribution
from surgetank.risk.estimates import Floats, probability
from surgetank.risk.groups import group_title
from surgetank.risk.paired import QUANTITIES, DebtEffect

__all__ = ["pictures"]

_WIDE: Final = 540
_HIGH: Final = {_WIDE: 360, NARROW: 320}
#: Height of a row of bars, px.
_ROW: Final = 34
#: Most points of a curve: more are not visible.
_POINTS: Final = 200
_LETTERS: Final = {_WIDE: 34, NARROW: 20}


def pictures(found: Risk) -> list[Picture]:
    """All figures for which the answer has data."""
    drawn = [_exceedance(found)]
    drawn += [_causes(found, division) for division in found.divisions]
    drawn += [_changes(found, of) for of in QUANTITIES]
    return [picture for picture in drawn if picture is not None]


def _exceedance(found: Risk) -> Picture | None:
    """The share of runs above each amount, of all bad debt and of the insurance drawn."""
    total, drawn = found.losses.total, found.losses.bearers["insurance"]
    top = float(total.max())
    if not top:
        return None
    runs = len(total)
    x = Scale(0.0, 1.04 * top, say=usd, title="bad debt of a run")
    y = Scale(0.5 / runs, 1.0, log=True, say=share, title="share of runs above it")

    def draw(width: int) -> Plot:
        plot = Plot((width, _HIGH[width]), x, y, (38, 18, 50, 62))
        plot.axes(4 if width == NARROW else 6, 5)
        plot.clipped("exceedance", lambda: _curves(plot, total, drawn))
        return plot

    keys = (
        Key("found", "95 % interval of the share"),
        Key("curve-0", "all bad debt", "line"),
        Key("curve-1", "insurance drawn", "line"),
    )
    summary = (
        "Share of runs with more than an amount of bad debt; band: exact binomial interval at each "
        "amount."
    )
    svgs = twice(draw, _WIDE, "Share of runs whose bad debt exceeds an amount")
    return Picture("exceedance", "Distribution of bad debt", summary, svgs, keys=keys)


def _curves(plot: Plot, total: Floats, drawn: Floats) -> None:
    amounts = _amounts(total)
    counts = [int((total > amount).sum()) for amount in amounts]
    ends = [probability(count, len(total)) for count in counts]
    least = plot.y_scale.low
    band = [(x, max(high, least)) for x, (_, high) in zip(amounts, ends, strict=True)]
    band += [(x, max(low, least)) for x, (low, _) in zip(amounts, ends, strict=True)][::-1]
    plot.line(band, "band", shut=True)
    for losses, colour in ((total, 0), (drawn, 1)):
        points = [(x, max(float((losses > x).mean()), least)) for x in _amounts(losses)]
        plot.line(points, f"curve s{colour}")


def _amounts(losses: Floats) -> list[float]:
    """0 and the losses, or as many of their quantiles as can be seen."""
    distinct = np.unique(np.concatenate([[0.0], losses]))
    if len(distinct) > _POINTS:
        distinct = np.quantile(distinct, np.linspace(0, 1, _POINTS))
    return [float(x) for x in distinct]


def _causes(found: Risk, division: str) -> Picture | None:
    """Contributions of a division to the mean, and to the expected shortfall if it is known."""
    groups = [one for one in found.contributions if one.division == division]
    if not groups:
        return None
    tail = all(one.shortfall is not None for one in groups)
    top = max(_end(one) for one in groups)

    def draw(width: int) -> Plot:
        plot = _rows(width, [group_title(division, one.member) for one in groups], 0.0, top)
        for i, one in enumerate(groups):
            _bar(plot, i, 0, one.mean, one.mean_ends)
            if one.shortfall is not None:
                _bar(plot, i, 1, one.shortfall, one.shortfall_ends)
        return plot

    keys = (Key("curve-0", "of the mean"), Key("curve-1", "of the worst 5 % of runs"))
    summary = (
        "What accounts contribute to the mean bad debt of a run, and to its mean over the worst "
        "5 % of runs (Euler allocation); the bars sum to these. Lines: 95 % intervals."
    )
    title = f"Who causes it, by {division}"
    svgs = twice(draw, _WIDE, f"Contributions to bad debt by {division} of the accounts")
    return Picture(f"causes-{division}", title, summary, svgs, keys=keys if tail else keys[:1])


def _end(one: Contribution) -> float:
    ends = [one.mean, one.shortfall or 0.0]
    ends += [interval[1] for interval in (one.mean_ends, one.shortfall_ends) if interval]
    return max(ends)


def _rows(width: int, names: Sequence[str], low: float, high: float) -> Plot:
    """An empty figure with a row per name, and an axis in USD."""
    room = int(min(max(map(len, names)), _LETTERS[width]) * 7.8) + 16
    scale = Scale(low, high + 0.02 * (high - low) or 1.0, say=usd)
    plot = Plot((width, 30 + _ROW * len(names) + 40), scale, Scale(0, 1), (14, 22, 34, room))
    for v in nice_ticks(scale, 2 if width == NARROW else 4):
        at = plot.x(v)
        plot.put("line", "gridline", x1=at, x2=at, y1=plot.top, y2=plot.bottom)
        plot.text(at, plot.bottom + 18, usd(v), anchor="middle")
    for i, name in enumerate(names):
        letters = _LETTERS[width]
        shown = name if len(name) <= letters else name[: letters - 1] + "…"
        plot.put("text", "row", shown, tip=name, x=0, y=_top(plot, i) + 16)
    return plot


def _top(plot: Plot, row: int) -> float:
    return plot.top + 6 + row * _ROW


def _bar(plot: Plot, row: int, second: int, v: float, ends: tuple[float, float] | None) -> None:
    top = _top(plot, row) + 12 * second
    tip = usd(v) if ends is None else f"{usd(v)} ({usd(ends[0])} to {usd(ends[1])})"
    long = plot.x(v) - plot.x(0.0)
    plot.put("rect", f"f{second}", tip=tip, x=plot.x(0.0), y=top, width=long, height=10, rx=2)
    if ends is not None:
        low, high = (plot.x(end) for end in ends)
        plot.put("line", "before", x1=low, x2=high, y1=top + 5, y2=top + 5)


def _changes(found: Risk, of: str) -> Picture | None:
    """The difference that each change makes to a quantity, as a point with its interval."""
    known = [
        effect
        for effect in found.effects
        if effect.differences and effect.differences[of].low is not None
    ]
    if not known:
        return None
    ends = [end for effect in known for end in _ends(effect, of)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    if low == high:
        return None

    def draw(width: int) -> Plot:
        plot = _rows(width, [effect.text for effect in known], low, high)
        plot.put("line", "edge", x1=plot.x(0), x2=plot.x(0), y1=plot.top, y2=plot.bottom)
        for i, effect in enumerate(known):
            _whisker(plot, i, effect, of)
        return plot

    summary = (
        f"Change of the {QUANTITIES[of]} of a run, paired by seed; left of zero is less. Intervals "
        "of 95 %, simultaneous over all changes; filled: the interval excludes zero."
    )
    svgs = twice(draw, _WIDE, f"Change of the {QUANTITIES[of]} by each change")
    title = f"What changes the {QUANTITIES[of]}"
    return Picture(f"changes-{of}", title, summary, svgs, full=False)


def _ends(effect: DebtEffect, of: str) -> tuple[float, float]:
    one = effect.differences[of]
    assert one.low is not None and one.high is not None
    return one.low, one.high


def _whisker(plot: Plot, row: int, effect: DebtEffect, of: str) -> None:
    one = effect.differences[of]
    low, high = _ends(effect, of)
    y = _top(plot, row) + 11
    colour = 0 if one.reduces else 1 if one.raises else 2
    kind = f"dot f{colour}" if one.reduces or one.raises else "open s2"
    plot.put("line", f"whisker s{colour}", x1=plot.x(low), x2=plot.x(high), y1=y, y2=y)
    tip = f"{effect.text}: {usd(one.value)} ({usd(low)} to {usd(high)})"
    plot.put("circle", kind, tip=tip, cx=plot.x(one.value), cy=y, r=4.5)
