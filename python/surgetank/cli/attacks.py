"""`surgetank attack`: the attacker's best response."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from surgetank.cli.app import EFFORT, QUESTION, AllowCode, ScenarioName, app, err
from surgetank.cli.app import out as out_
from surgetank.cli.completion import attack_kinds, listed
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Quiet
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import (
    Dask,
    Seed,
    Workers,
    executor_of,
    terminable,
)
from surgetank.errors import EXIT_STOPPED

_EXAMPLES = """
Examples:

  surgetank attack black-thursday

  surgetank attack calm --kinds sandwich,insider --set layer.queue.rule=hash

  surgetank attack my-venue.toml --budget-usd 50000 --fresh 16 --json

For each kind of attack the most profitable settings and capital are searched for; the best is \
then measured on fresh seeds, with an interval.

Exit codes: 0 none pays · 1 one pays · 2 usage · 3 INVALID · 4 UNKNOWN: more seeds are needed.
"""

Kinds = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,…",
        rich_help_panel=QUESTION,
        autocompletion=listed(attack_kinds),
        help="Kinds, by default all: spam, sybil, cancel-storm, sandwich, insider, grind, "
        "withhold, latency-race, fee-jump.",
    ),
]
Capital = Annotated[
    float,
    typer.Option(
        "--budget-usd",
        metavar="USD",
        help="Largest capital of the attacker.",
        rich_help_panel=QUESTION,
    ),
]
Candidates = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=2,
        max=10_000,
        help="Strategies of each kind drawn in the first round.",
        rich_help_panel=EFFORT,
    ),
]
Fresh = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=2,
        max=10_000,
        help="Fresh seeds on which the best of each kind is measured.",
        rich_help_panel=EFFORT,
    ),
]


@app.command("attack", epilog=_EXAMPLES)
@grouped
def attack_command(
    context: typer.Context,
    scenario: ScenarioName,
    *,
    kinds: Kinds = None,
    budget_usd: Capital = 1_000_000.0,
    candidates: Candidates = 12,
    fresh: Fresh = 8,
    seed: Seed = 1,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    workers: Workers = None,
    dask: Dask = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search each kind of attack for its best strategy and measure what it gains."""
    from surgetank.attacker import KINDS, best_response
    from surgetank.attacker.race import RaceEffort
    from surgetank.console.attacks import AttackWatch, show_response
    from surgetank.verdict import EXIT_CODES

    refuse_ignored(context)
    chosen = given.of(scenario, hidden=quiet or as_json)
    named = KINDS if kinds is None else [k.strip() for k in kinds.split(",") if k.strip()]
    with terminable(), executor_of(dask) as executor:
        try:
            with AttackWatch(err, hidden=quiet or as_json) as watch:
                found = best_response(
                    chosen,
                    kinds=named,
                    budget_usd=budget_usd,
                    effort=RaceEffort(candidates=candidates),
                    fresh=fresh,
                    seed=seed,
                    workers=workers,
                    executor=executor,
                    watch=watch,
                )
        except KeyboardInterrupt:
            err.print("Stopped before any result.")
            raise typer.Exit(EXIT_STOPPED) from None
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n")
    else:
        show_response(found, out_)
    raise typer.Exit(EXIT_CODES[found.status])
