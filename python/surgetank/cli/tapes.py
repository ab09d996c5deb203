"""The commands for recordings: `surgetank tape` and `surgetank fit`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import OUTPUT, SCENARIO, app, err, finite
from surgetank.cli.app import out as out_
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.option_groups import grouped
from surgetank.cli.output_options import Json, Quiet
from surgetank.cli.recording_options import PartOptions, ReadingOptions
from surgetank.errors import SurgetankError
from surgetank.output_folder import check_file, claimed, write_files

_TAPE_EXAMPLES = """
Examples:

  surgetank tape capture.jsonl.gz

  surgetank tape trades.csv --columns time=ts,price=px,amount=qty,side=way --time-unit ms

  surgetank tape bars.parquet --json --out inspected

Formats, with an example each: docs/tapes.md.
"""


@app.command("tape", epilog=_TAPE_EXAMPLES)
@grouped
def tape_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    *,
    reading: ReadingOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write tape.html and tape.json there.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace earlier files in the folder.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Inspect a recording before it is used: format, span, rates, gaps, moves."""
    from surgetank.console.tapes import show_inspection
    from surgetank.report.tape import render_tape
    from surgetank.tape.inspection import inspect

    refuse_ignored(context)
    found = inspect(reading.read(file))
    if out is not None:
        with claimed(out, force=force, mark="tape.json") as folder:
            text = json.dumps(finite(found.to_dict()), indent=1, allow_nan=False) + "\n"
            files = {folder / "tape.json": text, folder / "tape.html": render_tape(found)}
            write_files(files, hint="Give another --out")
    if as_json:
        sys.stdout.write(json.dumps(finite(found.to_dict()), allow_nan=False) + "\n")
        return
    show_inspection(out_, found)
    if out is not None:
        out_.print(f"Written to {out / 'tape.html'}", soft_wrap=True, highlight=False)


_FIT_EXAMPLES = """
Examples:

  surgetank fit capture.jsonl.gz --out busy-day.toml

  surgetank fit trades.csv --from black-thursday --tape-seconds 3600 --json

Docs: docs/fit.md.
"""


@app.command("fit", epilog=_FIT_EXAMPLES)
@grouped
def fit_command(
    context: typer.Context,
    tape: Annotated[Path, typer.Argument(metavar="TAPE", help="A recording.")],
    *,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SCENARIO",
            help="Scenario whose venue, market and limits are kept.",
            rich_help_panel=SCENARIO,
        ),
    ] = "calm",
    part: PartOptions,
    reading: ReadingOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The scenario to write; by default fitted-<name>.toml. Its page goes beside it.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace existing files.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a scenario whose flow and price are like those of a recording."""
    from surgetank.console.tapes import show_fit
    from surgetank.fit import fit
    from surgetank.report.fit import render_fit
    from surgetank.scenario import load

    refuse_ignored(context)
    slug = re.sub(r"[^\w-]+", "-", tape.name.partition(".")[0]).strip("-") or "tape"
    file = out or Path(f"fitted-{slug}.toml")
    page = file.with_suffix(".html")
    if page == file:
        hint = "Name the scenario, such as my-venue.toml; its page goes beside it"
        raise SurgetankError("is a page, not a scenario", place=f"--out {file}", hint=hint)
    for path in (file, page):
        check_file(path, f"--out {path}")
        if path.exists() and not force:
            hint = "Give another --out, or --force"
            raise SurgetankError("exists already", place=str(path), hint=hint)

    def report(text: str) -> None:
        if not (quiet or as_json):
            err.print(f"{text} …", highlight=False, soft_wrap=True)

    base = load(from_)
    report(f"Reading {tape}")
    whole = reading.read(tape)
    found = fit(part.of(whole), base, name=file.stem, progress=report)
    write_files({file: found.toml(), page: render_fit(found)}, hint="Give another --out")
    if as_json:
        content = found.to_dict() | {"out": str(file)}
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
        return
    show_fit(out_, found)
    out_.print(f"Written to {file} and {page}", soft_wrap=True, highlight=False)
