"""The command line: `run · report · compare · scenarios · schema · init`."""

from __future__ import annotations

import json
import math
import signal
import sys
import tomllib
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from surgetank.compare import compare
from surgetank.console import Watch, show_comparison, show_result
from surgetank.errors import SurgetankError
from surgetank.measure import measure
from surgetank.run import Result, claim, run, write
from surgetank.scenario import Scenario, load, names
from surgetank.simulate import with_tape
from surgetank.starter import STARTER
from surgetank.tape import Tape, read_tape
from surgetank.trace import Trace
from surgetank.verdict import judge

__all__ = ["app", "main"]

app = typer.Typer(
    help="Stress tests for the messaging layer of a derivatives venue.",
    epilog="Exit codes: 0 PASS · 1 FAIL · 2 usage · 3 INVALID · 4 UNKNOWN (also: stopped).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
_err = Console(stderr=True)
_out = Console()

_RUN_EXAMPLES = """
Examples:

  surgetank run black-thursday

  surgetank run my-venue.toml --seed 7 --out runs/first

  surgetank run calm --set flow.arrivals.rate_per_s=900 --json

  surgetank run black-thursday --tape bars.csv.gz --speed 600
"""


def _overrides(values: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` pairs; values are TOML, or text where that fails."""
    found: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SurgetankError("not KEY=VALUE", place=f"--set {text}", mend="Write key=value")
        try:
            found[key.strip()] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value
    return found


def _finite(value: Any) -> Any:
    """Infinities and NaN as null, so that any JSON reader reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


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
    return json.dumps(_finite(content), allow_nan=False)


@app.command("run", epilog=_RUN_EXAMPLES)
def run_command(
    scenario: Annotated[str, typer.Argument(help="A scenario's name, or a .toml file.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; else the scenario's.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")
    ] = None,
    tape: Annotated[Path | None, typer.Option(help="Replay a recording.")] = None,
    speed: Annotated[float, typer.Option(help="Squeeze the tape's time.")] = 1.0,
    tape_start: Annotated[float, typer.Option(help="Skip seconds of recorded time.")] = 0.0,
    tape_seconds: Annotated[
        float | None, typer.Option(help="Take so many seconds of recorded time.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier run there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML here.")] = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Run a scenario: simulate the venue, judge it, write the trace and a report."""
    chosen = load(scenario)
    if values:
        chosen = chosen.with_values(_overrides(values))
    recording: Tape | None = None
    if tape is not None:
        recording = read_tape(tape, speed=speed, start_s=tape_start, seconds=tape_seconds)
        chosen = with_tape(chosen, recording)
    used = chosen.seed if seed is None else seed
    folder = out or Path("runs") / f"{chosen.name}-{used}-{chosen.hash[:8]}"
    claim(folder, force=force)
    length = chosen.duration_s + chosen.drain_s
    with Watch(_err, chosen.name, length, hidden=quiet or as_json) as watch:
        _stop_on_interrupt(watch)
        result = run(chosen, seed=seed, tape=recording, progress=watch)
    write(folder, result.trace, result.measures, result.verdict, report=report)
    result = Result(result.scenario, result.trace, result.measures, result.verdict, folder)
    if junit is not None:
        _copy(folder / "junit.xml", junit)
    if as_json:
        sys.stdout.write(_as_json(result) + "\n")
    else:
        show_result(_out, result)
        where = folder / ("report.html" if report else "run.json")
        _out.print(f"Written to {where}", soft_wrap=True, highlight=False)
        if not result.trace.complete:
            _out.print("Stopped before the end: what was measured so far is kept, and incomplete.")
    raise typer.Exit(result.verdict.exit_code)


def _stop_on_interrupt(watch: Watch) -> None:
    """The first Ctrl-C ends the run and keeps it; the second ends the program."""

    def stop(number: int, frame: FrameType | None) -> None:
        watch.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise SurgetankError(reason, place=str(target), mend="Give another --junit") from None


@app.command("report", epilog="Example:\n\n  surgetank report runs/black-thursday")
def report_command(
    folder: Annotated[Path, typer.Argument(help="A run's folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to; else report.html there.")] = None,
) -> None:
    """Draw a run's report again."""
    from surgetank.report import write as write_report

    trace = Trace.load(folder)
    measures = measure(trace)
    limits = Scenario.build(trace.scenario or {"name": trace.run.name}).limits.as_mapping()
    path = write_report(
        trace, measures, judge(measures, limits, trace), out or folder / "report.html"
    )
    _out.print(f"Written to {path}", soft_wrap=True, highlight=False)


@app.command("compare", epilog="Example:\n\n  surgetank compare runs/before runs/after")
def compare_command(
    a: Annotated[Path, typer.Argument(help="A run's folder.")],
    b: Annotated[Path, typer.Argument(help="Another's.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Two runs side by side, and where two runs of one name part."""
    comparison = compare(Trace.load(a), Trace.load(b))
    if not as_json:
        show_comparison(_out, comparison)
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
    sys.stdout.write(json.dumps(_finite(content), allow_nan=False) + "\n")


@app.command("scenarios", epilog="Example:\n\n  surgetank scenarios")
def scenarios_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """The scenarios that come with surgetank, and the events that they follow."""
    found = [load(name) for name in names()]
    if as_json:
        rows = {s.name: {"title": s.title, "event": s.event, "source": s.source} for s in found}
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for scenario in found:
        _out.print(f"[bold]{scenario.name}[/bold]  {scenario.title}", highlight=False)
        _out.print(f"  {' '.join(scenario.event.split())}", style="dim", highlight=False)


@app.command("schema", epilog="Example:\n\n  surgetank schema > scenario.schema.json")
def schema_command() -> None:
    """The JSON schema of a scenario file."""
    sys.stdout.write(json.dumps(Scenario.model_json_schema(by_alias=True), indent=1) + "\n")


@app.command("init", epilog="Example:\n\n  surgetank init my-venue && surgetank run my-venue.toml")
def init_command(
    name: Annotated[str, typer.Argument(help="Name of the scenario; writes NAME.toml.")],
) -> None:
    """Write a commented scenario to start from."""
    path = Path(f"{name.removesuffix('.toml')}.toml")
    text = STARTER.replace("NAME", path.stem)
    Scenario.from_toml(text, place=str(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SurgetankError(
            "is already there", place=str(path), mend="Choose another name"
        ) from None
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise SurgetankError(reason, place=str(path), mend="Choose another place") from None
    _out.print(f"Written to {path}; next: surgetank run {path}", soft_wrap=True, highlight=False)


def main() -> None:
    """Entry point: an error that a person can mend is one line, not a traceback."""
    try:
        app()
    except SurgetankError as error:
        _err.print(f"[bold red]error:[/bold red] {error}", soft_wrap=True, highlight=False)
        sys.exit(error.exit_code)
