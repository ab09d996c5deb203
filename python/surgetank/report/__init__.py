"""The report: one offline HTML file that a risk manager can read.

`write` and `render` are its only public functions. Style, script and figures are inside the file;
its content security policy forbids it to load anything. Without its script it says the same: that
adds values beside the pointer, zoom, and series that can be hidden.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from surgetank.measure import Measures
from surgetank.measure.ledger import COLUMNS
from surgetank.number_format import clock
from surgetank.report import page
from surgetank.report.accounts import account_table
from surgetank.report.charts import chart_groups
from surgetank.report.perpetuals import market_rows
from surgetank.report.run_view import RunView
from surgetank.report.scenario_text import command, toml
from surgetank.report.shell import in_script, render_template, save
from surgetank.report.summary import moments, sentence
from surgetank.report.target import target_section
from surgetank.trace import Trace
from surgetank.verdict import NO_LIMITS, Verdict

__all__ = ["render", "write"]

#: A longer scenario, of hundreds of nodes, is not in the page.
_TOML_MAX: Final = 30_000


def write(trace: Trace, measures: Measures, verdict: Verdict, path: str | Path) -> Path:
    """Writes the report as one HTML file and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    return save(render(trace, measures, verdict), path)


def render(trace: Trace, measures: Measures, verdict: Verdict) -> str:
    """The report as HTML text."""
    view = RunView(trace, measures, verdict)
    groups = chart_groups(view)
    limits, checks = page.reasons(view)
    charts = [chart for group in groups for chart in group.charts]
    data = {
        "step_s": view.step_ns / 1e9,
        "charts": {chart.name: chart.readout for chart in charts if chart.readout},
    }
    scenario = toml(trace.scenario.model_dump(mode="json", by_alias=True))
    return render_template(
        "run.html.j2",
        scripts=("page.js",),
        trace=trace,
        run=trace.run,
        status=str(verdict.status),
        heading=trace.scenario.title or trace.run.name,
        sentence=sentence(view),
        limits=limits,
        checks=checks,
        tiles=page.figures(view),
        money=page.money(view),
        markets=market_rows(view),
        money_heads=COLUMNS,
        moments=moments(view),
        no_limits=NO_LIMITS,
        stresses=view.stresses,
        groups=groups,
        faults=page.faults(view),
        accounts=account_table(trace),
        target_section=target_section(view),
        glossary=page.glossary(view),
        limitations=page.limitations(view),
        command=command(trace),
        toml=scenario if len(scenario) <= _TOML_MAX else "",
        toml_kb=round(len(scenario) / 1000),
        length=clock(view.end_ns),
        asked_s=trace.scenario.duration_s + trace.scenario.drain_s,
        messages=f"{trace['messages'].height:,}",
        data=in_script(data),
    )
