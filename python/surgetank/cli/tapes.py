"""The commands for recordings: `surgetank tape`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli import target_options
from surgetank.cli.app import OUTPUT, app, finite
from surgetank.cli.app import out as out_
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.target_options import read_options
from surgetank.output_folder import claimed, write_json

_TAPE_EXAMPLES = """
Examples:

  surgetank tape capture.jsonl.gz

  surgetank tape trades.csv --columns time=ts,price=px,amount=qty,side=way --time-unit ms

  surgetank tape bars.parquet --json --out inspected

Formats, with an example each: docs/tapes.md.
"""


@app.command("tape", epilog=_TAPE_EXAMPLES)
def tape_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    format_: target_options.Format = "",
    columns: target_options.TapeColumns = "",
    time_unit: target_options.TimeUnit = "",
    timezone: target_options.Timezone = "",
    bar_seconds: target_options.BarSeconds = None,
    symbol: target_options.Symbol = "",
    contract_size: target_options.ContractSize = None,
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
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object to stdout.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Inspect a recording before it is used: format, span, rates, gaps, moves."""
    from surgetank.console.tapes import show_inspection
    from surgetank.report.shell import save
    from surgetank.report.tape import render_tape
    from surgetank.tape import read_recording
    from surgetank.tape.inspection import inspect

    refuse_ignored(context)
    options = read_options(
        format_, columns, time_unit, timezone, bar_seconds, symbol, contract_size
    )
    found = inspect(read_recording(file, options))
    if out is not None:
        with claimed(out, force=force, mark="tape.json") as folder:
            write_json(folder / "tape.json", finite(found.to_dict()))
            save(render_tape(found), folder / "tape.html")
    if as_json:
        sys.stdout.write(json.dumps(finite(found.to_dict()), allow_nan=False) + "\n")
        return
    show_inspection(out_, found)
    if out is not None:
        out_.print(f"Written to {out / 'tape.html'}", soft_wrap=True, highlight=False)
