"""`surgetank compare`: two runs, two searches, or a league of one scenario's settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import app, finite
from surgetank.cli.app import out as out_
from surgetank.cli.leagues import Asked, play
from surgetank.compare import compare
from surgetank.console import show_against, show_comparison
from surgetank.errors import SurgetankError
from surgetank.search import Answer
from surgetank.search.against import against
from surgetank.trace import Trace

_EXAMPLES = """
Two runs, or two searches:

  surgetank compare runs/before runs/after

A league of one scenario's queue rules, or of any other key's values:

  surgetank compare black-thursday --vary layer.queue.rule

  surgetank compare black-thursday --vary layer.queue.rule=fifo,priority --attack all --seeds 10

  surgetank compare burst --vary layer.queue.rule --vary load=300,3000 --rank bad_debt_usd

  surgetank compare burst --vary layer.queue.rule --search capacity,safe-leverage --json

Exit codes: 0 compared · 2 usage · 3 a run is INVALID (the table says which) · 4 stopped.
"""


def _is_search(place: Path) -> bool:
    return place.suffix == ".json" or (place / "search.json").exists()


@app.command("compare", epilog=_EXAMPLES)
def compare_command(
    a: Annotated[str, typer.Argument(help="A run's or a search's folder; or a scenario.")],
    b: Annotated[str | None, typer.Argument(help="Another folder.")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY[=A,B,…]",
            help="Compare these values of a key of the scenario, by default all that the model "
            "lists; `load` and `leverage` are keys too. Given again: a grid.",
        ),
    ] = None,
    attack: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Kinds of attack, or all; else none.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of each, 3 by default.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="First seed; else scenario's.")] = None,
    rank: Annotated[
        str | None, typer.Option(metavar="MEASURE", help="Ranks by its worst case over attacks.")
    ] = None,
    find: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="A,B,…",
            help="Also find each one's capacity, failure-threshold, safe-leverage.",
        ),
    ] = None,
    search_attacks: Annotated[
        bool, typer.Option("--search-attacks", help="… under each attack, not only without.")
    ] = False,
    budget: Annotated[
        float | None, typer.Option(help="P(bad debt) of safe leverage, 0.01 by default.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Half width of a search's interval, 0.1 by default.")
    ] = None,
    runs_max: Annotated[
        int | None, typer.Option(min=16, help="Runs of a search at most, 100 by default.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; else one per core.")
    ] = None,
    dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the league.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier one there.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the runs kept there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object; of a league, one line a run.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Two runs or searches side by side; or, with --vary, a league of one scenario's settings."""
    asked = Asked(
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
        set=values,
        workers=workers,
        dask=dask,
        out=out,
        force=force or None,
        resume=resume or None,
    )
    if b is None:
        if vary is None and attack is None:
            raise SurgetankError(
                "nothing to compare it with",
                place=f"compare {a}",
                mend="Give two folders, or a scenario and --vary KEY (or --attack)",
            )
        play(a, asked, as_json=as_json, quiet=quiet)
        return
    if asked.given:
        raise SurgetankError(
            f"{asked.given[0]} is for a league of one scenario, and here are two folders",
            place=f"compare {a} {b}",
            mend=f"Leave out {' '.join(asked.given)}, or give one scenario and --vary KEY",
        )
    _two(Path(a), Path(b), as_json=as_json)


def _two(a: Path, b: Path, *, as_json: bool) -> None:
    """Two folders."""
    if _is_search(a) and _is_search(b):
        compared = against(Answer.read(a), Answer.read(b))
        if as_json:
            sys.stdout.write(json.dumps(finite(compared.to_dict()), allow_nan=False) + "\n")
        else:
            show_against(out_, compared)
        return
    comparison = compare(Trace.load(a), Trace.load(b))
    if not as_json:
        show_comparison(out_, comparison)
        return
    content = {
        "same_name": comparison.same_name,
        "same_trace": comparison.same_trace,
        "divergence": comparison.divergence and comparison.divergence.text,
        "differences": {
            d.name: {
                "unit": d.unit,
                "a": d.a and d.a.value,
                "b": d.b and d.b.value,
                "change": d.change,
                "overlap": d.overlap,
            }
            for d in comparison.differences
        },
    }
    sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
