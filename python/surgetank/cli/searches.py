"""`surgetank search` and `surgetank frontier`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import app, err, finite, overrides
from surgetank.cli.app import out as out_
from surgetank.console import SearchWatch, show_against, show_answer
from surgetank.errors import SurgetankError
from surgetank.run import claim
from surgetank.scenario import Scenario, load
from surgetank.search import Answer, search
from surgetank.search.against import Against, against
from surgetank.search.pool import dask_executor

_JOURNAL = "runs.jsonl"

_EXAMPLES = """
Examples:

  surgetank search calm

  surgetank search calm --find failure-threshold --range 200:20000

  surgetank search black-thursday --find safe-leverage --budget 0.05

  surgetank search calm --vary network.uplink_mbps --range 200:5 --until delay_p99_ms_max

  surgetank search calm --baseline main/search.json --fall 0.05 --json

Exit codes: 0 found · 1 fell against the baseline · 2 usage · 3 INVALID · 4 UNKNOWN.
"""

_Scenario = Annotated[str, typer.Argument(help="A scenario's name, or a .toml file.")]
_Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")
]
_Budget = Annotated[float, typer.Option(help="P(bad debt) that safe leverage may have.")]
_Per = Annotated[str, typer.Option(help="What the budget is per: liquidation or run.")]
_Precision = Annotated[
    float, typer.Option(help="Half width of the interval, as a share of the estimate.")
]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of the search.")]
_Workers = Annotated[int | None, typer.Option(min=1, help="Processes; else one per core.")]
_Dask = Annotated[str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler.")]
_Out = Annotated[Path | None, typer.Option(help="Folder for the answer.")]
_Force = Annotated[bool, typer.Option("--force", help="Replace an earlier one there.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on with the runs kept there.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@dataclass(frozen=True)
class Place:
    """Where a search writes, and the runs it keeps."""

    folder: Path
    journal: Path


def _place(folder: Path, *, force: bool, resume: bool) -> Place:
    """The folder, made before the search so that nothing is lost after it."""
    journal = folder / _JOURNAL
    if resume and folder.is_dir():
        if not journal.exists():
            raise SurgetankError(
                "there is no search to go on with",
                place=str(folder),
                mend="Leave out --resume, or give the --out of the search that was stopped",
            )
        return Place(folder, journal)
    try:
        claim(folder, force=force, mark=_JOURNAL)
    except SurgetankError as error:
        if journal.exists() and not force:
            mend = "--resume goes on with its runs, --force starts anew, --out takes another place"
            raise SurgetankError(
                "an earlier search lies there", place=str(folder), mend=mend
            ) from None
        raise error
    journal.touch()
    return Place(folder, journal)


def _chosen(scenario: str, values: list[str] | None) -> Scenario:
    chosen = load(scenario)
    return chosen.with_values(overrides(values)) if values else chosen


def _span(text: str, flag: str) -> tuple[float, float]:
    """A:B as two numbers."""
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(low), float(high)
    except ValueError:
        raise SurgetankError(
            "not A:B", place=f"{flag} {text}", mend="Write two numbers, such as 100:5000"
        ) from None


@contextmanager
def _executor(dask: str | None) -> Iterator[Executor | None]:
    if dask is None:
        yield None
        return
    executor = dask_executor(dask)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


@app.command("search", epilog=_EXAMPLES)
def search_command(
    scenario: _Scenario,
    find: Annotated[
        str, typer.Option(help="capacity, failure-threshold or safe-leverage.")
    ] = "capacity",
    vary: Annotated[str | None, typer.Option(metavar="KEY", help="What is varied.")] = None,
    range_: Annotated[
        str | None, typer.Option("--range", metavar="A:B", help="Levels, good end first.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="LIMIT", help="A limit of the scenario, or `any`.")
    ] = None,
    degradation: Annotated[
        float, typer.Option(help="Capacity: p99 over its unloaded value.")
    ] = 2.0,
    budget: _Budget = 0.01,
    per: _Per = "liquidation",
    precision: _Precision = 0.05,
    runs_max: Annotated[int, typer.Option(min=16, help="Runs to spend at most.")] = 200,
    seed: _Seed = 1,
    values: _Values = None,
    workers: _Workers = None,
    dask: _Dask = None,
    remedies: Annotated[bool, typer.Option(help="Try what would mend it.")] = True,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An earlier search.json to hold against.")
    ] = None,
    fall: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share by which it may fall below it.")
    ] = 0.05,
    out: _Out = None,
    force: _Force = False,
    resume: _Resume = False,
    as_json: _Json = False,
    report: Annotated[bool, typer.Option(help="Write search.html.")] = True,
    quiet: _Quiet = False,
) -> None:
    """Find the line: capacity, failure threshold, safe leverage, or any limit's."""
    if per not in ("liquidation", "run"):
        raise SurgetankError("no such unit", place=f"--per {per}", mend="liquidation or run")
    chosen = _chosen(scenario, values)
    before = None if baseline is None else Answer.read(baseline)
    label = re.sub(r"[^\w.-]", "-", f"{vary}-{until}" if until else find)
    place = _place(
        out or Path("runs") / f"{label}-{chosen.name}-{seed}-{chosen.hash[:8]}",
        force=force,
        resume=resume,
    )
    span = None if range_ is None else _span(range_, "--range")
    try:
        with _executor(dask) as executor, SearchWatch(err, hidden=quiet or as_json) as watch:
            answer = search(
                chosen,
                find,
                vary=vary,
                range=span,
                until=until,
                degradation=degradation,
                budget=budget,
                per="run" if per == "run" else "liquidation",
                precision=precision,
                runs_max=runs_max,
                seed=seed,
                workers=workers,
                executor=executor,
                journal=place.journal,
                try_remedies=remedies,
                watch=watch,
            )
    except KeyboardInterrupt:
        _stopped(place)
    compared = None if before is None else against(before, answer)
    _tell_answer(answer, compared, fall, place, as_json=as_json, report=report)
    raise typer.Exit(_exit_code(answer, compared, fall))


def _stopped(place: Place) -> None:
    err.print(
        f"Stopped; finished runs are kept. Go on with: --resume --out {place.folder}",
        soft_wrap=True,
        highlight=False,
    )
    raise typer.Exit(4)


def _exit_code(answer: Answer, compared: Against | None, fall: float) -> int:
    if compared is not None and answer.status != "INVALID":
        if compared.comparable:
            return 4
        p = compared.p_fell(fall)
        if p is not None and p < 0.05:
            return 1
    return answer.exit_code


def _tell_answer(
    answer: Answer,
    compared: Against | None,
    fall: float,
    place: Place,
    *,
    as_json: bool,
    report: bool,
) -> None:
    answer.write(place.folder / "search.json")
    if report:
        from surgetank.report.line import write_search

        write_search(answer, place.folder / "search.html")
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
