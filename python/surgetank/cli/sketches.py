"""The command `surgetank sketch`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from surgetank.cli.app import EFFORT, OUTPUT, QUESTION, SCENARIO, app, finite, seed_in_range
from surgetank.cli.app import out as out_
from surgetank.cli.completion import keys_to_set, scenario_names
from surgetank.cli.network_option import NetworkOption, on_network
from surgetank.cli.output_options import Json

_EXAMPLES = """
Examples:

  surgetank sketch --list

  surgetank sketch tendermint

  surgetank sketch tendermint hotstuff jolteon simplex two-round

  surgetank sketch my_design.lazy --scenario black-thursday --silent 6

  surgetank sketch tendermint --network my_validators.csv --set network.uplink_mbps=50

Exit codes: 0 timed · 2 usage, or a step that is never passed.
"""


@app.command("sketch", epilog=_EXAMPLES)
def sketch_command(
    sketches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SKETCH]...",
            help="A sketch's name or file (docs/sketch.md); of several, a comparison.",
        ),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option(
            metavar="SCENARIO",
            help="Scenario that gives the network.",
            autocompletion=scenario_names,
            rich_help_panel=SCENARIO,
        ),
    ] = "calm",
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a scenario key.",
            rich_help_panel=SCENARIO,
            autocompletion=keys_to_set,
        ),
    ] = None,
    network: NetworkOption = None,
    silent: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="The last N nodes never send anything.",
            rich_help_panel=QUESTION,
        ),
    ] = 0,
    rounds: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Proposals, at least.", rich_help_panel=EFFORT),
    ] = 1000,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            callback=seed_in_range,
            help="Seed of the delays.",
            rich_help_panel=EFFORT,
        ),
    ] = 1,
    listed: Annotated[
        bool,
        typer.Option(
            "--list", help="Print the sketches that come with it.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Time protocols of a few lines over a network's delays, without load or faults."""
    from surgetank.console.sketches import show_comparison, show_sketch
    from surgetank.errors import SurgetankError
    from surgetank.scenario import load
    from surgetank.sketch import builtin_names, estimate, read_sketch, sketch_delays

    if listed:
        sys.stdout.write("".join(f"{name}\n" for name in builtin_names()))
        return
    if not sketches:
        hint = f"Name a file, or one of {', '.join(builtin_names())}"
        raise SurgetankError("there is no sketch", place="surgetank sketch", hint=hint)
    protocols = [read_sketch(name) for name in sketches]
    given = on_network(load(scenario), network, values, hidden=as_json).network
    found = [
        estimate(
            protocol,
            sketch_delays(given, seed),
            given.region_of_nodes or ["all"] * given.nodes,
            powers=given.weights,
            silent=silent,
            uplink_mbps=given.uplink_mbps,
            rounds=rounds,
            seed=seed,
        )
        for protocol in protocols
    ]
    if as_json:
        text = json.dumps(finite([one.to_dict() for one in found]), allow_nan=False)
        sys.stdout.write(text + "\n")
    elif len(found) == 1:
        show_sketch(out_, found[0])
    else:
        show_comparison(out_, found)
