"""The report: one offline HTML file that a risk manager can read.

`write` and `render` are all there is to call. Everything the page needs (style, script, plotly.js,
data) is inside the file; its content security policy forbids it to load anything.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from surgetank.errors import SurgetankError
from surgetank.measure import Measures
from surgetank.report import page
from surgetank.report.charts import chart_groups
from surgetank.report.reading import Reading
from surgetank.report.scenario_text import command, toml
from surgetank.report.story import moments, sentence
from surgetank.report.wording import clock
from surgetank.trace import Trace
from surgetank.verdict import Verdict

__all__ = ["render", "write"]


def write(trace: Trace, measures: Measures, verdict: Verdict, path: str | Path) -> Path:
    """Writes the report as one HTML file and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(trace, measures, verdict), encoding="utf-8")
    except OSError as error:
        raise SurgetankError(
            f"cannot be written ({error.strerror})", place=str(target), mend="Choose another path"
        ) from error
    return target


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
    html: str = _template().render(
        trace=trace,
        run=trace.run,
        status=str(verdict.status),
        heading=trace.scenario.get("title") or trace.run.name,
        sentence=sentence(reading),
        limits=limits,
        checks=checks,
        tiles=page.figures(reading),
        moments=moments(reading),
        stresses=reading.stresses,
        groups=groups,
        faults=page.faults(reading),
        glossary=page.glossary(reading),
        limitations=page.limitations(reading),
        command=command(trace),
        toml=toml(trace.scenario) if trace.scenario else "",
        length=clock(reading.end_ns),
        asked_s=_asked_s(trace),
        messages=f"{trace['messages'].height:,}",
        data=_json(data),
        style=_text("style.css"),
        script=_text("page.js"),
        plotly=_plotly(),
    )
    return html


def _asked_s(trace: Trace) -> float | None:
    duration = trace.scenario.get("duration_s")
    if duration is None:
        return None
    return float(duration) + float(trace.scenario.get("drain_s") or 0)


def _json(data: Any) -> Markup:
    """JSON that may stand inside a script element."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for sign, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(sign, escape)
    return Markup(text)


@cache
def _text(name: str) -> Markup:
    return Markup((resources.files(__package__) / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> Markup:
    source = resources.files("plotly") / "package_data" / "plotly.min.js"
    # "</script" in a string of the library would end the element early.
    return Markup(source.read_text(encoding="utf-8").replace("</script", "<\\/script"))


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(str(_text("template.html.j2")))
