"""The command `surgetank view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from surgetank.cli.app import app, err
from surgetank.cli.search_options import terminable

_EXAMPLES = """
Examples:

  surgetank view

  surgetank view runs/nightly --port 9000 --open

Only this machine can connect. Ctrl-C ends it (exit code 0).
"""


@app.command("view", epilog=_EXAMPLES)
def view_command(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="A folder with runs and other results.")
    ] = Path("runs"),
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8765,
    open_: Annotated[
        bool, typer.Option("--open", help="Also open it in the browser of this machine.")
    ] = False,
) -> None:
    """Browse and compare all runs of a folder in a browser; nothing is written."""
    from surgetank.view import serve

    with terminable(), serve(folder, port) as server:
        try:
            err.print(
                f"{len(server.entries())} results of {folder} at {server.address} (Ctrl-C ends)",
                soft_wrap=True,
                highlight=False,
            )
            if open_:
                webbrowser.open(server.address)
            server.serve_forever()
        except KeyboardInterrupt:
            err.print("Ended.")
