"""`surgetank compare`: two runs, two searches, or a league of one scenario's settings."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
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
from surgetank.output_folder import check_file, claimed, write_json

_EXAMPLES = """
Two runs, or two searches:

  surgetank compare runs/before runs/after

  surgetank compare runs/before runs/after --html compare.html

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

_MARK = "compare.json"


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
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For two runs: also write the comparison as a page.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
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
    of_league = [name for name in asked.given if name not in ("--out", "--force")]
    if of_league:
        raise SurgetankError(
            f"{of_league[0]} is for a league of one scenario, but two folders are given",
            place=f"compare {a} {b}",
            hint=f"Leave out {' '.join(of_league)}, or give one scenario and --vary KEY",
        )
    folders = Path(a), Path(b)
    if any(map(_is_search, folders)):
        if out is not None or html is not None:
            raise SurgetankError(
                "only two runs have a page of their comparison",
                place="--out" if html is None else "--html",
                hint="Leave it out; --json prints the comparison of two searches",
            )
        _two_searches(*folders, as_json=as_json)
        return
    if html is not None:
        check_file(html, f"--html {html}")
    with nullcontext() if out is None else claimed(out, force=force, mark=_MARK):
        _two_runs(*folders, out=out, html=html, as_json=as_json, whole=whole, quiet=quiet)


def _two_searches(a: Path, b: Path, *, as_json: bool) -> None:
    from surgetank.console.searches import show_against
    from surgetank.search import Answer
    from surgetank.search.answer_comparison import against

    compared = against(Answer.read(a), Answer.read(b))
    if as_json:
        sys.stdout.write(json.dumps(finite(compared.to_dict()), allow_nan=False) + "\n")
    else:
        show_against(out_, compared)


def _two_runs(
    a: Path,
    b: Path,
    *,
    out: Path | None,
    html: Path | None,
    as_json: bool,
    whole: bool,
    quiet: bool,
) -> None:
    from surgetank.compare.folders import compare_folders
    from surgetank.console.comparisons import Reading, show_comparison
    from surgetank.verdict import EXIT_CODES, Status

    with Reading(err, hidden=quiet or as_json) as reading:
        compared = compare_folders(a, b, reading)
    content = finite(compared.comparison.to_dict())
    pages = [html] if html is not None else []
    if out is not None:
        write_json(out / _MARK, content)
        pages.append(out / "compare.html")
    if pages:
        from surgetank.report.comparison import render_comparison
        from surgetank.report.shell import save

        page = render_comparison(compared.comparison, compared.traces, (str(a), str(b)))
        for path in pages:
            save(page, path)
    if as_json:
        sys.stdout.write(json.dumps(content, allow_nan=False) + "\n")
    else:
        show_comparison(out_, compared.comparison, whole=whole)
        for path in pages:
            out_.print(f"Written to {path}", soft_wrap=True, highlight=False)
    if compared.comparison.invalid:
        raise typer.Exit(EXIT_CODES[Status.INVALID])
