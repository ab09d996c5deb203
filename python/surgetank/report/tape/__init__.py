"""The page of a recording: its figures, price and rate over time."""

from __future__ import annotations

from pathlib import PurePath

from surgetank.report.shell import render_template
from surgetank.report.tape.figure import price_figure, rate_figure
from surgetank.tape.inspection import Inspection
from surgetank.tape.inspection_text import facts

__all__ = ["render_tape"]


def render_tape(found: Inspection) -> str:
    """The page of an inspection as HTML text."""
    return render_template(
        "tape.html.j2",
        found=found,
        status="FOUND",
        name=PurePath(found.file).name,
        facts=facts(found),
        price=price_figure(found.series),
        rate=rate_figure(found.series),
    )
