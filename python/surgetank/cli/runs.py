"""`surgetank run` and `surgetank report`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli import target_options
from surgetank.cli.app import (
    OUTPUT,
    SCENARIO,
    AllowCode,
    ScenarioName,
    app,
    finite,
    seed_in_range,
)
from surgetank.cli.app import out as out_
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Junit, Quiet
from surgetank.cli.scenario_options import ScenarioOptions, scenario_arguments
from surgetank.output_folder import check_file, claimed, write_file

if TYPE_CHECKING:
    from surgetank.run import Result

_RUN_EXAMPLES = """
Examples:

  surgetank run black-thursday

  surgetank run my-venue.toml --seed 7 --out runs/first

  surgetank run calm --set flow.arrivals.rate_per_s=900 --json

  surgetank run black-thursday --tape bars.csv.gz --speed 600

  surgetank run black-thursday --positions book.csv --mark BTC=65000

  surgetank run calm --target nats:

  surgetank run calm --target nats://127.0.0.1:4222

  surgetank run calm --target venue:

`nats:` starts a server and stops it afterwards; an address is that of your own server.

On `venue:` the scenario's actors trade with money: docs/venue.md.

Exit codes: 0 PASS · 1 FAIL · 2 usage · 3 INVALID · 4 UNKNOWN, or stopped.
"""


def _as_json(result: Result) -> str:
    run_, verdict = result.trace.run, result.verdict
    content = {
        "verdict": str(verdict.status),
        "reasons": verdict.to_dict()["reasons"],
        "run": {
            "name": run_.name,
            "seed": run_.seed,
            "scenario_hash": run_.scenario_hash,
            "build": run_.build,
        },
        "trace_hash": result.trace.trace_hash,
        "measures": {
            name: {"value": m.value, "unit": m.unit, "low": m.low, "high": m.high, "n": m.n}
            for name, m in result.measures.items()
        },
        "complete": result.trace.complete,
        "out": None if result.out is None else str(result.out),
    }
    return json.dumps(finite(content), allow_nan=False)


@app.command("run", epilog=_RUN_EXAMPLES)
@grouped
def run_command(
    context: typer.Context,
    scenario: ScenarioName,
    *,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            callback=seed_in_range,
            help="Seed; by default the scenario's.",
            rich_help_panel=SCENARIO,
        ),
    ] = None,
    given: ScenarioOptions,
    allow_code: AllowCode = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the run; by default one in runs/.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace an earlier run in the folder.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: Json = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the venue's journal to this file (see `verify`).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    junit: Junit = None,
    report: Annotated[bool, typer.Option(help="Write report.html.", rich_help_panel=OUTPUT)] = True,
    quiet: Quiet = False,
    target: target_options.Target = None,
    own_system: target_options.OwnSystem = False,
    workers: target_options.Workers = target_options.DEFAULTS.workers,
    rate_max: target_options.RateMax = target_options.DEFAULTS.rate_max_per_s,
    seconds_max: target_options.SecondsMax = target_options.DEFAULTS.seconds_max,
    messages_max: target_options.MessagesMax = target_options.DEFAULTS.messages_max,
    inflight_max: target_options.InflightMax = target_options.DEFAULTS.inflight_max,
    lateness_max: target_options.LatenessMax = target_options.DEFAULTS.lateness_p99_ms,
    prometheus: target_options.PrometheusPort = None,
    otel_endpoint: target_options.OtelEndpoint = None,
    otel_sample: target_options.OtelSample = 0.001,
) -> None:
    """Run a scenario: simulate the venue, judge it, write the trace and a report.

    With --target, run it against a live system instead.
    """
    from surgetank.cli.run_modes import Live, Simulated
    from surgetank.live import LiveOptions
    from surgetank.run import can_journal, write

    refuse_ignored(context)
    chosen = given.of(scenario, hidden=quiet or as_json, one_run=True)
    used = chosen.seed if seed is None else seed
    named = f"{chosen.name}-{used}-{chosen.hash[:8]}"
    folder = out or Path("runs") / named
    if journal is not None:
        can_journal(journal, target)
    if junit is not None:
        check_file(junit, f"--junit {junit}")
    hidden = quiet or as_json
    live = None
    if target is not None:
        options = LiveOptions(
            workers=workers,
            inflight_max=inflight_max,
            own_system=own_system,
            rate_max_per_s=rate_max,
            seconds_max=seconds_max,
            messages_max=messages_max,
            lateness_p99_ms=lateness_max,
            sample=otel_sample if otel_endpoint else 0.0,
        )
        live = Live(target, options, prometheus, otel_endpoint, hidden=hidden)
    with claimed(folder, force=force):
        made = live or Simulated(hidden=hidden, journal=journal)
        result = made.run(chosen, seed)
        write(folder, result.trace, result.measures, result.verdict, report=report)
    result = replace(result, out=folder)
    if junit is not None:
        write_file(junit, (folder / "junit.xml").read_bytes(), hint="Give another --junit")
    if as_json:
        sys.stdout.write(_as_json(result) + "\n")
    else:
        _show(result, folder / ("report.html" if report else "run.json"), context)
    raise typer.Exit(result.verdict.exit_code)


def _show(result: Result, where: Path, context: typer.Context) -> None:
    from surgetank.console.runs import show_result
    from surgetank.verdict import Status

    show_result(out_, result)
    out_.print(f"Written to {where}", soft_wrap=True, highlight=False)
    explicable = result.trace.stats.live is None
    if explicable and result.verdict.status is Status.FAIL:
        out_.print(f"What to improve: surgetank explain {where.parent}", soft_wrap=True)
        if _lost_usd(result):
            again = scenario_arguments(context)
            text = f"What would reduce bad debt: surgetank risk {again} --remedies"
            out_.print(text, soft_wrap=True, highlight=False, markup=False)
    if not result.trace.complete:
        out_.print("Stopped before the end: the results so far are stored, marked incomplete.")


def _lost_usd(result: Result) -> float:
    """Bad debt of the run, booked or not."""
    losses = (result.measures.get(name) for name in ("bad_debt_usd", "uncovered_loss_usd"))
    return sum(one.value or 0.0 for one in losses if one is not None)


@app.command("report", epilog="Example:\n\n  surgetank report runs/black-thursday")
def report_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run's folder.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; by default report.html in the folder."),
    ] = None,
) -> None:
    """Write a run's report again."""
    from surgetank.measure import measure
    from surgetank.report import write as write_report
    from surgetank.trace import Trace
    from surgetank.verdict import judge

    trace = Trace.load(folder)
    measures = measure(trace)
    limits = trace.scenario.limits.as_mapping()
    path = write_report(
        trace, measures, judge(measures, limits, trace), out or folder / "report.html"
    )
    out_.print(f"Written to {path}", soft_wrap=True, highlight=False)
