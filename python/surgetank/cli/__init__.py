"""The command line."""

from __future__ import annotations

import sys

from surgetank.cli import (
    attacks,
    books,
    calibrations,
    checks,
    comparisons,
    crashes,
    dashboards,
    explanations,
    frontiers,
    journals,
    networks,
    risks,
    runs,
    scenarios,
    searches,
    serves,
    sketches,
    tapes,
    views,
)
from surgetank.cli.app import app
from surgetank.cli.exit_codes import ended

__all__ = [
    "app",
    "attacks",
    "books",
    "calibrations",
    "checks",
    "comparisons",
    "crashes",
    "dashboards",
    "explanations",
    "frontiers",
    "journals",
    "main",
    "networks",
    "risks",
    "runs",
    "scenarios",
    "searches",
    "serves",
    "sketches",
    "tapes",
    "views",
]


#: Order of the commands in `--help`: in order of use. Groups of commands follow.
_ORDER = [
    "run",
    "search",
    "risk",
    "explain",
    "book",
    "frontier",
    "sketch",
    "calibrate",
    "tape",
    "fit",
    "report",
    "compare",
    "view",
    "attack",
    "crash",
    "serve",
    "check",
    "network",
    "verify",
    "schema",
    "dashboard",
    "init",
]
app.registered_commands.sort(key=lambda command: _ORDER.index(command.name or ""))


def main() -> None:
    """Entry point. Every command ends with a documented exit code and, on an error, one line."""
    sys.exit(ended(app))
