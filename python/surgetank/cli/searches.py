"""The command `surgetank search`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgetank.cli import target_options
from surgetank.cli.adversaries import AdversaryOptions, AdversaryRun, search_adversary
from surgetank.cli.app import (
    EFFORT,
    OUTPUT,
    QUESTION,
    AllowCode,
    ScenarioName,
    app,
    err,
    finite,
)
from surgetank.cli.app import out as out_
from surgetank.cli.completion import keys_to_vary, limit_names, search_names
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
    SearchFolder,
    Seed,
    Workers,
    executor_of,
    per_of,
    placed,
    span_of,
    stopped,
    terminable,
)

if TYPE_CHECKING:
    from surgetank.live import LiveOptions
    from surgetank.search import Answer
    from surgetank.search.answer_comparison import Against
    from surgetank.search.find import Question
    from surgetank.search.live import LiveWork
    from surgetank.search.live_money import MoneyRuns

_EXAMPLES = """
Examples:

  surgetank search calm

  surgetank search rollup-sequencer --find failure-threshold

  surgetank search black-thursday --find safe-leverage --budget 0.05

  surgetank search black-thursday --positions book.csv --find safe-leverage

  surgetank search calm --vary network.uplink_mbps --range 200:5 --until any

  surgetank search calm --target nats: --set duration_s=5 --set warmup_s=1

  surgetank search calm --baseline main/search.json --fall 0.05 --json

  surgetank search black-thursday --adversary --identities 3 --defend layer.consensus.kind=simplex

