"""Writes docs/gallery.md, docs/gallery.json and the pictures in docs/pictures/gallery: every
shipped scenario, run with its own seed. About a minute.

    .venv/bin/python docs/gallery.py          # all scenarios
    .venv/bin/python docs/gallery.py calm     # only these

gallery.json has what the page says of a run, and the digests of the trace that it was drawn from.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import surgetank as st
from surgetank.catalogue import LimitSide
from surgetank.number_format import apart, milliseconds, share, value
from surgetank.report.charts.load import load_panel
from surgetank.report.charts.over_time import Panel, Series, panels_plot, seconds
from surgetank.report.plot import Scale
from surgetank.report.run_view import RunView
from surgetank.report.svg_file import standalone_svg
from surgetank.scenario import Scenario
from surgetank.trace import MarketKind
from surgetank.verdict import Reason, Status

DOCS: Final = Path(__file__).resolve().parent
PAGE: Final = DOCS / "gallery.md"
RUNS: Final = DOCS / "gallery.json"
PICTURES: Final = DOCS / "pictures" / "gallery"
WIDTH: Final = 720
#: As in tests/trace/recorded_hashes.json.
DIGITS: Final = 16
_COLOURS: Final = ("ink", "price-oracle", "price-mark")
HEAD = """# Gallery

For anyone choosing a scenario to start from: what happens in each of the scenarios that come with surgetank, and which
event does it follow? Each picture is one run with the seed of the scenario, in three panels: the fall of the outside
prices, the load that this brings, and the latency that the messaging layer then has. Shaded: faults, and surges of the
background load. Dotted lines: the ends of the warm-up and of the flow.

```console
$ surgetank scenarios show black-thursday                    # its file
$ surgetank init my-crash --from black-thursday              # a copy to change
$ surgetank run my-crash.toml --out runs/my-crash            # the whole report
```

The same seed and build give the same bytes, so a run of yours gives these figures. Figures of an event are from the
sources below it; what a scenario assumes beyond them (rates, machines, accounts, the shape of the price path) is its
own, and stands in its file.

This page is written by `docs/gallery.py`.
"""


def draw(result: st.Result) -> str:
    """The picture of a run, a whole SVG document."""
    view = RunView(result.trace, result.measures, result.verdict)
    panels = [p for p in (_prices(view), load_panel(view, 110), _latency(view)) if p is not None]
    plot = panels_plot(view, "gallery", panels, [], WIDTH, keyed=True)
    return standalone_svg(plot, f"{result.scenario.name}: prices, load and latency over time")


def _prices(view: RunView) -> Panel | None:
    """The outside price of each perpetual as its change since the start."""
    series = []
    facts = view.facts(MarketKind.INDEX)
    for market, (name, _) in enumerate(view.perpetuals):
        rows = facts.filter(pl.col("market").fill_null(0) == market)
        if rows.height:
            prices = rows["price"].cast(pl.Float64).to_numpy()
            x, y = seconds(rows["time_ns"]), prices / prices[0] - 1
            series.append(Series(name, _COLOURS[market % len(_COLOURS)], x, y, share))
    if not series:
        return None
    low, high = (float(f([f(s.y) for s in series])) for f in (np.min, np.max))
    room = 0.06 * (high - low) or 0.01
    axis = Scale(low - room, high + room, say=share, title="change of the outside price")
    return Panel(axis, tuple(series), 90)


def _latency(view: RunView) -> Panel | None:
    """Median and p99 latency of all messages."""
    rows = view.overall
    drawn = {
        name: np.where(np.isfinite(rows[column].to_numpy()), rows[column].to_numpy(), np.nan)
        for name, column in (("median (dotted)", "p50"), ("p99", "p99"))
    }
    known = np.concatenate(list(drawn.values()))
    known = known[~np.isnan(known)]
    if not known.size:
        return None
    limit = view.limit("delay_p99_ms")
    x = seconds(rows["bin"] + view.step_ns // 2)
    series = tuple(
        Series(name, "ink", x, y, milliseconds, kind)
        for (name, y), kind in zip(drawn.items(), ("dots", "bold"), strict=True)
    )
    top = 1.8 * max(float(known.max()), limit or 0.0)
    axis = Scale(float(known.min()) / 1.5, top, True, milliseconds, "latency, by time of sending")
    limits = ((limit, f"limit of p99: {milliseconds(limit)}"),) if limit is not None else ()
    return Panel(axis, series, 120, limits)


def facts(result: st.Result) -> dict[str, Any]:
    """What the page says of a run, and from which bytes."""
    measures = result.measures
    trace = result.trace
    wanted = ("delay_p99_ms", "late_liquidations", "bad_debt_usd")
    return {
        "status": str(result.verdict.status),
        "seed": trace.run.seed,
        "messages": trace["messages"].height,
        **{name: value(measures[name].value, measures[name].unit) for name in wanted},
        "broken": [_said(r) for r in result.verdict.reasons if r.status is not Status.PASS],
        "tables": {
            name: chain[-1][:DIGITS] for name, chain in trace.chains.items() if trace[name].height
        },
    }


def _said(reason: Reason) -> str:
    if reason.bound is None or reason.limit is None or reason.measured is None:
        return reason.text
    measured, limit = apart(reason.measured, reason.limit, reason.unit)
    side = "at most" if reason.bound.side is LimitSide.MOST else "at least"
    unsure = ", too uncertain to judge" if reason.status is Status.UNKNOWN else ""
    title = reason.title[:1].lower() + reason.title[1:]
    return f"{title} {measured} (limit: {side} {limit}){unsure}"


def page(runs: dict[str, Any]) -> str:
    """docs/gallery.md, from the scenarios and what gallery.json says of their runs."""
    head = "| scenario | verdict | messages | p99 latency | late liquidations | bad debt |"
    rows = [head, "|---|---|--:|--:|--:|--:|"]
    for name, run in runs.items():
        cells = (run["delay_p99_ms"], run["late_liquidations"], run["bad_debt_usd"])
        link = f"[{name}](#{name})"
        rows.append(f"| {link} | {run['status']} | {run['messages']:,} | {' | '.join(cells)} |")
    parts = [_part(st.load(name), run) for name, run in runs.items()]
    return "\n".join([HEAD, *rows, "", *parts])


def _part(scenario: Scenario, run: dict[str, Any]) -> str:
    what = f"Seed {run['seed']}: {run['status']}."
    if run["broken"]:
        what += f" {'; '.join(run['broken'])}."
    sources = "\n".join(_wrapped(line, "- ") for line in scenario.source.splitlines() if line)
    blocks = (
        f"## {scenario.name}",
        _wrapped(f"**{scenario.title}.** {scenario.description}"),
        f"![{scenario.name}: prices, load and latency](pictures/gallery/{scenario.name}.svg)",
        _wrapped(what),
        _wrapped(f"The event: {scenario.event}"),
        f"Sources:\n\n{sources}",
    )
    return "\n\n".join(blocks) + "\n"


def _wrapped(text: str, first: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width=120,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def main() -> None:
    """Runs the scenarios, draws them and writes the page."""
    known = json.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else {}
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or st.names():
        result = st.run(name)
        (PICTURES / f"{name}.svg").write_text(draw(result), encoding="utf-8")
        known[name] = facts(result)
        print(f"{name}: {result.verdict.status}", file=sys.stderr)
    runs = {name: known[name] for name in st.names() if name in known}
    RUNS.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
