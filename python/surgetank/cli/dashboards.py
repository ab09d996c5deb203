"""`surgetank dashboard`: the metrics of live runs, drawn by Grafana."""

from __future__ import annotations

import sys

from surgetank.cli.app import app
from surgetank.extras import part_of


@app.command("dashboard", epilog="Example:\n\n  surgetank dashboard > surgetank-live.json")
def dashboard_command() -> None:
    """Print a Grafana dashboard of live runs, for what `run --prometheus PORT` serves."""
    with part_of("live", place="dashboard"):
        from surgetank.live.export.dashboard import dashboard_json
    sys.stdout.write(dashboard_json())