Exit codes: 0 found · 1 below the baseline, or an attack does damage · 2 usage · 3 INVALID · \
4 UNKNOWN.
"""


Find = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="capacity (default), failure-threshold or safe-leverage.",
        rich_help_panel=QUESTION,
        autocompletion=search_names,
    ),
]
Vary = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Quantity to vary: load, leverage, speed (of a recording) or a scenario key.",
        rich_help_panel=QUESTION,
        autocompletion=keys_to_vary,
    ),
]
Range = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="A:B",
        help="Range of levels, passing end first.",
        rich_help_panel=QUESTION,
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="LIMIT",
        help="Search where this limit of the scenario (or `any`) is no longer met.",
        rich_help_panel=QUESTION,
        autocompletion=limit_names,
    ),
]
Degradation = Annotated[
    float,
    typer.Option(
        metavar="FACTOR",
        help="For capacity: greatest p99 over its unloaded value.",
        rich_help_panel=QUESTION,
    ),
]
RunsMax = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=16,
        help="Most runs; those of remedies, and runs that a live search repeats, are additional.",
        rich_help_panel=EFFORT,
    ),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="An earlier search.json to compare with.", rich_help_panel=QUESTION
    ),
]
Fall = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=0.99,
        help="Allowed relative decrease against the baseline.",
        rich_help_panel=QUESTION,
    ),
]


@app.command("search", epilog=_EXAMPLES)
@grouped
def search_command(
    context: typer.Context,
    scenario: ScenarioName,
    *,
    find: Find = None,
    vary: Vary = None,
    range_: Range = None,
    until: Until = None,
    degradation: Degradation = 2.0,
    budget: Budget = 0.01,
    per: PerWhat = None,
    precision: Precision = 0.05,
    runs_max: RunsMax = 200,
    seed: Seed = 1,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    workers: Workers = None,
    dask: Dask = None,
    remedies: Annotated[
        bool, typer.Option(help="Try changes that may raise the threshold.", rich_help_panel=EFFORT)
    ] = True,
    baseline: Baseline = None,
    fall: Fall = 0.05,
    adversary: AdversaryOptions,
    out: Out = None,
    force: Force = False,
    resume: Resume = False,
    target: target_options.Target = None,
    cooldown: target_options.Cooldown = 1.0,
    own_system: target_options.OwnSystem = False,
    rate_max: target_options.RateMax = target_options.DEFAULTS.rate_max_per_s,
    lateness_max: target_options.LatenessMax = target_options.DEFAULTS.lateness_p99_ms,
    as_json: Json = False,
    report: Annotated[bool, typer.Option(help="Write search.html.", rich_help_panel=OUTPUT)] = True,
    quiet: Quiet = False,
) -> None:
    """Find a threshold: capacity, failure threshold, safe leverage, or where a limit is violated;
    with --adversary the worst attack.

    With --target, by runs against a live system, one after the other (without --workers and
    --dask). Give a scenario without reacting actors, and --set duration_s=… for the length of a
    run. On `venue:`, safe leverage and limits are found by runs with money, in which actors react.
    """
    from surgetank.console.searches import SearchWatch
    from surgetank.live import LiveOptions
    from surgetank.search import Answer, search
    from surgetank.search.answer_comparison import against, check_baseline
    from surgetank.search.goal import FINDS
    from surgetank.search.question import question_of

    refuse_ignored(context)
    chosen = given.of(scenario, hidden=quiet or as_json)
    if adversary.adversary:
        run = AdversaryRun(
            seed, workers, dask, remedies, out, force, resume, as_json, report, quiet
        )
        raise typer.Exit(search_adversary(chosen, adversary, run))
    before = None if baseline is None else Answer.read(baseline)
    asked: dict[str, Any] = {
        "vary": vary,
        "range": None if range_ is None else span_of(range_, "--range"),
        "until": until,
        "degradation": degradation,
        "budget": budget,
        "per": per_of(per),
        "precision": precision,
        "runs_max": runs_max,
        "seed": seed,
    }
    # An invalid question must neither leave a folder nor replace one.
    question = question_of(chosen, find, **asked)
    if before is not None:
        check_baseline(before, question, f"--baseline {baseline}")
    label = _label(f"{vary or 'load'}-{until}" if until else find or FINDS[0], target)
    folder = out or Path("runs") / f"{label}-{chosen.name}-{seed}-{chosen.hash[:8]}"
    hidden = quiet or as_json
    options = LiveOptions(
        own_system=own_system, rate_max_per_s=rate_max, lateness_p99_ms=lateness_max
    )
    with (
        terminable(),
        executor_of(dask) as executor,
        _live_work(target, question, cooldown, options, hidden=hidden) as live,
        placed(folder, force=force, resume=resume) as place,
    ):
        try:
            with SearchWatch(err, hidden=hidden) as watch:
                answer = search(
                    chosen,
                    find,
                    **asked,
                    workers=workers,
                    executor=executor,
                    journal=place.journal,
                    try_remedies=remedies,
                    watch=watch,
                    live=live,
                )
        except KeyboardInterrupt:
            stopped(place)
    compared = None if before is None else against(before, answer)
    _show_answer(answer, compared, fall, place, as_json=as_json, report=report)
    raise typer.Exit(_exit_code(answer, compared, fall))


def _label(what: str, target: str | None) -> str:
    live = "" if target is None else "-" + re.sub(r"[^\w.-]+", "-", target).strip("-")
    return re.sub(r"[^\w.-]", "-", what) + live


@contextmanager
def _live_work(
    target: str | None,
    question: Question,
    cooldown: float,
    options: LiveOptions,
    *,
    hidden: bool,
) -> Iterator[LiveWork | MoneyRuns | None]:
    """The target, running during the search; None without one."""
    if target is None:
        yield None
        return
    from surgetank.live import Rig
    from surgetank.live.venue.playable import check
    from surgetank.search.live import LiveWork, expected_s
    from surgetank.search.live_money import MoneyRuns, expected_money_s, needs_money

    scenario = question.scenario
    if needs_money(question, target):
        check(scenario)  # before a folder is made or replaced
        if not hidden:
            length_s = scenario.duration_s + scenario.drain_s
            _show_duration(expected_money_s(length_s), length_s)
        yield MoneyRuns(target, options)
        return
    with Rig(target, options, faults=scenario.faults) as rig:
        if not hidden:
            _show_duration(expected_s(scenario.duration_s, cooldown), scenario.duration_s)
        live = LiveWork(rig, cooldown_s=cooldown)
        live.reach()  # a wrong address is reported before a folder is made or replaced
        yield live


def _show_duration(expected_s: float, run_s: float) -> None:
    err.print(
        f"About {expected_s / 60:.0f} minutes, more where drain takes long: live runs take "
        f"{run_s:g} s each (--set duration_s=…).",
        highlight=False,
        soft_wrap=True,
    )


def _exit_code(answer: Answer, compared: Against | None, fall: float) -> int:
    if compared is not None and answer.status != "INVALID":
        if compared.incomparable:
            return 4
        p = compared.p_fell(fall)
        if p is not None and p < 0.05:
            return 1
    return answer.exit_code


def _show_answer(
    answer: Answer,
    compared: Against | None,
    fall: float,
    place: SearchFolder,
    *,
    as_json: bool,
    report: bool,
) -> None:
    from surgetank.console.searches import show_against, show_answer
    from surgetank.report.search import render_search
    from surgetank.report.shell import save

    answer.write(place.folder / "search.json")
    if report:
        save(render_search(answer), place.folder / "search.html")
    if as_json:
        content = answer.to_dict() | {"out": str(place.folder)}
        if compared is not None:
            fell = {"fall": fall, "p_fell": compared.p_fell(fall)}
            content["baseline"] = compared.to_dict() | fell
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
        return
    show_answer(out_, answer)
    if compared is not None:
        show_against(out_, compared, fall)
    where = place.folder / ("search.html" if report else "search.json")
    out_.print(f"Written to {where}", soft_wrap=True, highlight=False)
