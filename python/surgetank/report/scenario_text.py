"""A scenario in full as TOML, and the command that runs it again."""

from __future__ import annotations

import shlex
from pathlib import Path

from surgetank.errors import SurgetankError
from surgetank.network_file import read_network, with_network
from surgetank.scenario import Scenario, load, names
from surgetank.scenario.text import toml
from surgetank.trace import Trace

__all__ = ["command", "toml"]


def command(trace: Trace) -> str:
    """The command that gives the same trace.

    It names the scenario if the package's scenario of that name has the run's hash, with the nodes,
    recording and position book of the run; else `scenario.toml`, which is to be created from the
    text in the report. A file of nodes is named if it is still there and makes the scenario.
    """
    run = trace.run
    scenario = trace.scenario
    source = "scenario.toml"
    try:
        if run.name in names():
            source = _shipped(load(run.name), scenario, run.scenario_hash) or source
    except (SurgetankError, OSError):
        pass
    tape = f" {shlex.join(scenario.tape_options)}" if scenario.tape_hash else ""
    book = f" {shlex.join(scenario.positions_options)}" if scenario.positions_hash else ""
    live = trace.stats.live
    target = f" --target {shlex.quote(live.target)}" if live else ""
    return f"surgetank run {source} --seed {run.seed}{tape}{book}{target}"


def _shipped(shipped: Scenario, scenario: Scenario, wanted: str) -> str:
    """The shipped scenario by its name, with the file of nodes if the run has one, if it has the
    wanted hash with the run's nodes, recording and position book; empty if it is another."""
    nodes = ""
    if scenario.network_file:
        shipped = with_network(shipped, read_network(Path(scenario.network_file)))
        nodes = f" --network {shlex.quote(scenario.network_file)}"
    # In the order in which the command's options are applied.
    if scenario.tape is not None:
        shipped = shipped.with_tape(scenario.tape)
    if scenario.position_book is not None:
        shipped = shipped.with_positions(scenario.position_book)
    return f"{scenario.name}{nodes}" if shipped.hash == wanted else ""
