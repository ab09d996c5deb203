"""The command `surgetank crash`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgetank.cli.app import OUTPUT, app, err
from surgetank.cli.app import out as out_
from surgetank.cli.completion import target_schemes
from surgetank.cli.output_options import Json
from surgetank.output_folder import write_file

if TYPE_CHECKING:
    from surgetank.live.crash import CrashOutcome

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
        _show(target, found)
    raise typer.Exit(int(broken))


def _show(target: str, found: Sequence[CrashOutcome]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=f"Messages that {target} had acknowledged, and that were there after the restart",
        title_justify="left",
    )
    for head in ("level", "event", "to survive"):
        table.add_column(head)
    for head in (
        "sent",
        "acknowledged",
        "of these missing",
        "unacknowledged, present",
        "duplicates",
    ):
        table.add_column(head, justify="right")
    table.add_column("restart s", justify="right")
    for one in found:
        missing = Text(f"{one.missing:,}", style="bold red" if one.broken else "")
        table.add_row(
            one.level,
            one.event,
            "yes" if one.durable else "no",
            f"{one.sent:,}",
            f"{one.acknowledged:,}",
            missing,
            f"{one.unacknowledged_there:,}",
            f"{one.duplicates:,}",
            f"{one.restart_s:.2f}",
        )
    out_.print(table)
    for one in found:
        if one.missing_numbers:
            shown = ", ".join(str(number) for number in one.missing_numbers)
            more = ", …" if one.missing > len(one.missing_numbers) else ""
            kind = "FAIL" if one.broken else "as documented"
            text = f"{kind}: {one.level}, {one.event}: acknowledged and missing: {shown}{more}"
            out_.print(text, highlight=False, soft_wrap=True)
        if one.note:
            out_.print(f"{one.level}, {one.event}: {one.note}", highlight=False, soft_wrap=True)
