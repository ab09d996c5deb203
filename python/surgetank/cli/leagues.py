"""`surgetank compare SCENARIO --vary …`: a league."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from surgetank.cli.app import err, seed_in_range
from surgetank.cli.app import out as out_
from surgetank.cli.completion import (
    attack_kinds,
    keys_to_compare,
    listed,
    measure_names,
    search_names,
)
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import (
    SearchFolder,
    executor_of,
    placed,
    stopped,
    terminable,
)
from surgetank.errors import SurgetankError

if TYPE_CHECKING:
    from surgetank.league import League

#: The panel of a league's options in `--help`.
LEAGUE: Final = "League (with one scenario)"

# An option that is not given is None: a comparison of two folders takes none of them.
Vary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY[=A,B,…]",
        help="Compare these values of a scenario key, by default all that its model lists; "
        "`load`, `leverage` and `speed` are keys too. Repeat for a grid.",
        rich_help_panel=LEAGUE,
        autocompletion=keys_to_compare,
    ),
]
Attack = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        help="Kinds of attack, or all; by default none.",
        rich_help_panel=LEAGUE,
        autocompletion=listed(attack_kinds),
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Seeds per cell, 5 by default.", rich_help_panel=LEAGUE),
]
FirstSeed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        callback=seed_in_range,
        help="First seed; by default the scenario's.",
        rich_help_panel=LEAGUE,
    ),
]
Rank = Annotated[
    str | None,
    typer.Option(
        metavar="MEASURE",
        help="Measure to rank by, in its worst case over attacks.",
        rich_help_panel=LEAGUE,
        autocompletion=measure_names,
    ),
]
Find = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="A,B,…",
        help="Also search each entrant's capacity, failure-threshold, safe-leverage.",
        rich_help_panel=LEAGUE,
        autocompletion=listed(search_names),
    ),
]
SearchAttacks = Annotated[
    bool,
    typer.Option(
        "--search-attacks", help="With --search: also under each attack.", rich_help_panel=LEAGUE
    ),
]
OwnBudget = Annotated[
    float | None,
    typer.Option(
        metavar="P", help="P(bad debt) for safe leverage, 0.01 by default.", rich_help_panel=LEAGUE
    ),
]
OwnPrecision = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Relative half width of a search's interval, 0.1 by default.",
        rich_help_panel=LEAGUE,
    ),
]
RunsMax = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=16, help="Most runs of a search, 100 by default.", rich_help_panel=LEAGUE
    ),
]


@dataclass(frozen=True)
class LeagueOptions:
    """The options of a league; None for each that is not given."""

    vary: list[str] | None
    attack: str | None
    seeds: int | None
    seed: int | None
    rank: str | None
    search: str | None
    search_attacks: bool | None
    budget: float | None
    precision: float | None
    runs_max: int | None
    network: Path | None
    set: list[str] | None
    workers: int | None
    dask: str | None
    out: Path | None
    force: bool | None
    resume: bool | None

    @property
    def given(self) -> list[str]:
        """Names of the options that were given."""
        names = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        return [f"--{name.replace('_', '-')}" for name in names]


def play(
    scenario: str, asked: LeagueOptions, given: ScenarioOptions, *, as_json: bool, quiet: bool
) -> None:
    """Runs a league, writes it, and shows it."""
    from surgetank.console.leagues import LeagueWatch
    from surgetank.league import LeagueSearch, league
    from surgetank.league.play import plan_of

    if Path(scenario).is_dir():
        raise SurgetankError(
            "this is a folder",
            place=f"compare {scenario}",
            hint=f"{asked.given[0]} asks for a scenario; to compare two folders, give both",
        )
    chosen = given.of(scenario, hidden=quiet or as_json)
    seed = chosen.seed if asked.seed is None else asked.seed
    searches = [name.strip() for name in (asked.search or "").split(",") if name.strip()]
    only = [
        n
        for n in ("search_attacks", "budget", "precision", "runs_max")
        if getattr(asked, n) is not None
    ]
    if only and not searches:
        flag = f"--{only[0].replace('_', '-')}"
        raise SurgetankError(
            "applies only to searches", place=flag, hint="Add --search capacity, or leave it out"
        )
    league_search = LeagueSearch(
        searches,
        attacks=bool(asked.search_attacks),
        budget=0.01 if asked.budget is None else asked.budget,
        precision=0.1 if asked.precision is None else asked.precision,
        runs_max=asked.runs_max or 100,
    )
    question: dict[str, Any] = {
        "vary": asked.vary or (),
        "attacks": asked.attack,
        "seeds": 5 if asked.seeds is None else asked.seeds,
        "seed": seed,
        "rank": asked.rank,
        "searches": league_search,
    }
    # An invalid question must not leave a folder behind.
    plan_of(chosen, **question)
    folder = asked.out or Path("runs") / f"league-{chosen.name}-{seed}-{chosen.hash[:8]}"
    with (
        terminable(),
        executor_of(asked.dask) as executor,
        placed(folder, force=bool(asked.force), resume=bool(asked.resume)) as place,
    ):
        try:
            with LeagueWatch(err, hidden=quiet or as_json) as watch:
                found = league(
                    chosen,
                    **question,
                    workers=asked.workers,
                    executor=executor,
                    journal=place.journal,
                    watch=watch,
                )
        except KeyboardInterrupt:
            stopped(place)
    _show(found, place, as_json=as_json)
    raise typer.Exit(found.exit_code)


def _show(found: League, place: SearchFolder, *, as_json: bool) -> None:
    from surgetank.console.leagues import show_league
    from surgetank.league.result import json_rows
    from surgetank.report.league import render_league
    from surgetank.report.shell import save

    found.write(place.folder)
    page = save(render_league(found), place.folder / "league.html")
    if as_json:
        for row in json_rows(found):
            sys.stdout.write(json.dumps(row, allow_nan=False) + "\n")
        return
    show_league(out_, found)
    out_.print(f"Written to {page}", soft_wrap=True, highlight=False)
