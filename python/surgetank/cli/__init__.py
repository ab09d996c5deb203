"""The command line."""

from __future__ import annotations

import sys

from surgetank.cli import (
    calibrations,
    comparing,
    crashes,
    frontiers,
    journals,
    runs,
    scenarios,
    searches,
)
from surgetank.cli.app import app, err
from surgetank.errors import SurgetankError

__all__ = [
    "app",
    "calibrations",
    "comparing",
    "crashes",
    "frontiers",
    "journals",
    "main",
    "runs",
    "scenarios",
    "searches",
]


#: As `--help` lists them: what one does first stands first.
_ORDER = [
    "run",
    "search",
    "frontier",
    "calibrate",
    "report",
    "compare",
    "crash",
    "verify",
    "scenarios",
    "schema",
    "init",
]
app.registered_commands.sort(key=lambda command: _ORDER.index(command.name or ""))


def main() -> None:
    """Entry point: an error that a person can mend is one line, not a traceback."""
    try:
        app()
    except SurgetankError as error:
        err.print(f"[bold red]error:[/bold red] {error}", soft_wrap=True, highlight=False)
        sys.exit(error.exit_code)
