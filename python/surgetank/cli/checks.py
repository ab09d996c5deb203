"""The command `surgetank check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from surgetank.cli.app import app
from surgetank.cli.app import out as out_
from surgetank.errors import printable

if TYPE_CHECKING:
    from surgetank.venue.check import CheckedFolder

_EPILOG = """
Examples:

  surgetank check my-venue-data

  surgetank check my-venue-data --repair --json

Exit codes: 0 whole · 1 damaged · 2 usage, or it runs · 3 repairable · 74 the disk failed.
"""
_STYLES: Final = {
    "whole": ("✔", "green"),
    "repairable": ("!", "yellow"),
    "damaged": ("✘", "bold red"),
}


@app.command("check", epilog=_EPILOG)
def check_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A venue's data folder.")],
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Repair what a start would repair, where it would not refuse."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to stdout.")
    ] = False,
) -> None:
    """Check the folder of a venue that does not run: a line per file of its journal."""
    from surgetank.venue.check import check_folder

    found = check_folder(folder, repair=repair)
    if as_json:
        sys.stdout.write(json.dumps(found.to_json()) + "\n")
    else:
        _show(found)
    raise typer.Exit(found.verdict.exit_code)


def _show(found: CheckedFolder) -> None:
    for file in found.files:
        mark, style = _STYLES[file.verdict]
        said = printable(f" {file.file}: {file.text}")
        out_.print(Text.assemble((mark, style), said), soft_wrap=True)
    for damage in found.repaired:
        line = f"  repaired: {damage.file}: {damage.text}"
        out_.print(Text(printable(line)), soft_wrap=True)
    style = _STYLES[found.verdict][1]
    said = _SAID[found.verdict].format(record=found.record)
    if found.verdict == "repairable" and all(damage.kind == "snapshot" for damage in found.damage):
        said = _SNAPSHOT.format(record=found.record)
    out_.print(Text(said, style), soft_wrap=True)


_SNAPSHOT: Final = (
    "repairable: a venue starts at record {record} without the snapshot that is damaged, "
    "which stays where it is"
)
_SAID: Final = {
    "whole": "whole: a venue starts at record {record}",
    "repairable": "repairable: a venue starts at record {record}, and repairs this",
    "damaged": "damaged: a venue refuses to start; nothing was changed (docs/check.md)",
}
