"""A figure with its title, caption, key and note, drawn for a screen or paper and for a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from markupsafe import Markup

from surgetank.report.plot import Plot

__all__ = ["NARROW", "Key", "Picture", "twice"]

NARROW: Final = 350
"""Width of a figure for a phone, px."""


@dataclass(frozen=True)
class Key:
    """An entry of a figure's key."""

    colour: str
    """The name of a colour in style.css."""
    text: str
    mark: str = "area"
    """Class of the sample in style.css: an area, a kind of line, or a kind of point."""
    series: int | None = None
    """The number of the series that a click on the entry hides; None if there is nothing to
    hide."""


@dataclass(frozen=True)
class Picture:
    """A figure of a page."""

    name: str
    """Unique in its page."""
    title: str
    summary: str
    """What it shows, in a sentence or two: its caption."""
    svgs: tuple[Markup, ...]
    """Wide, and narrow for a phone."""
    note: str = ""
    full: bool = False
    """Whether it takes the whole width of its page."""
    keys: tuple[Key, ...] = ()
    readout: dict[str, Any] | None = None
    """For a figure over time: `names`, `colours`, and `rows`, a list of texts by series, one for
    each of equal intervals of the run; 0 repeats the text before it. page.js shows them beside the
    pointer."""


def twice(
    draw: Callable[[int], Plot],
    wide: int,
    text: str,
    attributes: Mapping[str, object] = MappingProxyType({}),
) -> tuple[Markup, ...]:
    """The drawings `wide` px wide and NARROW; `text` describes them to those who do not see
    them."""
    return tuple(
        draw(width).svg(text, kind, attributes=attributes)
        for width, kind in ((wide, "wide"), (NARROW, "narrow"))
    )
