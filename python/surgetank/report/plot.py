"""A figure drawn as SVG: axes, lines, points and text.

The same code draws a wide figure for a screen or paper and a narrow one for a phone, where a
scaled-down picture would be illegible. Colours are classes of figure.css, so a figure follows its
page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from surgetank.number_format import number

__all__ = ["Plot", "Scale", "nice_ticks", "spread"]

Xy = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """An axis from low to high, linear or logarithmic."""

    low: float
    high: float
    log: bool = False
    say: Callable[[float], str] = number
    title: str = ""

    def share(self, v: float) -> float:
        """Position of a value on the axis: 0 at the low end, 1 at the high end; outside 0 to 1
        beyond them."""
        if self.log:
            least = math.log(self.low)
            return (math.log(max(v, 1e-300)) - least) / (math.log(self.high) - least)
        return (v - self.low) / (self.high - self.low)

    def holds(self, v: float) -> bool:
        """Whether a value lies between the ends."""
        return math.isfinite(v) and -1e-9 <= self.share(v) <= 1 + 1e-9


def nice_ticks(scale: Scale, count: int) -> list[float]:
    """About `count` round values: multiples of 1, 2 or 5 × 10^k."""
    if not scale.log:
        least = (scale.high - scale.low) / max(count, 1)
        power = 10.0 ** math.floor(math.log10(least))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * 0.999)
        first = math.ceil(scale.low / step - 1e-9)
        last = math.floor(scale.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    found: list[float] = []
    for marks in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [m * 10.0**k for k in powers for m in marks if scale.holds(m * 10.0**k)]
        if len(ticks) > 1.4 * count and found:
            break
        found = ticks
    if len(found) > 1.4 * count:
        return found[:: -(-len(found) // count)]
    plain = nice_ticks(Scale(scale.low, scale.high), count)
    return found if len(found) >= 3 else [t for t in plain if t > 0]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the `wanted` ones, in their order, at least `gap` apart, inside [low,
    high]."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed: list[list[float]] = []
    for i in order:
        # Blocks of neighbours that touch move as one, to the mean of what they want.
        placed.append([wanted[i]])
        while len(placed) > 1 and _start(placed[-1], gap) < _start(placed[-2], gap) + gap * len(
            placed[-2]
        ):
            last = placed.pop()
            placed[-1] += last
    result = [0.0] * len(wanted)
    at = 0
    for block in placed:
        top = min(max(_start(block, gap), low), high - gap * (len(block) - 1))
        for k in range(len(block)):
            result[order[at]] = top + k * gap
            at += 1
    return result


def _start(block: Sequence[float], gap: float) -> float:
    return sum(w - k * gap for k, w in enumerate(block)) / len(block)


class Plot:
    """A drawing area: coordinates in the units of two scales."""

    def __init__(
        self,
        size: tuple[int, int],
        x: Scale,
        y: Scale,
        margin: tuple[int, int, int, int] = (16, 18, 52, 58),
    ) -> None:
        """`margin` is top, right, bottom, left."""
        self.width, self.height = size
        self.x_scale, self.y_scale = x, y
        self.top, right, bottom, self.left = margin
        self.right, self.bottom = self.width - right, self.height - bottom
        self._parts: list[Markup] = []

    def x(self, v: float) -> float:
        """Horizontal place of a value, px."""
        return self.left + self.x_scale.share(v) * (self.right - self.left)

    def y(self, v: float) -> float:
        """Vertical place of a value, px from the top."""
        return self.bottom - self.y_scale.share(v) * (self.bottom - self.top)

    def put(self, tag: str, kind: str, inside: str = "", tip: str = "", **how: object) -> None:
        """Any element, of the classes `kind`, with a tooltip."""
        attributes = "".join(
            f' {k.rstrip("_").replace("_", "-")}="{_short(v)}"' for k, v in how.items()
        )
        tip = f"<title>{escape(tip)}</title>" if tip else ""
        self._parts.append(
            Markup(f'<{tag} class="{kind}"{attributes}>{tip}{escape(inside)}</{tag}>')
        )

    def line(self, points: Iterable[Xy], kind: str, *, shut: bool = False, tip: str = "") -> None:
        """A line through points in the units of the scales; shut, an area."""
        bound = 4.0 * self.height
        places = [
            f"{self.x(x):.1f},{min(max(self.y(y), -bound), bound):.1f}"
            for x, y in points
            if not (math.isnan(x) or math.isnan(y))
        ]
        if len(places) > 1:
            self.put("path", kind, tip=tip, d="M" + "L".join(places) + ("Z" if shut else ""))

    def clipped(self, name: str, draw: Callable[[], None]) -> None:
        """Draws elements that are clipped at the frame."""
        box = (
            f'<clipPath id="{name}-{self.width}"><rect x="{self.left}" y="{self.top}" '
            f'width="{self.right - self.left}" height="{self.bottom - self.top}"/></clipPath>'
        )
        self._parts.append(Markup(f'{box}<g clip-path="url(#{name}-{self.width})">'))
        draw()
        self._parts.append(Markup("</g>"))

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Text at a place in pixels."""
        self.put("text", kind, words, x=x, y=y, text_anchor=anchor)

    def dot(self, x: float, y: float, r: float, kind: str, tip: str) -> None:
        """A point with a tooltip."""
        self.put("circle", kind, tip=tip, cx=self.x(x), cy=self.y(y), r=r)

    def axes(self, x_count: int, y_count: int, under: Callable[[float], str] | None = None) -> None:
        """Draws grid, frame, ticks and titles; `under` gives a second line beneath each tick of
        x."""
        for v in nice_ticks(self.y_scale, y_count):
            self.put("line", "gridline", x1=self.left, x2=self.right, y1=self.y(v), y2=self.y(v))
            self.text(self.left - 8, self.y(v) + 4, self.y_scale.say(v), anchor="end")
        low = self.bottom
        for v in nice_ticks(self.x_scale, x_count):
            self.put("line", "frame", x1=self.x(v), x2=self.x(v), y1=low, y2=low + 5)
            self.text(self.x(v), low + 19, self.x_scale.say(v), anchor="middle")
            if under is not None:
                self.text(self.x(v), low + 34, under(v), "faint", "middle")
        self.put("line", "frame", x1=self.left, x2=self.right, y1=low, y2=low)
        if self.x_scale.title:
            place = low + (39 if under is None else 54)
            self.text((self.left + self.right) / 2, place, self.x_scale.title, "title", "middle")
        if self.y_scale.title:
            self.text(2, self.top - 12, self.y_scale.title, "title")

    def svg(
        self, description: str, kind: str, inside: Markup | None = None, *, edge: int = 0
    ) -> Markup:
        """The figure; `description` is its text alternative; `edge` (px) is left free around it."""
        box = f"{-edge} {-edge} {self.width + 2 * edge} {self.height + 2 * edge}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fig {kind}" role="img" '
            f'viewBox="{box}" aria-label="{escape(description)}">'
        )
        return (
            Markup(head) + (inside or Markup()) + Markup("\n").join(self._parts) + Markup("</svg>")
        )


def _short(v: object) -> str:
    return f"{v:.1f}".removesuffix(".0") if isinstance(v, float) else str(escape(v))
