"""`surgetank scenarios`, `surgetank schema` and `surgetank init`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from surgetank.cli.app import app
from surgetank.cli.app import out as out_
from surgetank.errors import SurgetankError


@app.command("scenarios", epilog="Example:\n\n  surgetank scenarios")
def scenarios_command(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to stdout.")
    ] = False,
) -> None:
    """List the scenarios that come with surgetank, and the events that they follow."""
    from surgetank.scenario import load, names

    found = [load(name) for name in names()]
    if as_json:
        rows = {s.name: {"title": s.title, "event": s.event, "source": s.source} for s in found}
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for scenario in found:
        out_.print(Text.assemble((scenario.name, "bold"), f"  {scenario.title}"))
        out_.print(f"  {' '.join(scenario.event.split())}", style="dim", highlight=False)
    out_.print(f"Run one: surgetank run {found[0].name}", highlight=False)


@app.command("schema", epilog="Example:\n\n  surgetank schema > scenario.schema.json")
def schema_command() -> None:
    """Print the JSON schema of a scenario file."""
    from surgetank.scenario import Scenario

    sys.stdout.write(json.dumps(Scenario.model_json_schema(by_alias=True), indent=1) + "\n")


@app.command("init", epilog="Example:\n\n  surgetank init my-venue && surgetank run my-venue.toml")
def init_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the scenario; writes NAME.toml.")
    ],
) -> None:
    """Write a commented scenario to start from."""
    from surgetank.scenario import Scenario
    from surgetank.starter import STARTER

    path = Path(f"{name.removesuffix('.toml')}.toml")
    text = STARTER.replace("NAME", path.stem)
    Scenario.from_toml(text, place=str(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SurgetankError(
            "exists already", place=str(path), hint="Choose another name"
        ) from None
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise SurgetankError(reason, place=str(path), hint="Choose another place") from None
    out_.print(f"Written to {path}; next: surgetank run {path}", soft_wrap=True, highlight=False)
