"""A figure drawn as SVG: axes, lines, points and text.

The same code draws a wide figure for a screen or paper and a narrow one for a phone, where a
scaled-down picture would be illegible. Colours are classes of figure.css, so a figure follows its
page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from markupsafe import Markup, escape

from surgetank.number_format import number

__all__ = ["Plot", "Scale", "nice_ticks", "path", "shortened", "spread", "text_width"]

Xy = tuple[float, float]

#: Mean width of a letter as a share of the size of its font, in the sans-serif fonts of figure.css.
_LETTER: Final = 0.56
#: The same of bold letters of an axis's title, times its font's size over that of `text_width`.
_TITLE: Final = 13.8
#: Least distance between the labels of two ticks, px.
_BETWEEN: Final = 8


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


def text_width(words: str, size: float = 12.5) -> float:
    """About the width of a text in a font of `size`, both in px."""
    return len(words) * size * _LETTER


def shortened(words: str, room: float, size: float = 12.5) -> str:
    """A text without letters of its middle if it is wider than `room` px in a font of `size`."""
    most = max(3, int(room / text_width("x", size)))
    if len(words) <= most:
        return words
    head = (most - 1) // 3
    return f"{words[:head]}…{words[head + 1 - most :]}"


def path(places: Iterable[Xy], *, step: bool = False) -> str:
    """SVG path data of a line through places in px, to a tenth of one; NaN begins a new line.

    Relative moves take half the bytes of absolute places. A `step` line keeps each value until the
    next place. A place without neighbours is a line of no length: round line caps show it.
    """
    found: list[str] = []
    at: tuple[int, int] | None = None
    for x, y in places:
        if math.isnan(x) or math.isnan(y):
            at = None
            continue
        to = (round(10 * x), round(10 * y))
        if at is None:
            found.append(f"M{_tenths(to[0])} {_tenths(to[1])}h0")
        elif to != at:
            across, down = to[0] - at[0], to[1] - at[1]
            if step or not across or not down:
                found += [f"h{_tenths(across)}"] * bool(across) + [f"v{_tenths(down)}"] * bool(down)
            else:
                found.append(f"l{_tenths(across)} {_tenths(down)}")
        at = to
    # A minus sign needs no space before it.
    return "".join(found).replace(" -", "-")


def _tenths(v: int) -> str:
    return f"{v / 10:g}".replace("0.", ".", 1) if abs(v) < 10 else f"{v / 10:.7g}"


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
        tip = f"<title>{escape(tip)}</title>" if tip else ""
        attributes = _attributes({"class": kind, **how} if kind else how)
        end = f">{tip}{escape(inside)}</{tag}>" if tip or inside else "/>"
        self._parts.append(Markup(f"<{tag}{attributes}{end}"))

    @contextmanager
    def group(self, kind: str, **how: object) -> Iterator[None]:
        """What is drawn inside is one group of the classes `kind`."""
        self._parts.append(Markup(f"<g{_attributes({'class': kind, **how})}>"))
        yield
        self._parts.append(Markup("</g>"))

    def line(
        self,
        points: Iterable[Xy],
        kind: str,
        *,
        shut: bool = False,
        step: bool = False,
        tip: str = "",
    ) -> None:
        """A line through points in the units of the scales; shut, an area; `step`: each value
        holds until the next point. NaN breaks the line."""
        bound = 4.0 * self.height
        places = [(self.x(x), min(max(self.y(y), -bound), bound)) for x, y in points]
        if any(not math.isnan(x + y) for x, y in places):
            self.put("path", kind, tip=tip, d=path(places, step=step) + ("z" if shut else ""))

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
        self.y_axis(y_count)
        self.x_axis(x_count, under)

    def y_axis(self, count: int, *, title_up: float = 12) -> None:
        """Draws the lines of about `count` values of y, with their labels, and the axis's title
        `title_up` px above the frame."""
        ticks = nice_ticks(self.y_scale, count)
        wide = self.right - self.left
        grid = "".join(f"M{self.left} {self.y(v):.1f}h{wide}" for v in ticks)
        self.put("path", "gridline", d=grid)
        with self.group("values"):
            for v in ticks:
                self.put("text", "", self.y_scale.say(v), x=self.left - 8, y=self.y(v) + 4)
        if self.y_scale.title:
            self.text(2, self.top - title_up, self.y_scale.title, "title")

    def x_axis(self, count: int, under: Callable[[float], str] | None = None) -> None:
        """Draws the frame, about `count` ticks of x and the axis's title. A tick whose label has no
        room beside the one before it has none."""
        low, taken = self.bottom, -math.inf
        ticks = nice_ticks(self.x_scale, count)
        with self.group("ticks"):
            self.put("path", "frame", d="".join(f"M{self.x(v):.1f} {low}v5" for v in ticks))
            for v in ticks:
                at = self.x(v)
                words = [self.x_scale.say(v), "" if under is None else under(v)]
                half = max(map(text_width, words)) / 2
                if at - half < taken + _BETWEEN:
                    continue
                taken = at + half
                self.put("text", "", words[0], x=at, y=low + 19)
                if under is not None:
                    self.put("text", "faint", words[1], x=at, y=low + 34)
        self.put("line", "frame", x1=self.left, x2=self.right, y1=low, y2=low)
        if self.x_scale.title:
            down = low + (39 if under is None else 54)
            half = text_width(self.x_scale.title, _TITLE) / 2
            middle = min((self.left + self.right) / 2, self.width - half)
            self.text(middle, down, self.x_scale.title, "title", "middle")

    def add(self, other: Plot) -> None:
        """Adds what is drawn in another plot of the same size."""
        self._parts += other._parts

    def svg(
        self,
        description: str,
        kind: str,
        inside: Markup | None = None,
        *,
        edge: int = 0,
        attributes: Mapping[str, object] = MappingProxyType({}),
    ) -> Markup:
        """The figure; `description` is its text alternative; `edge` (px) is left free around it;
        `attributes` are added to its element."""
        box = f"{-edge} {-edge} {self.width + 2 * edge} {self.height + 2 * edge}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fig {kind}" role="img" '
            f'viewBox="{box}" aria-label="{escape(description)}"{_attributes(attributes)}>'
        )
        return (
            Markup(head) + (inside or Markup()) + Markup("\n").join(self._parts) + Markup("</svg>")
        )


def _attributes(how: Mapping[str, object]) -> str:
    return "".join(f' {k.rstrip("_").replace("_", "-")}="{_short(v)}"' for k, v in how.items())


def _short(v: object) -> str:
    return f"{v:.1f}".removesuffix(".0") if isinstance(v, float) else str(escape(v))
