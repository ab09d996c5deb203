"""The command `surgetank explain`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli.app import EFFORT, QUESTION, AllowCode, app, err, finite
from surgetank.cli.app import out as out_
from surgetank.cli.completion import runs_and_scenarios
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Quiet
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import Workers, terminable
from surgetank.errors import EXIT_STOPPED, SurgetankError

if TYPE_CHECKING:
    from surgetank.scenario import Scenario

_EXAMPLES = """
Examples:

  surgetank explain runs/black-thursday

  surgetank explain black-thursday --by p99 --seeds 10

  surgetank explain my-venue.toml --free --json

Exit codes: 0 a significant gain · 2 usage · 3 INVALID · 4 no significant gain, or stopped.
"""


@app.command("explain", epilog=_EXAMPLES)
@grouped
def explain_command(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's folder; or a scenario's name or file.",
            autocompletion=runs_and_scenarios,
        ),
    ],
    *,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=2,
            help="Number of seeds, beginning with the run's own.",
            rich_help_panel=EFFORT,
        ),
    ] = 5,
    by: Annotated[
        str,
        typer.Option(
            metavar="mean|p99",
            help="Latency to reduce.",
            rich_help_panel=QUESTION,
            autocompletion=lambda: ["mean", "p99"],
        ),
    ] = "mean",
    free: Annotated[
        bool,
        typer.Option(
            "--free", help="Also make each resource free (zero time).", rich_help_panel=QUESTION
        ),
    ] = False,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    workers: Workers = None,
    kept: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Record finished runs in this file, and resume from it.",
            rich_help_panel=EFFORT,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the resource to improve: make each twice as fast, with the same seeds, and compare."""
    from surgetank.console.explanations import ExplainWatch, show_explanation
    from surgetank.explain import explain
    from surgetank.explain.paired import DELAYS

    refuse_ignored(context)
    if by not in DELAYS:
        raise SurgetankError("no such latency", place=f"--by {by}", hint="Give mean or p99")
    scenario, seed = _asked(run)
    scenario = given.applied(scenario, hidden=quiet or as_json)
    try:
        with terminable(), ExplainWatch(err, hidden=quiet or as_json) as watch:
            found = explain(
                scenario,
                seed=seed,
                seeds=seeds,
                by=by,
                free=free,
                workers=workers,
                journal=kept,
                progress=watch,
            )
    except KeyboardInterrupt:
        err.print("Stopped." if kept is None else f"Stopped. Resume with: --kept {kept}")
        raise typer.Exit(EXIT_STOPPED) from None
    if as_json:
        sys.stdout.write(json.dumps(finite(found.to_dict()), allow_nan=False) + "\n")
    else:
        show_explanation(out_, found)
    raise typer.Exit(3 if found.invalid else 0 if found.best else 4)


def _asked(run: str) -> tuple[Scenario, int]:
    """The scenario and the seed of a run's folder; of a scenario, the scenario and its own seed."""
    from surgetank.scenario import Scenario, load
    from surgetank.trace.store import RUN_FILE, read_run, with_inputs

    folder = Path(run)
    if not folder.is_dir():
        if len(folder.parts) > 1 and not folder.exists() and folder.suffix != ".toml":
            hint = "Give the folder of a run, or a scenario's name or file"
            raise SurgetankError("there is no such folder", place=run, hint=hint)
        scenario = load(run)
        return scenario, scenario.seed
    content = read_run(folder)
    where = str(folder / RUN_FILE)
    if "live" in content["stats"]:
        raise SurgetankError(
            "this run was of a live system, whose resources cannot be changed",
            place=where,
            hint="Explain the scenario, or a `surgetank calibrate` of the system",
        )
    made = with_inputs(Scenario.build(content["scenario"], where), folder)
    return made, int(content["run"]["seed"])
