"""The page of a fit: rate and fitted intensity, Q–Q plot of the residuals, burstiness."""

from __future__ import annotations

from pathlib import PurePath

from surgetank.fit import Fit
from surgetank.fit.text import facts, sentences
from surgetank.report.fit.figure import burstiness, intensity, quantiles, rates
from surgetank.report.shell import render_template

__all__ = ["render_fit"]


def render_fit(fit: Fit) -> str:
    """The page of a fit as HTML text."""
    flow = fit.flow
    return render_template(
        "fit.html.j2",
        fit=fit,
        status="FOUND",
        name=PurePath(fit.recording.file).name,
        sentences=sentences(fit),
        facts=facts(fit),
        figures=[]
        if flow is None
        else [intensity(flow), quantiles(flow), burstiness(flow), rates(flow)],
    )
