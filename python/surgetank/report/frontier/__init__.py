"""The page of a frontier: safe leverage against load, simulated and in closed form."""

from __future__ import annotations

from surgetank.report.frontier import wording
from surgetank.report.frontier.figure import drawing, frontier_svg
from surgetank.report.shell import render_template
from surgetank.search.frontier import Frontier

__all__ = ["frontier_svg", "render_frontier"]


def render_frontier(frontier: Frontier) -> str:
    """The page of a frontier as HTML text."""
    curves = [
        (i % 8, c, [f"{key} = {value}" for key, value in c.values.items()])
        for i, c in enumerate(frontier.curves)
    ]
    return render_template(
        "frontier.html.j2",
        frontier=frontier,
        status=wording.status(frontier),
        heading=f"Safe leverage of {frontier.scenario}",
        sentence=wording.sentence(frontier),
        agreement=wording.agreement(frontier) if frontier.theory else "",
        missing=wording.missing(frontier),
        tiles=wording.tiles(frontier),
        drawing=drawing(frontier),
        curves=curves,
        rows=wording.rows(frontier),
        how_to_read=wording.how_to_read(frontier),
    )
