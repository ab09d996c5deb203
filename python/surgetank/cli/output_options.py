"""Options for what a command prints and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import OUTPUT

__all__ = ["Json", "Junit", "Quiet"]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object to stdout.", rich_help_panel=OUTPUT)
]
Junit = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write JUnit XML to this file.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress.", rich_help_panel=OUTPUT)
]
