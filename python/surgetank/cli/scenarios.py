"""`surgetank scenarios`, `surgetank schema` and `surgetank init`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from surgetank.cli.app import CommandGroup, ScenarioName, app
from surgetank.cli.app import out as out_
from surgetank.cli.completion import scenario_names
from surgetank.errors import SurgetankError
from surgetank.output_folder import write_file

scenarios_app = typer.Typer(
    cls=CommandGroup,
    epilog="Examples:\n\n  surgetank scenarios\n\n  surgetank scenarios show black-thursday",
    invoke_without_command=True,
)
app.add_typer(scenarios_app, name="scenarios")


@scenarios_app.callback()
def scenarios_command(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to stdout.")
    ] = False,
) -> None:
    """List the scenarios that come with surgetank, and the events that they follow."""
    from surgetank.scenario import load, names

    if context.invoked_subcommand is not None:
        if as_json:
            hint = "Leave it out: a scenario's file is TOML"
            raise SurgetankError("is for the list of scenarios", place="--json", hint=hint)
        return
    found = [load(name) for name in names()]
    if as_json:
        rows = {s.name: {"title": s.title, "event": s.event, "source": s.source} for s in found}
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for scenario in found:
        out_.print(Text.assemble((scenario.name, "bold"), f"  {scenario.title}"))
        event = Text(" ".join(scenario.event.split()), "dim")
        out_.print(Padding(event, (0, 0, 0, 2), expand=False))
    first = found[0].name
    out_.print(
        f"Run one: surgetank run {first}\nRead one: surgetank scenarios show {first}\n"
        f"Start from one: surgetank init my-venue --from {first}",
        highlight=False,
    )


@scenarios_app.command(
    "show", epilog="Example:\n\n  surgetank scenarios show black-thursday > my-crash.toml"
)
def show_command(scenario: ScenarioName) -> None:
    """Print the file of a scenario, with its comments."""
    from surgetank.scenario.named import text_of

    sys.stdout.write(text_of(scenario))


@app.command("schema", epilog="Example:\n\n  surgetank schema > scenario.schema.json")
def schema_command() -> None:
    """Print the JSON schema of a scenario file."""
    from surgetank.scenario.file_schema import file_schema

    sys.stdout.write(json.dumps(file_schema(), indent=1) + "\n")


@app.command(
    "init",
    epilog="Examples:\n\n  surgetank init my-venue && surgetank run my-venue.toml\n\n"
    "  surgetank init my-crash --from black-thursday\n\n"
    "  surgetank init --venue my-venue && surgetank serve my-venue.toml",
)
def init_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the scenario or venue; writes NAME.toml.")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SCENARIO",
            help="Copy this scenario, by name or file; by default a small commented one.",
            autocompletion=scenario_names,
        ),
    ] = None,
    venue: Annotated[
        bool, typer.Option("--venue", help="Write a venue's file and its keys: docs/serve.md.")
    ] = False,
) -> None:
    """Write a commented scenario to start from, and the schema by which editors check it; or a
    venue's file and keys."""
    from surgetank.scenario.file_schema import SCHEMA_FILE, write_schema

    path = Path(f"{name.removesuffix('.toml')}.toml")
    if venue:
        if source is not None:
            hint = "Leave one of the two out"
            raise SurgetankError("contradict each other", place="--venue --from", hint=hint)
        _init_venue(path)
        return
    text = _begun(path, source)
    if path.exists():
        raise SurgetankError("exists already", place=str(path), hint="Choose another name")
    write_file(path, text, hint="Choose another place", replace=False)
    schema = write_schema(path.parent)
    beside = f" ({SCHEMA_FILE} beside it, for editors)" if schema else ""
    out_.print(
        f"Written to {path}{beside}; next: surgetank run {path}", soft_wrap=True, highlight=False
    )


def _init_venue(path: Path) -> None:
    from surgetank.venue.keys import write_keys
    from surgetank.venue.starter import STARTER, starter_keys

    if path.exists():
        raise SurgetankError("exists already", place=str(path), hint="Choose another name")
    keys = path.with_name(f"{path.stem}.keys.toml")
    write_keys(keys, starter_keys())
    text = STARTER.replace("NAME", path.stem)
    write_file(path, text, hint="Choose another place", replace=False)
    out_.print(
        f"Written to {path} (keys in {keys}, for you only); next: surgetank serve {path}",
        soft_wrap=True,
        highlight=False,
    )


def _begun(path: Path, source: str | None) -> str:
    """The text of the new scenario, checked.

    Raises:
        SurgetankError: the name is none, or the source is no scenario.
    """
    from surgetank.scenario import Scenario
    from surgetank.scenario.file_schema import SCHEMA_LINE
    from surgetank.scenario.named import text_of
    from surgetank.starter import STARTER

    if source is None:
        text = STARTER.replace("NAME", path.stem)
    else:
        copied = text_of(source)
        Scenario.from_toml(copied, place=source)
        copied = re.sub(r"^#:schema.*\n", "", copied, flags=re.MULTILINE)
        own = f"name = {json.dumps(path.stem)}"
        line = re.compile(r"^\s*name\s*=.*$", re.MULTILINE)
        text = SCHEMA_LINE + line.sub(lambda _: own, copied, count=1)
    Scenario.from_toml(text, place=str(path))
    return text
