"""The report: one offline HTML file that a risk manager can read.

`write` and `render` are all there is to call. Everything the page needs (style, script, plotly.js,
data) is inside the file; its content security policy forbids it to load anything.
"""

from __future__ import annotations

from pathlib import Path

from surgetank.measure import Measures
from surgetank.measure.ledger import COLUMNS
from surgetank.report import page
from surgetank.report.charts import chart_groups
from surgetank.report.number_format import clock
from surgetank.report.run_view import Reading
from surgetank.report.scenario_text import command, toml
from surgetank.report.shell import filled, in_script, plotly, save
from surgetank.report.summary import moments, sentence
from surgetank.report.target import aimed
from surgetank.trace import Trace
from surgetank.verdict import Verdict

__all__ = ["render", "write"]


def write(trace: Trace, measures: Measures, verdict: Verdict, path: str | Path) -> Path:
    """Writes the report as one HTML file and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    return save(render(trace, measures, verdict), path)


def render(trace: Trace, measures: Measures, verdict: Verdict) -> str:
    """The report as HTML text."""
    reading = Reading(trace, measures, verdict)
    groups = chart_groups(reading)
    limits, checks = page.reasons(reading)
    charts = [chart.to_dict() for group in groups for chart in group.charts]
    data = {
        "end_s": reading.end_ns / 1e9,
        "from_s": trace.measured_from_ns / 1e9,
        "flow_end_s": trace.flow_end_ns / 1e9,
        "bands": page.bands(reading),
        "charts": charts,
    }
    return filled(
        "run.html.j2",
        scripts=("page.js",),
        trace=trace,
        run=trace.run,
        status=str(verdict.status),
        heading=trace.scenario.title or trace.run.name,
        sentence=sentence(reading),
        limits=limits,
        checks=checks,
        tiles=page.figures(reading),
        money=page.money(reading),
        money_heads=COLUMNS,
        moments=moments(reading),
        stresses=reading.stresses,
        groups=groups,
        faults=page.faults(reading),
        aimed=aimed(reading),
        glossary=page.glossary(reading),
        limitations=page.limitations(reading),
        command=command(trace),
        toml=toml(trace.scenario.model_dump(mode="json", by_alias=True)),
        length=clock(reading.end_ns),
        asked_s=trace.scenario.duration_s + trace.scenario.drain_s,
        messages=f"{trace['messages'].height:,}",
        data=in_script(data),
        plotly=plotly(),
    )
