"""A figure as a standalone SVG file with light and dark colours, for papers and documents."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from surgetank.report.plot import Plot
from surgetank.report.shell import file_text

__all__ = ["standalone_svg"]

#: Room around the figure.
_EDGE: Final = 14


def standalone_svg(plot: Plot, description: str) -> str:
    """The drawn plot as a whole SVG document; `description` is its text alternative."""
    light, dark = (_palette(part) for part in _themes())
    drawn = str(plot.svg(description, "alone"))
    css = "".join(file_text(name) for name in ("figure.css", "series.css"))
    rules = re.sub(r"@media[^{]*\{[^{}]*\{[^{}]*\}\s*\}|/\*.*?\*/", "", css)
    rules = "\n".join(rule for rule in rules.splitlines() if _is_of(rule, drawn))
    rules += "\n.fig .paper { fill: var(--surface); }\n"
    ways = [
        re.sub(r"var\(--([\w-]+)\)", lambda name: palette.get(name[1], name[0]), rules)  # noqa: B023
        + _variables(palette, drawn)
        for palette in (light, dark)
    ]
    style = f"<style>{ways[0]}@media (prefers-color-scheme: dark) {{\n{ways[1]}}}</style>"
    across, down = (v + 2 * _EDGE for v in (plot.width, plot.height))
    at = f'x="{-_EDGE}" y="{-_EDGE}" width="{across}" height="{down}"'
    paper = f'<rect class="paper" {at} rx="8"/>'
    inside = Markup("<title>{}</title>").format(description) + Markup(style + paper)
    return str(plot.svg(description, "alone", inside, edge=_EDGE))


def _is_of(rule: str, drawn: str) -> bool:
    """Whether a line of rules is of the whole figure or of elements that are drawn in it."""
    classes = set(re.findall(r"\.([\w-]+)", rule.partition("{")[0])) - {"fig"}
    return not classes or any(re.search(rf'class="[^"]*\b{name}\b', drawn) for name in classes)


def _variables(palette: dict[str, str], drawn: str) -> str:
    """A rule with the colours that elements name themselves, as those of a series do."""
    named = sorted(set(re.findall(r"var\(--([\w-]+)\)", drawn)))
    colours = "".join(f" --{name}: {palette[name]};" for name in named)
    return f".fig {{{colours} }}\n" if named else ""


def _themes() -> list[str]:
    style = str(file_text("style.css"))
    found = re.search(r":root \{(.*?)\}.*?:root\[data-theme=.dark.\] \{(.*?)\}", style, re.S)
    assert found is not None
    return [found[1], found[2]]


def _palette(rules: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w+)", rules))
