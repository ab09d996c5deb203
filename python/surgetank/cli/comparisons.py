"""`surgetank compare`: two runs, two searches, or a league of one scenario's settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import OUTPUT, AllowCode, app, err, finite
from surgetank.cli.app import out as out_
from surgetank.cli.completion import runs_and_scenarios
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.leagues import (
    Attack,
    Find,
    FirstSeed,
    LeagueOptions,
    OwnBudget,
    OwnPrecision,
    Rank,
    RunsMax,
    SearchAttacks,
    Seeds,
    Vary,
    play,
)
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Quiet
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import Dask, Force, Out, Resume, Workers
from surgetank.errors import SurgetankError

_EXAMPLES = """
Two runs, or two searches:

  surgetank compare runs/before runs/after

Two folders with runs of the same seeds, which are compared seed by seed:

  for s in 1 2 3 4 5; do surgetank run calm --seed $s --out a/$s --quiet; done

  surgetank compare a b

A league of one scenario's queue rules, or of any other key's values:

  surgetank compare black-thursday --vary layer.queue.rule

  surgetank compare burst --vary layer.queue.rule=fifo,priority --attack all

  surgetank compare burst --vary layer.queue.rule --vary load=300,3000

  surgetank compare burst --vary layer.queue.rule --search capacity --json

Exit codes: 0 compared · 2 usage · 3 a run is INVALID (the table says which) · 4 stopped.
"""


def _is_search(place: Path) -> bool:
    return place.suffix == ".json" or (place / "search.json").exists()


@app.command("compare", epilog=_EXAMPLES)
@grouped
def compare_command(
    context: typer.Context,
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A run's or a search's folder; or a scenario.",
            autocompletion=runs_and_scenarios,
        ),
    ],
    b: Annotated[
        str | None,
        typer.Argument(metavar="B", help="A second folder.", autocompletion=runs_and_scenarios),
    ] = None,
    *,
    vary: Vary = None,
    attack: Attack = None,
    seeds: Seeds = None,
    seed: FirstSeed = None,
    rank: Rank = None,
    find: Find = None,
    search_attacks: SearchAttacks = False,
    budget: OwnBudget = None,
    precision: OwnPrecision = None,
    runs_max: RunsMax = None,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    workers: Workers = None,
    dask: Dask = None,
    out: Out = None,
    force: Force = False,
    resume: Resume = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object; for a league, one line per run.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    whole: Annotated[
        bool,
        typer.Option(
            "--all", help="For two runs: also classes, and equal values.", rich_help_panel=OUTPUT
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compare two runs or searches; or, with --vary, settings of one scenario (a league)."""
    asked = LeagueOptions(
        vary=vary,
        attack=attack,
        seeds=seeds,
        seed=seed,
        rank=rank,
        search=find,
        search_attacks=search_attacks or None,
        budget=budget,
        precision=precision,
        runs_max=runs_max,
        network=given.network,
        set=given.values,
        workers=workers,
        dask=dask,
        out=out,
        force=force or None,
        resume=resume or None,
    )
    refuse_ignored(context)
    if b is None:
        if vary is None and attack is None:
            raise SurgetankError(
                "nothing to compare it with",
                place=f"compare {a}",
                hint="Give two folders, or a scenario and --vary KEY (or --attack)",
            )
        play(a, asked, given, as_json=as_json, quiet=quiet)
        return
    if asked.given:
        raise SurgetankError(
            f"{asked.given[0]} is for a league of one scenario, but two folders are given",
            place=f"compare {a} {b}",
            hint=f"Leave out {' '.join(asked.given)}, or give one scenario and --vary KEY",
        )
    _two(Path(a), Path(b), as_json=as_json, whole=whole, quiet=quiet)


def _two(a: Path, b: Path, *, as_json: bool, whole: bool, quiet: bool) -> None:
    """Compares the runs or searches in two folders."""
    if _is_search(a) and _is_search(b):
        from surgetank.console.searches import show_against
        from surgetank.search import Answer
        from surgetank.search.answer_comparison import against

        compared = against(Answer.read(a), Answer.read(b))
        if as_json:
            sys.stdout.write(json.dumps(finite(compared.to_dict()), allow_nan=False) + "\n")
        else:
            show_against(out_, compared)
        return
    from surgetank.compare.folders import compare_folders
    from surgetank.console.comparisons import show_comparison
    from surgetank.console.progress_bar import Bar

    with Bar(err, "comparing", hidden=quiet or as_json) as bar:
        comparison = compare_folders(a, b, bar.at).comparison
    if as_json:
        content = finite(comparison.to_dict())
        sys.stdout.write(json.dumps(content, allow_nan=False) + "\n")
    else:
        show_comparison(out_, comparison, whole=whole)
