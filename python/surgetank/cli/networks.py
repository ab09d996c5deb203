"""The command `surgetank network`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import OUTPUT, SCENARIO, app, finite
from surgetank.cli.app import out as out_
from surgetank.cli.completion import scenario_names
from surgetank.cli.output_options import Json
from surgetank.output_folder import claimed, write_files

_EXAMPLES = """
Examples:

  surgetank network my_nodes.csv

  surgetank network atlas.gml --out runs/atlas

  surgetank network my_nodes.csv --scenario black-thursday --json

The file goes with run, search, risk, explain, frontier, compare and attack: --network my_nodes.csv.

Exit codes: 0 read · 2 usage.
"""


@app.command("network", epilog=_EXAMPLES)
def network_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Nodes or links as CSV, or a graph of Shadow's (docs/network.md)."
        ),
    ],
    scenario: Annotated[
        str,
        typer.Option(
            metavar="SCENARIO",
            help="Scenario that gives what the file lacks.",
            autocompletion=scenario_names,
            rich_help_panel=SCENARIO,
        ),
    ] = "calm",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write network.html and network.json to this folder.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace earlier files in the folder.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a file of your validators before it is used: powers, delays, time of a quorum."""
    from surgetank.console.networks import show_network
    from surgetank.network_file import read_network, taken_from, with_network
    from surgetank.network_file.summary import summarise
    from surgetank.report.network import render_network
    from surgetank.scenario import load

    given, found = load(scenario), read_network(file)
    chosen = with_network(given, found)
    notices = (*found.notices, *taken_from(given, found))
    summary = summarise(chosen.network)
    content = {
        "files": found.files,
        "format": found.format,
        "hash": found.hash,
        "notices": notices,
        **summary.to_dict(),
    }
    text = json.dumps(finite(content), allow_nan=False)
    if out is not None:
        source = f"{found.format} · {' and '.join(found.files)} · BLAKE3 {found.hash[:16]}"
        page = render_network(
            summary, chosen.network, title=file.name, source=source, notices=notices
        )
        with claimed(out, force=force, mark="network.json"):
            files = {out / "network.html": page, out / "network.json": text + "\n"}
            write_files(files, hint="Give another --out")
    if as_json:
        sys.stdout.write(text + "\n")
        return
    show_network(out_, found, summary, notices)
    if out is not None:
        out_.print(f"Written to {out / 'network.html'}", soft_wrap=True, highlight=False)
