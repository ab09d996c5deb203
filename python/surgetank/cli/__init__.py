"""The command line."""

from __future__ import annotations

import sys

from surgetank.cli import comparing, frontiers, runs, scenarios, searches
from surgetank.cli.app import app, err
from surgetank.errors import SurgetankError

__all__ = ["app", "comparing", "frontiers", "main", "runs", "scenarios", "searches"]


def main() -> None:
    """Entry point: an error that a person can mend is one line, not a traceback."""
    try:
        app()
    except SurgetankError as error:
        err.print(f"[bold red]error:[/bold red] {error}", soft_wrap=True, highlight=False)
        sys.exit(error.exit_code)
