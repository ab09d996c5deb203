"""The command `surgetank risk`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgetank.cli.app import (
    EFFORT,
    OUTPUT,
    QUESTION,
    SCENARIO,
    AllowCode,
    ScenarioName,
    app,
    err,
    finite,
    overrides,
    seed_in_range,
)
from surgetank.cli.app import out as out_
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Junit, Quiet
from surgetank.cli.scenario_options import ScenarioOptions
from surgetank.cli.search_options import (
    Dask,
    Force,
    Out,
    Resume,
    SearchFolder,
    Workers,
    executor_of,
    placed,
    stopped,
    terminable,
)
from surgetank.errors import SurgetankError
from surgetank.output_folder import check_file

if TYPE_CHECKING:
    from surgetank.risk import Risk

_EXAMPLES = """
Examples:

  surgetank risk black-thursday

  surgetank risk my-venue.toml --runs 2000 --limit bad_debt_es99_usd_max=1e6

  surgetank risk black-thursday --positions book.csv --remedies

  surgetank risk calm --try market.margin.insurance_usd=5e6 --json

Exit codes: 0 PASS or NO LIMIT · 1 FAIL · 2 usage · 3 INVALID · 4 UNKNOWN (also: stopped).
"""


def _limits(incomplete: str) -> list[str]:
    from surgetank.catalogue import RISK_LIMITS

    return [f"{name}=" for name in RISK_LIMITS if name.startswith(incomplete)]


@app.command("risk", epilog=_EXAMPLES)
@grouped
def risk_command(
    context: typer.Context,
    scenario: ScenarioName,
    *,
    runs: Annotated[
        int,
        typer.Option(
            metavar="N", min=30, help="Number of runs, a seed each.", rich_help_panel=EFFORT
        ),
    ] = 400,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            callback=seed_in_range,
            help="First seed; by default the scenario's.",
            rich_help_panel=SCENARIO,
        ),
    ] = None,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=USD",
            help="Greatest allowed value, such as bad_debt_es99_usd_max=1e6; may be repeated.",
            rich_help_panel=QUESTION,
            autocompletion=_limits,
        ),
    ] = None,
    remedies: Annotated[
        bool,
        typer.Option(
            "--remedies",
            help="Try changes that may reduce bad debt, each with the same seeds.",
            rich_help_panel=QUESTION,
        ),
    ] = False,
    try_: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="KEY=VALUE",
            help="Also try this change of the scenario; several keys with `;` between them; may "
            "be repeated.",
            rich_help_panel=QUESTION,
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="End earlier, when half the interval of the mean is at most this share of it.",
            rich_help_panel=EFFORT,
        ),
    ] = None,
    workers: Workers = None,
    dask: Dask = None,
    out: Out = None,
    force: Force = False,
    resume: Resume = False,
    junit: Junit = None,
    as_json: Json = False,
    report: Annotated[bool, typer.Option(help="Write risk.html.", rich_help_panel=OUTPUT)] = True,
    quiet: Quiet = False,
) -> None:
    """Estimate the distribution of bad debt over many seeds, and what would change it."""
    from surgetank.console.risks import RiskWatch
    from surgetank.risk import check, risk

    refuse_ignored(context)
    chosen = given.of(scenario, hidden=quiet or as_json)
    asked: dict[str, Any] = {
        "runs": runs,
        "limits": dict(_number_of(text) for text in limit or []),
        "precision": precision,
        "tries": {text: overrides(text.split(";")) for text in try_ or []},
    }
    # A wrong question must neither leave a folder nor replace one.
    check(chosen, **asked)
    if junit is not None:
        check_file(junit, f"--junit {junit}")
    first = chosen.seed if seed is None else seed
    folder = out or Path("runs") / f"risk-{chosen.name}-{first}-{chosen.hash[:8]}"
    with (
        terminable(),
        executor_of(dask) as executor,
        placed(folder, force=force, resume=resume) as place,
    ):
        try:
            with RiskWatch(err, hidden=quiet or as_json) as watch:
                found = risk(
                    chosen,
                    **asked,
                    seed=seed,
                    remedies=remedies,
                    workers=workers,
                    executor=executor,
                    journal=place.journal,
                    progress=watch,
                )
        except KeyboardInterrupt:
            stopped(place)
    _write(found, place, junit, as_json=as_json, report=report)
    raise typer.Exit(found.verdict.exit_code)


def _number_of(text: str) -> tuple[str, float]:
    """A limit's name and number."""
    name, equals, number = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return name.strip(), float(number)
    except ValueError:
        hint = "Write NAME=NUMBER, such as bad_debt_es99_usd_max=1e6"
        raise SurgetankError("is not a limit", place=f"--limit {text}", hint=hint) from None


def _write(
    found: Risk, place: SearchFolder, junit: Path | None, *, as_json: bool, report: bool
) -> None:
    from surgetank.console.risks import show_risk
    from surgetank.report.risk import render_risk
    from surgetank.report.shell import save
    from surgetank.trace import Run
    from surgetank.verdict.junit import write_junit

    found.write(place.folder / "risk.json")
    if report:
        save(render_risk(found), place.folder / "risk.html")
    if junit is not None:
        run = Run(found.scenario, found.seeds[0], found.scenario_hash, found.build)
        write_junit(found.verdict, run, junit)
    if as_json:
        content = found.to_dict() | {"out": str(place.folder)}
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
        return
    show_risk(out_, found)
    where = place.folder / ("risk.html" if report else "risk.json")
    out_.print(f"Written to {where}", soft_wrap=True, highlight=False)
