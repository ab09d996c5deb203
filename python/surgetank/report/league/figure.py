"""Maps of entrants × attacks as SVG: one for each measure, darker where it is worse.

A map that is too wide for its page is continued below, so that a narrow screen shows the same
cells.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from surgetank.league import League, SeedMean
from surgetank.league.columns import rising, unit_of
from surgetank.report.league import wording
from surgetank.report.picture import Picture, twice
from surgetank.report.plot import Plot, Scale

__all__ = ["maps", "shade"]

_ROW: Final = 46
_HEAD: Final = 40
_GAP: Final = 18
#: Least width of a cell; narrower ones are continued below.
_LEAST: Final = 76
_MOST: Final = 190
#: Width of a map of which two stand side by side, while its cells are this wide.
_HALF: Final = 520
_FULL: Final = 1080
_ROOMY: Final = 100
#: Approximate width of a letter in the figure, pixels.
_LETTER: Final = 6.9
_BOLD_LETTER: Final = 7.6
_SMALL_LETTER: Final = 5.9
#: Least span of a map from white to dark: a doubling of a time, 5 % in shares, a quarter of the
#: largest value of anything else.
_SPAN_RATIO: Final = math.log(2)
_SPAN_SHARE: Final = 0.05
_SPAN: Final = 0.25
#: Where a value is infinite, the worst finite value has this opacity.
_FINITE: Final = 0.8
#: Opacity of the worst cell; words on it must stay readable.
_DARKEST: Final = 0.5
#: A map has no axes.
_NO_SCALE: Final = Scale(0, 1)


@dataclass(frozen=True)
class _Content:
    """The content of a map, independent of its width."""

    league: League
    name: str
    unit: str
    names: list[str]
    cells: dict[tuple[str, str], SeedMean]
    known: list[float]
    leaders: set[tuple[str, str]]
    invalid: Counter[tuple[str, str]]


def _content(league: League, name: str) -> _Content:
    names = [s.entrant.name for s in league.standings]
    cells = {(e, a): league.estimate(e, a, name) for e in names for a in league.attacks}
    judged = () if league.exit_code else league.attacks
    return _Content(
        league,
        name,
        unit_of(name),
        names,
        cells,
        [e.mean for e in cells.values() if e.mean is not None],
        {(e, a) for a in judged for e in league.leaders(a, name)},
        Counter((m.entrant, m.attack) for m in league.invalid),
    )


def maps(league: League) -> list[Picture]:
    """A map of each measure shown, the one that ranks first."""
    made = []
    for i, name in enumerate(league.shown):
        content = _content(league, name)
        if not content.known:
            continue
        full = _left(content.names, _HALF) + _ROOMY * len(league.attacks) > _HALF
        title = wording.measure_title(name)
        better = f"{'More' if rising(name) else 'Less'} is better."
        value_text = f"{title}, {len(content.names)} × {len(league.attacks)} cells"
        svgs = twice(partial(_map, content), _FULL if full else _HALF, value_text)
        summary = f"Ranks the league. {better}" if name == league.rank else better
        made.append(Picture(f"map-{i}", title, summary, svgs, full=full))
    return made


def shade(v: float | None, known: list[float], unit: str, *, more_is_better: bool) -> float | None:
    """How bad a value is among those known: 0 the best, 1 the worst; None if it is not known.

    Times by their ratio, all else by difference; if the best and the worst are close, the worst is
    less than 1, so that noise does not look like a difference.
    """
    if v is None or math.isnan(v):
        return None
    if math.isinf(v):
        return 1.0 if (v > 0) != more_is_better else 0.0
    finite = [x for x in known if math.isfinite(x)]
    low, high = min(finite), max(finite)
    if unit == "ms" and low > 0:
        share = math.log(v / low) / max(math.log(high / low), _SPAN_RATIO)
    else:
        size = max(abs(low), abs(high))
        span = _SPAN_SHARE if unit == "share" else size * _SPAN
        share = (high - v if more_is_better else v - low) / (max(high - low, span) or 1.0)
    return share * (1.0 if len(finite) == len(known) else _FINITE)


def _map(content: _Content, width: int) -> Plot:
    names, attacks = content.names, content.league.attacks
    left = _left(names, width)
    columns = max(1, min(len(attacks), (width - left) // _LEAST))
    across = min((width - left) / columns, _MOST)
    blocks = [attacks[i : i + columns] for i in range(0, len(attacks), columns)]
    deep = _HEAD + _ROW * len(names) + _GAP
    plot = Plot((width, len(blocks) * deep - _GAP + 4), _NO_SCALE, _NO_SCALE, (0, 0, 0, 0))
    longest = max(len(wording.interval_text(e, content.unit)) for e in content.cells.values())
    whole = longest * _SMALL_LETTER < across - 9
    for b, part in enumerate(blocks):
        top = b * deep + _HEAD
        for j, attack in enumerate(part):
            lines = _broken(attack, int(across / _BOLD_LETTER))
            for k, line in enumerate(lines):
                down = top - 8 - 14 * (len(lines) - 1 - k)
                plot.text(left + (j + 0.5) * across, down, line, "title", "middle")
        for i, entrant in enumerate(names):
            y = top + i * _ROW
            _name(plot, entrant, left, y)
            for j, attack in enumerate(part):
                box = (left + j * across + 1.5, y + 1.5, across - 3, _ROW - 3.0)
                _cell(plot, content, (entrant, attack), box, whole=whole)
    return plot


def _left(names: list[str], width: int) -> int:
    """Room for the names of the rows."""
    share = 0.36 if width >= _HALF else 0.24
    return int(min(max(len(name) for name in names) * _LETTER + 16, width * share))


def _name(plot: Plot, entrant: str, left: int, y: float) -> None:
    """The entrant's name, in two lines if it is long; in full as a tooltip."""
    lines = _broken(entrant, max(4, int((left - 12) / _LETTER)))
    for k, line in enumerate(lines):
        down = y + _ROW / 2 + 4.5 + 15 * (k - (len(lines) - 1) / 2)
        plot.put("text", "row", line, tip=entrant, x=0, y=down)


