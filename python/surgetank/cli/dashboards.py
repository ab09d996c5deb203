"""`surgetank dashboard`: the metrics of live runs, or of a venue, drawn by Grafana."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from surgetank.cli.app import app
from surgetank.extras import part_of

_EXAMPLES = """Examples:

  surgetank dashboard > surgetank-live.json

  surgetank dashboard --venue > surgetank-venue.json"""


@app.command("dashboard", epilog=_EXAMPLES)
def dashboard_command(
    venue: Annotated[
        bool, typer.Option("--venue", help="of a venue (`serve --listen-http ADDRESS`)")
    ] = False,
) -> None:
    """Print a Grafana dashboard: of live runs (`run --prometheus PORT`), or of a venue."""
    with part_of("live", place="dashboard"):
        from surgetank.live.export.dashboard import dashboard_json
        from surgetank.operations.dashboard import venue_dashboard_json
    sys.stdout.write(venue_dashboard_json() if venue else dashboard_json())
