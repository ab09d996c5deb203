"""The figures of the worst attack: attacks tried, its parts, and defences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from surgetank.adversary import WorstAttack
from surgetank.adversary.plan import PARTS
from surgetank.attacker.race import MeanGain
from surgetank.number_format import number, value
from surgetank.report.picture import NARROW, Key, Picture, twice
from surgetank.report.plot import Plot, Scale, nice_ticks, shortened

__all__ = ["pictures"]

_WIDE: Final = 540
_HIGH: Final = {_WIDE: 340, NARROW: 300}
#: Height of a row of bars, px.
_ROW: Final = 40
_LEFT: Final = {_WIDE: 190, NARROW: 130}

_Bar = tuple[str, MeanGain, str]
"""Its text, its value, and its class of colour."""


def pictures(found: WorstAttack) -> list[Picture]:
    """All figures for which the result has data."""
    drawn = (_tried(found), _parts(found), _defences(found))
    return [picture for picture in drawn if picture is not None]


def _tried(found: WorstAttack) -> Picture | None:
    """The damage of each attack tried, in order, and the best so far."""
    shown = [(i, t) for i, t in enumerate(found.tried, 1) if math.isfinite(t.damage)]
    if len(shown) < 2:
        return None
    unit, damages = found.objective.unit, [t.damage for _, t in shown]
    low, high = min(0.0, *damages), max(0.0, *damages)
    room = 0.06 * (high - low) or 1.0
    x = Scale(0.0, len(found.tried) + 1.0, title="attack tried")
    y = Scale(low - room, high + room, say=lambda v: value(v, unit), title="damage per run")
    best = list(accumulate(damages, max))

    def draw(width: int) -> Plot:
        plot = Plot((width, _HIGH[width]), x, y, (38, 18, 50, 70))
        plot.axes(4 if width == NARROW else 6, 5)
        numbers = [i for i, _ in shown]
        plot.line(zip(numbers, best, strict=True), "curve s0", step=True)
        for i, one in shown:
            kinds = ", ".join(str(keys["kind"]) for keys in one.plan.parts.values())
            tip = f"{number(i)}: {kinds}, {value(one.damage, unit)}"
            plot.dot(i, one.damage, 4.2, f"dot f{1 if one.textbook else 0}", tip)
        return plot

    keys = (
        Key("curve-1", "textbook: one part, all of the budget", "dot"),
        Key("curve-0", "proposed by the search", "dot"),
        Key("curve-0", "the worst so far", "line"),
    )
    summary = (
        "Damage of each attack on the first seeds of the search. The best of many looks worse than "
        "it is: the result above is measured on fresh seeds."
    )
    svgs = twice(draw, _WIDE, "Damage of the attacks tried")
    return Picture("tried", "Attacks tried", summary, svgs, keys=keys)


def _parts(found: WorstAttack) -> Picture | None:
    if not math.isfinite(found.damage.low):
        return None
    bars: list[_Bar] = [("whole attack", found.damage, "f0")]
    if len(found.contributions) > 1:
        bars += [(f"without {_short(c.part)}: less", c.damage, "f1") for c in found.contributions]
    if found.over_textbook is not None:
        bars.append(("more than textbook", found.over_textbook, "f2"))
    bars.append(("more than random", found.over_random, "f2"))
    summary = (
        "Damage on fresh seeds with 95 % intervals; what is lost when one part is left out; and "
        "what the attack does more than others of the same budget."
    )
    return _bars("parts", "What does the damage", summary, bars, found)


def _defences(found: WorstAttack) -> Picture | None:
    tried = [d for d in found.defences if not d.invalid and d.adapted is not None]
    if not tried:
        return None
    bars: list[_Bar] = [("as it is", found.damage, "f0")]
    for d in tried:
        bars.append((d.text, d.same, "f2"))
        if d.adapted is not None:
            bars.append(("and the attacker adapts", d.adapted, "f1"))
    summary = (
        "Damage per run against each change: of the same attack, and of the worst found by an "
        "attacker who knows of the change."
    )
    return _bars("defences", "Defences", summary, bars, found)


def _bars(
    name: str, title: str, summary: str, bars: Sequence[_Bar], found: WorstAttack
) -> Picture | None:
    unit = found.objective.unit
    ends = [v for _, m, _ in bars for v in (m.low, m.mean, m.high) if math.isfinite(v)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    if low == high:
        return None
    room = 0.04 * (high - low)
    scale = Scale(low - room, high + room, say=lambda v: value(v, unit))

    def draw(width: int) -> Plot:
        left = _LEFT[width]
        plot = Plot((width, 30 + _ROW * len(bars) + 34), scale, Scale(0, 1), (14, 18, 34, left))
        for v in nice_ticks(scale, 3 if width == NARROW else 5):
            at = plot.x(v)
            plot.put("line", "gridline", x1=at, x2=at, y1=plot.top, y2=plot.bottom)
            plot.text(at, plot.bottom + 18, scale.say(v), anchor="middle")
        for i, (text, mean, kind) in enumerate(bars):
            _bar(plot, i, text, mean, kind, unit)
        return plot

    return Picture(name, title, summary, twice(draw, _WIDE, title))


def _bar(plot: Plot, row: int, text: str, mean: MeanGain, kind: str, unit: str) -> None:
    top = plot.top + 8 + row * _ROW
    plot.text(plot.left - 10, top + 14, shortened(text, plot.left - 14), "", "end")
    if math.isnan(mean.mean):
        return
    zero, at = plot.x(0.0), plot.x(mean.mean)
    tip = f"{text}: {value(mean.mean, unit)} [{value(mean.low, unit)}, {value(mean.high, unit)}]"
    begin, wide = min(zero, at), max(abs(at - zero), 1.0)
    plot.put("rect", kind, tip=tip, x=begin, y=top, width=wide, height=18, rx=2)
    if math.isfinite(mean.low) and math.isfinite(mean.high):
        low, high = plot.x(mean.low), plot.x(mean.high)
        plot.put("line", "whisker s0", x1=low, x2=high, y1=top + 9, y2=top + 9)


def _short(part: str) -> str:
    return {"attack": "[attack]"}.get(part, part) if part in PARTS else part
