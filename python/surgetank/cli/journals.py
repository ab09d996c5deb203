"""The command `surgetank verify`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from surgetank.cli.app import app, err
from surgetank.cli.app import out as out_
from surgetank.errors import SurgetankError, printable

if TYPE_CHECKING:
    from surgetank.journal import Report

#: Findings printed; `--json` has more.
_SHOWN = 20


@app.command(
    "verify",
    epilog="Examples:\n\n  surgetank verify venue.journal\n\n"
    "  surgetank verify my-venue-data\n\n"
    "  surgetank verify venue.journal --json --expect $(cat published.hash)\n\n"
    "Exit codes: 0 valid · 1 not valid · 2 usage · 4 stopped.",
)
def verify_command(
    journal: Annotated[
        Path, typer.Argument(metavar="PATH", help="A journal's file, or a venue's data folder.")
    ],
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="HASH", help="Hash of the last batch (hex), from an independent source."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to stdout.")
    ] = False,
) -> None:
    """Check that a journal's published order follows from its sealed inputs under its rule."""
    report = _watched(journal, _digest(expect), hidden=as_json or not err.is_terminal)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json()) + "\n")
    else:
        _show(journal, report)
    raise typer.Exit(0 if report.whole else 1)


def _digest(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise SurgetankError(
            "is not a hash", place=f"--expect {text}", hint="Give 64 hexadecimal digits"
        )
    return digest


def _watched(journal: Path, expect: bytes | None, *, hidden: bool) -> Report:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from surgetank.journal import verify

    total = journal.stat().st_size if journal.is_file() else None
    bar = Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=hidden,
        transient=True,
    )
    with bar:
        task = bar.add_task(journal.name, total=total)

        def shown(done: int) -> bool:
            bar.update(task, completed=done)
            return True

        return verify(journal, expect=expect, progress=shown)


def _show(journal: Path, report: Report) -> None:
    mark = ("✔ valid", "bold green") if report.whole else ("✘ not valid", "bold red")
    counts = f"{report.batches:,} batches, {report.messages:,} messages published"
    said = printable(f"  {journal}: {counts}, {report.waiting:,} waiting")
    out_.print(Text.assemble(mark, said), soft_wrap=True)
    last = f"  last hash {report.last_hash.hex()}"
    out_.print(last, style="dim", soft_wrap=True, highlight=False)
    for finding in report.findings[:_SHOWN]:
        out_.print(f"  {finding}", soft_wrap=True, highlight=False)
    if report.findings_count > _SHOWN:
        out_.print(f"  … and {report.findings_count - _SHOWN:,} more; --json has the first 1,000")
