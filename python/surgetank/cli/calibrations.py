"""The command `surgetank calibrate`."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli import target_options
from surgetank.cli.app import EFFORT, OUTPUT, SCENARIO, AllowCode, app, err, finite
from surgetank.cli.app import out as out_
from surgetank.cli.completion import scenario_names
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.output_options import Json, Quiet
from surgetank.errors import SurgetankError

if TYPE_CHECKING:
    from surgetank.predict import Prediction

_EXAMPLES = """
Examples:

  surgetank calibrate --target nats:

  surgetank calibrate --target redis: --out my-redis.toml --check

  surgetank calibrate --target nats://127.0.0.1:4222 --scenario calm --json

Exit codes: 0 calibrated (with --check: the prediction held) · 1 --check: it missed · 2 usage · \
3 INVALID · 4 UNKNOWN, or too imprecise for a claim.

Takes about two minutes for a broker and three to ten for a chain; with --check three times as \
long.
"""
_EXIT = {"HIT": 0, "MISS": 1, "INVALID": 3, "NO CLAIM": 4, "UNKNOWN": 4}


@app.command("calibrate", epilog=_EXAMPLES)
def calibrate_command(
    context: typer.Context,
    target: target_options.Target = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            rich_help_panel=SCENARIO,
            autocompletion=scenario_names,
            help="Scenario whose flow, market and limits to use; else plain orders.",
        ),
    ] = None,
    allow_code: AllowCode = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The scenario file to write.", rich_help_panel=OUTPUT),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Then predict the capacity and compare with live runs.",
            rich_help_panel=EFFORT,
        ),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Send a third of the messages; wider intervals.", rich_help_panel=EFFORT
        ),
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.5,
            help="With --check: length of a live run.",
            rich_help_panel=EFFORT,
        ),
    ] = None,
    own_system: target_options.OwnSystem = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace existing files.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a target at low load and write the scenario that behaves like it."""
    from surgetank.calibrate import OPTIONS, calibrate
    from surgetank.console.calibrations import show_calibration
    from surgetank.live import Rig
    from surgetank.predict import compare
    from surgetank.report.prediction import prediction_svg, render_prediction
    from surgetank.report.shell import save
    from surgetank.scenario import load

    refuse_ignored(context)
    if target is None:
        raise SurgetankError("is missing", place="--target", hint="Give one, such as nats:")
    slug = re.sub(r"[^\w.-]+", "-", target).strip("-")
    file = out or Path(f"calibrated-{slug}.toml")
    pages = [file.with_suffix(end) for end in (".html", ".svg", ".json")] if check else []
    _free([file, *pages], force=force)
    flow = None if scenario is None else load(scenario)

    def report(text: str) -> None:
        if not (quiet or as_json):
            err.print(text, highlight=False, soft_wrap=True)

    report("About 2 minutes for a broker, 3 to 10 for a chain" + (" (× 3: --check)" * check) + ".")
    found: Prediction | None = None
    with Rig(target, replace(OPTIONS, own_system=own_system)) as rig:
        calibration = calibrate(rig, flow, name=file.stem, quick=quick, progress=report)
        calibration.write(file)
        if check:
            found = compare(rig, calibration, seconds=seconds, progress=report)
    if found is not None:
        found.write(file.with_suffix(".json"))
        file.with_suffix(".svg").write_text(prediction_svg(found), encoding="utf-8")
        save(render_prediction(found), file.with_suffix(".html"))
    if as_json:
        content = (calibration if found is None else found).to_dict() | {"out": str(file)}
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
    else:
        show_calibration(out_, calibration, found)
        out_.print(f"Written to {file}", soft_wrap=True, highlight=False)
    if calibration.invalid:
        raise typer.Exit(3)
    raise typer.Exit(0 if found is None else _EXIT[found.status])


def _free(files: list[Path], *, force: bool) -> None:
    there = next((f for f in files if f.exists()), None)
    if there is not None and not force:
        raise SurgetankError("exists already", place=str(there), hint="Give --out or --force")