def _broken(text: str, letters: int) -> list[str]:
    """At most two lines, split where a word ends; longer text ends in …"""
    if len(text) <= letters:
        return [text]
    league_rows = [i + 1 for i, sign in enumerate(text) if sign in " -,_" and i < letters]
    at = league_rows[-1] if league_rows else letters
    lines = [text[:at].strip(), text[at:].strip()]
    return [x if len(x) <= letters else x[: max(1, letters - 1)] + "…" for x in lines if x]


def _cell(
    plot: Plot,
    content: _Content,
    who: tuple[str, str],
    box: tuple[float, float, float, float],
    *,
    whole: bool,
) -> None:
    """One cell; its interval `whole`, or as ± where there is no room for both ends."""
    e, unit, bad = content.cells[who], content.unit, content.invalid[who]
    x, y, width, height = box
    tip = f"{who[0]} under {who[1]}: {wording.cell_text(e, unit, content.league.seeds)}"
    tip += f"; {bad} INVALID" if bad else ""
    dark = shade(e.mean, content.known, unit, more_is_better=rising(content.name))
    place: dict[str, Any] = {"x": x, "y": y, "width": width, "height": height, "rx": 4}
    plot.put("rect", "cell void" if dark is None else "cell", tip=tip, **place)
    if dark is not None and dark > 0:
        plot.put("rect", "heat", fill_opacity=f"{_DARKEST * dark:.3f}", **place)
    if who in content.leaders:
        plot.put("rect", "best", **place)
    text = wording.value_text(e.mean, unit) + (" ⚠" if bad else "")
    span = wording.interval_text(e, unit)
    if span and not whole and e.low is not None and e.high is not None:
        span = f"± {wording.value_text((e.high - e.low) / 2, unit)}"
    middle = x + width / 2
    plot.put("text", "value", text, x=middle, y=y + (19.0 if span else 27.0), text_anchor="middle")
    if span:
        plot.put("text", "ends", span, x=middle, y=y + 34.0, text_anchor="middle")
