"""A figure as a file of its own, light or dark as its reader is, for papers and documents."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from surgetank.report.plane import Plane
from surgetank.report.sheet import text_of

__all__ = ["alone"]

#: Room around the figure.
_EDGE: Final = 14


def alone(plane: Plane, told: str) -> str:
    """The drawn plane as a whole SVG document; `told` is what it shows, in words."""
    light, dark = (_palette(part) for part in _themes())
    rules = re.sub(r"@media[^{]*\{[^{}]*\{[^{}]*\}\s*\}|/\*.*?\*/", "", text_of("figure.css"))
    rules += ".fig .paper { fill: var(--surface); }\n"
    ways = [
        re.sub(r"var\(--([\w-]+)\)", lambda name: palette[name[1]], rules)  # noqa: B023
        for palette in (light, dark)
    ]
    style = f"<style>{ways[0]}@media (prefers-color-scheme: dark) {{\n{ways[1]}}}</style>"
    across, down = (v + 2 * _EDGE for v in (plane.width, plane.height))
    at = f'x="{-_EDGE}" y="{-_EDGE}" width="{across}" height="{down}"'
    paper = f'<rect class="paper" {at} rx="8"/>'
    inside = Markup("<title>{}</title>").format(told) + Markup(style + paper)
    return str(plane.svg(told, "alone", inside, edge=_EDGE))


def _themes() -> list[str]:
    style = str(text_of("style.css"))
    found = re.search(r":root \{(.*?)\}.*?:root\[data-theme=.dark.\] \{(.*?)\}", style, re.S)
    assert found is not None
    return [found[1], found[2]]


def _palette(rules: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w+)", rules))
