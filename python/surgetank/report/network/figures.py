"""Figures of a network: voting powers as bars, delays between nodes as a matrix."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from surgetank.network_file.summary import Summary, mean_delays_ms
from surgetank.number_format import milliseconds, share
from surgetank.report.plot import Plot, Scale
from surgetank.scenario.network import Network

__all__ = ["delay_figure", "power_figure"]

_WIDE: Final = 1080
_NARROW: Final = 330
#: Most bars; the nodes beyond share one.
_BARS_MAX: Final = 30
#: Most rows of the matrix; more nodes are shown by region, or the first ones only.
_CELLS_MAX: Final = 40
_BAR: Final = 26
_LETTER: Final = 8.2
#: Opacity of the darkest cell; words on it must stay readable.
_DARKEST: Final = 0.5
_NO_SCALE: Final = Scale(0, 1)


def power_figure(found: Summary) -> tuple[Markup, Markup]:
    """Share of the voting power of each node, the largest first; wide and narrow."""
    ranked = sorted(range(found.nodes), key=lambda k: (-found.shares[k], k))
    rows = [(found.names[k], found.shares[k]) for k in ranked if found.shares[k]]
    if len(rows) > _BARS_MAX:
        rest = rows[_BARS_MAX - 1 :]
        rows = [*rows[: _BARS_MAX - 1], (f"{len(rest)} others", sum(part for _, part in rest))]
    text = f"Voting power of {len(rows)} nodes, the largest {share(found.largest_share)}"
    wide, narrow = (_bars(rows, found.nakamoto, width) for width in (_WIDE, _NARROW))
    return wide.svg(text, "wide"), narrow.svg(text, "narrow")


def _bars(rows: list[tuple[str, float]], halting: int, width: int) -> Plot:
    left = _label_width([name for name, _ in rows], width)
    plot = Plot((width, _BAR * len(rows) + 6), _NO_SCALE, _NO_SCALE, (0, 0, 0, 0))
    room, most = width - left - 64, max(part for _, part in rows)
    for i, (name, part) in enumerate(rows):
        y = i * _BAR + 4
        kind = "f1" if i < halting else "f0"
        plot.text(left - 10, y + 14, _short(name, left), "row", "end")
        tip = f"{name}: {share(part)} of the voting power"
        span = max(1.5, room * part / most)
        plot.put("rect", kind, tip=tip, x=left, y=y, width=span, height=_BAR - 8)
        plot.text(left + span + 8, y + 14, share(part))
    return plot


def delay_figure(found: Summary, network: Network) -> tuple[Markup, Markup]:
    """Mean one-way delay from row to column, darker where it is longer; wide and narrow."""
    names, matrix = _rows_of(found, network)
    text = f"Delays between {len(names)} nodes or regions, at most {milliseconds(matrix.max())}"
    wide, narrow = (_matrix(names, matrix, width) for width in (_WIDE, _NARROW))
    return wide.svg(text, "wide"), narrow.svg(text, "narrow")


def _rows_of(found: Summary, network: Network) -> tuple[list[str], NDArray[np.float64]]:
    """Names and delays of the nodes, side by side within a region; of many nodes, of their regions
    in the mean, or of the most powerful."""
    delay, of_nodes = mean_delays_ms(network), network.region_of_nodes
    regions = [region.name for region in found.regions]
    if found.nodes > _CELLS_MAX and 1 < len(regions) <= _CELLS_MAX:
        at = np.array([regions.index(name) for name in of_nodes])
        one = (at[:, None] == np.arange(len(regions))).astype(np.float64)
        # Of ordered pairs of different nodes.
        pairs = one.T @ (1 - np.eye(found.nodes)) @ one
        return regions, (one.T @ delay @ one) / np.maximum(pairs, 1)
    order = sorted(range(found.nodes), key=lambda k: (-found.shares[k], k))[:_CELLS_MAX]
    if regions:
        order.sort(key=lambda k: regions.index(of_nodes[k]))
    return [found.names[k] for k in order], delay[np.ix_(order, order)]


def _matrix(names: list[str], matrix: NDArray[np.float64], width: int) -> Plot:
    left = _label_width(names, width)
    across = min((width - left - 2) / len(names), 74.0)
    deep = max(min(across, 34.0), 13.0 if width == _WIDE else across)
    labelled, longest = across >= 34, max(len(name) for name in names)
    head = 24 if labelled and longest * _LETTER + 4 < across else 4
    plot = Plot((width, math.ceil(head + deep * len(names) + 4)), _NO_SCALE, _NO_SCALE, (0,) * 4)
    most = float(matrix.max()) or 1.0
    for i, name in enumerate(names):
        y = head + i * deep
        if deep >= 11 or i % math.ceil(11 / deep) == 0:
            plot.text(left - 8, y + deep / 2 + 4, _short(name, left), "row", "end")
        if head > 4:
            plot.text(left + (i + 0.5) * across, head - 8, name, "title", "middle")
        for j, other in enumerate(names):
            x, ms = left + j * across, float(matrix[i, j])
            tip, shade = f"{name} to {other}: {milliseconds(ms)}", round(_DARKEST * ms / most, 3)
            plot.put("rect", "cell", tip=tip, x=x, y=y, width=across, height=deep)
            dark = str(shade)
            plot.put("rect", "heat", x=x, y=y, width=across, height=deep, fill_opacity=dark)
            if labelled and i != j:
                words = f"{ms:.0f}" if ms >= 9.5 else f"{ms:.1f}"
                plot.text(x + across / 2, y + deep / 2 + 4, words, "ends", "middle")
    return plot


def _label_width(names: list[str], width: int) -> float:
    return min(0.36 * width, max(len(name) for name in names) * _LETTER + 14)


def _short(name: str, left: float) -> str:
    most = int((left - 12) / _LETTER)
    return name if len(name) <= most else name[: max(1, most - 1)] + "…"
