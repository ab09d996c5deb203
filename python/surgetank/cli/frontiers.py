"""The command `surgetank frontier`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli.app import (
    EFFORT,
    QUESTION,
    AllowCode,
    ScenarioName,
    app,
    err,
    finite,
    overrides,
)
from surgetank.cli.app import out as out_
from surgetank.cli.completion import curve_names
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Quiet
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import (
    Budget,
    Dask,
    Force,
    Out,
    PerWhat,
    Precision,
    Resume,
    Seed,
    Workers,
    executor_of,
    per_of,
    placed,
    span_of,
    stopped,
    terminable,
)
from surgetank.errors import SurgetankError

if TYPE_CHECKING:
    from surgetank.scenario import Scenario
    from surgetank.search import Curve, Frontier

_FRONTIER_EXAMPLES = """
Examples:

  surgetank frontier rollup-sequencer

  surgetank frontier my-venue.toml --loads 50:2000 --points 5 --budget 0.001

  surgetank frontier calm --curve "as it is" --curve "fast oracle: flow.oracle.interval_ms=100"

Exit codes: 0 all points found · 2 usage · 3 INVALID · 4 UNKNOWN, or stopped.
"""


@app.command("frontier", epilog=_FRONTIER_EXAMPLES)
@grouped
def frontier_command(
    context: typer.Context,
    scenario: ScenarioName,
    *,
    loads: Annotated[
        str | None,
        typer.Option(
            metavar="A:B",
            help="Range of loads, background messages per second.",
            rich_help_panel=QUESTION,
        ),
    ] = None,
    points: Annotated[
        int,
        typer.Option(metavar="N", min=2, max=50, help="Number of loads.", rich_help_panel=QUESTION),
    ] = 6,
    curve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[: KEY=VALUE; …]",
            help="Curve to draw, repeatable; by default those that apply.",
            rich_help_panel=QUESTION,
            autocompletion=curve_names,
        ),
    ] = None,
    budget: Budget = 0.01,
    per: PerWhat = None,
    precision: Precision = 0.05,
    runs_max: Annotated[
        int, typer.Option(metavar="N", min=16, help="Most runs per point.", rich_help_panel=EFFORT)
    ] = 160,
    seed: Seed = 1,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    workers: Workers = None,
    dask: Dask = None,
    out: Out = None,
    force: Force = False,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute safe leverage against load, as a figure and a table."""
    from surgetank.console.searches import SearchWatch, show_frontier
    from surgetank.report.frontier import frontier_svg, render_frontier
    from surgetank.report.shell import save
    from surgetank.search import frontier
    from surgetank.search.goal import goal, unit_of
    from surgetank.search.sweep import curves_of, loads_of

    refuse_ignored(context)
    chosen = given.of(scenario, hidden=quiet or as_json)
    levels = loads_of(chosen, None if loads is None else span_of(loads, "--loads"), points)
    lines = [_curve(text, chosen) for text in curve] if curve else curves_of(chosen)
    unit = unit_of(chosen, per_of(per))
    goal("safe-leverage", budget=budget, per=unit)
    folder = out or Path("runs") / f"frontier-{chosen.name}-{seed}-{chosen.hash[:8]}"
    with (
        terminable(),
        executor_of(dask) as executor,
        placed(folder, force=force, resume=resume) as place,
    ):
        if not (quiet or as_json):
            many = f"{len(levels) * len(lines)} points ({len(levels)} loads × {len(lines)} curves)"
            text = f"{many}, each a search of at most {runs_max:,} runs"
            err.print(text, highlight=False, soft_wrap=True)
        try:
            with SearchWatch(err, hidden=quiet or as_json) as watch:
                found = frontier(
                    chosen,
                    loads=levels,
                    curves=lines,
                    budget=budget,
                    per=unit,
                    precision=precision,
                    runs_max=runs_max,
                    seed=seed,
                    workers=workers,
                    executor=executor,
                    journal=place.journal,
                    watch=lambda name, seen: watch(seen, name),
                )
        except KeyboardInterrupt:
            stopped(place)
    found.write(place.folder / "frontier.json")
    found.frame().write_csv(place.folder / "frontier.csv")
    (place.folder / "frontier.svg").write_text(frontier_svg(found), encoding="utf-8")
    save(render_frontier(found), place.folder / "frontier.html")
    if as_json:
        content = found.to_dict() | {"out": str(place.folder)}
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
    else:
        show_frontier(out_, found)
        out_.print(f"Written to {place.folder / 'frontier.html'}", soft_wrap=True, highlight=False)
    raise typer.Exit(0 if all(p.status == "FOUND" for p in found.points) else _worst(found))


def _worst(found: Frontier) -> int:
    return 3 if any(p.status == "INVALID" for p in found.points) else 4


def _curve(text: str, scenario: Scenario) -> Curve:
    """`NAME` of a curve that applies by itself, or `NAME: KEY=VALUE; KEY=VALUE`."""
    from surgetank.search import Curve
    from surgetank.search.sweep import curves_of

    name, colon, rest = text.partition(":")
    name = name.strip()
    if not colon:
        known = {c.name: c for c in curves_of(scenario)}
        if name not in known:
            raise SurgetankError(
                "there is no such curve for this scenario",
                place=f"--curve {name}",
                hint=f"There are: {', '.join(known)}; or write NAME: KEY=VALUE; KEY=VALUE",
            )
        return known[name]
    pairs = [pair.strip() for pair in rest.split(";") if pair.strip()]
    return Curve(name, ", ".join(pairs), overrides(pairs))
