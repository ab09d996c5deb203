"""The command `surgetank crash`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from surgetank.cli.app import OUTPUT, app, err
from surgetank.cli.app import out as out_
from surgetank.cli.completion import target_schemes
from surgetank.cli.output_options import Json
from surgetank.output_folder import write_file

_EXAMPLES = """
Examples:

  surgetank crash --target jetstream:

  surgetank crash --target redis: --ack everysec --messages 5000 --json

Exit codes: 0 nothing was lost that the level promises to keep · 1 it was · 2 usage.
"""


@app.command("crash", epilog=_EXAMPLES)
def crash_command(
    target: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Target to kill: jetstream:, redis:, rabbitmq:, …",
            autocompletion=target_schemes,
        ),
    ],
    ack: Annotated[
        str, typer.Option(metavar="LEVEL", help="Level of acknowledgement, or all.")
    ] = "all",
    messages: Annotated[int, typer.Option(metavar="N", help="Messages at each level.")] = 2_000,
    rate: Annotated[float, typer.Option(metavar="N", help="Messages per second.")] = 1_000.0,
    power_loss: Annotated[
        bool | None,
        typer.Option(
            "--power-loss/--no-power-loss",
            help="Also lose writes without fsync (needs root); by default where possible.",
        ),
    ] = None,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the JSON to this file.", rich_help_panel=OUTPUT
        ),
    ] = None,
) -> None:
    """Kill a broker under load and count acknowledged messages that are lost."""
    from surgetank.console.crashes import show_crashes
    from surgetank.live.crash import crash

    def progress(text: str) -> None:
        if not as_json:
            err.print(text, highlight=False)

    found = crash(
        target,
        ack=ack,
        messages=messages,
        rate_per_s=rate,
        power_loss=power_loss,
        progress=progress,
    )
    broken = any(outcome.broken for outcome in found)
    content: dict[str, Any] = {
        "target": target,
        "verdict": "FAIL" if broken else "PASS",
        "outcomes": [outcome.to_dict() for outcome in found],
    }
    text = json.dumps(content) + "\n"
    if out is not None:
        write_file(out, text, hint="Give another --out")
    if as_json:
        sys.stdout.write(text)
    else:
        show_crashes(out_, target, found)
    raise typer.Exit(int(broken))
