"""Maps of entrants × attacks as SVG: one for each measure, darker where it is worse.

A map that would be too wide for its sheet goes on below itself, so that a phone shows the same
cells as a desk does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from surgetank.league import Estimate, League
from surgetank.league.shown import rising, unit_of
from surgetank.report.league import words
from surgetank.report.plane import Plane, Scale

__all__ = ["Map", "maps", "shade"]

_ROW: Final = 46
_HEAD: Final = 40
_GAP: Final = 18
#: Cells narrower than this go below.
_LEAST: Final = 76
_MOST: Final = 190
#: Letters of the figure are about this wide, in pixels.
_LETTER: Final = 6.9
#: A scale on which the worst is this much the best is read by ratios.
_BY_RATIO: Final = 10.0


@dataclass(frozen=True)
class Map:
    """A figure of the page."""

    name: str
    title: str
    summary: str
    note: str
    svgs: tuple[Markup, Markup]
    full: bool


def maps(league: League) -> list[Map]:
    """A map of each measure shown, the one that ranks first."""
    full = len(league.attacks) > 3
    names = [e.entrant.name for e in league.standings]
    made = []
    for i, name in enumerate(league.shown):
        cells = {(e, a): league.estimate(e, a, name) for e in names for a in league.attacks}
        if all(e.mean is None for e in cells.values()):
            continue
        title = words.head(name)
        better = "more" if rising(name) else "less"
        sizes = (1080 if full else 520, 330)
        wide, narrow = (_map(league, name, cells, size) for size in sizes)
        said = f"{title}, {len(names)} × {len(league.attacks)} cells"
        made.append(
            Map(
                f"map-{i}",
                title,
                f"Ranks the league. {better.capitalize()} is better."
                if name == league.rank
                else f"{better.capitalize()} is better.",
                "",
                (wide.svg(said, "wide"), narrow.svg(said, "narrow")),
                full,
            )
        )
    return made


def shade(v: float | None, known: list[float], *, more_is_better: bool) -> float | None:
    """How bad a value is among those known: 0 the best, 1 the worst; None if it is not known."""
    if v is None or math.isnan(v):
        return None
    if math.isinf(v):
        return 1.0 if (v > 0) != more_is_better else 0.0
    finite = [x for x in known if math.isfinite(x)]
    low, high = min(finite), max(finite)
    if high == low:
        return 0.0
    if low > 0 and high / low >= _BY_RATIO:
        share = math.log(v / low) / math.log(high / low)
    else:
        share = (v - low) / (high - low)
    # With an infinite value on the map, the worst finite one is not the worst.
    share *= 1.0 if len(finite) == len(known) else 0.8
    return 1.0 - share if more_is_better else share


def _map(
    league: League, name: str, cells: dict[tuple[str, str], Estimate], width: int
) -> Plane:
    entrants = [s.entrant.name for s in league.standings]
    left = int(min(max(len(e) for e in entrants) * _LETTER + 16, width * 0.36))
    columns = max(1, min(len(league.attacks), (width - left) // _LEAST))
    across = min((width - left) / columns, _MOST)
    blocks = [league.attacks[i : i + columns] for i in range(0, len(league.attacks), columns)]
    tall = len(blocks) * (_HEAD + _ROW * len(entrants) + _GAP) - _GAP + 4
    plane = Plane((width, tall), Scale(0, 1), Scale(0, 1), (0, 0, 0, 0))
    known = [e.mean for e in cells.values() if e.mean is not None]
    for b, attacks in enumerate(blocks):
        top = b * (_HEAD + _ROW * len(entrants) + _GAP)
        for j, attack in enumerate(attacks):
            middle = left + (j + 0.5) * across
            lines = _broken(attack, int(across / _LETTER))
            for k, line in enumerate(lines):
                down = top + _HEAD - 8 - 14 * (len(lines) - 1 - k)
                plane.text(middle, down, line, "title", "middle")
        for i, entrant in enumerate(entrants):
            y = top + _HEAD + i * _ROW
            _name(plane, entrant, left, y)
            for j, attack in enumerate(attacks):
                box = (left + j * across + 1.5, y + 1.5, across - 3, _ROW - 3.0)
                _cell(plane, league, name, (entrant, attack), cells, known, box)
    return plane


def _name(plane: Plane, entrant: str, left: int, y: float) -> None:
    """In two lines if need be, whole in the tip."""
    lines = _broken(entrant, max(4, int((left - 12) / _LETTER)))
    for k, line in enumerate(lines):
        down = y + _ROW / 2 + 4.5 + 15 * (k - (len(lines) - 1) / 2)
        plane.put("text", "row", line, tip=entrant, x=0, y=down)


def _broken(text: str, letters: int) -> list[str]:
    """At most two lines, parted at a sign where words end; what is too long ends in …"""
    if len(text) <= letters:
        return [text]
    places = [i + 1 for i, sign in enumerate(text) if sign in " -,_" and i < letters]
    at = places[-1] if places else letters
    lines = [text[:at].strip(), text[at:].strip()]
    return [x if len(x) <= letters else x[: max(1, letters - 1)] + "…" for x in lines if x]


def _cell(
    plane: Plane,
    league: League,
    name: str,
    who: tuple[str, str],
    cells: dict[tuple[str, str], Estimate],
    known: list[float],
    box: tuple[float, float, float, float],
) -> None:
    entrant, attack = who
    e, unit = cells[who], unit_of(name)
    x, y, width, height = box
    bad = sum(m.entrant == entrant and m.attack == attack for m in league.invalid)
    tip = f"{entrant} under {attack}: {words.told(e, unit, league.seeds)}"
    tip += f"; {bad} INVALID" if bad else ""
    dark = shade(e.mean, known, more_is_better=rising(name))
    place = {"x": x, "y": y, "width": width, "height": height, "rx": 4}
    plane.put("rect", "cell void" if dark is None else "cell", tip=tip, **place)
    if dark is not None and dark > 0:
        plane.put("rect", "heat", tip=tip, fill_opacity=f"{0.5 * dark:.3f}", **place)
    if e.mean is not None and _best(cells, attack, e.mean, league, more_is_better=rising(name)):
        plane.put("rect", "best", tip=tip, **place)
    text = words.said(e.mean, unit) + (" ⚠" if bad else "")
    span = words.ends(e, unit) if len(words.ends(e, unit)) * 5.9 < width - 6 else ""
    middle = x + width / 2
    plane.put("text", "value", text, x=middle, y=y + (19.0 if span else 27.0), text_anchor="middle")
    if span:
        plane.put("text", "ends", span, x=middle, y=y + 34.0, text_anchor="middle")


def _best(
    cells: dict[tuple[str, str], Estimate],
    attack: str,
    mean: float,
    league: League,
    *,
    more_is_better: bool,
) -> bool:
    """Whether nothing in its column is better and something is worse."""
    means = [e.mean for (_, a), e in cells.items() if a == attack and e.mean is not None]
    best, worst = (max(means), min(means)) if more_is_better else (min(means), max(means))
    return mean == best and best != worst and math.isfinite(mean)
