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

    It names the scenario if the package's scenario of that name has the run's hash; else
    `scenario.toml`, which is to be created from the text in the report. A file of nodes is named if
    it is still there and makes the scenario.
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
    """The shipped scenario by its name, with the file of nodes if that makes it the one of the
    wanted hash; empty if it is another."""
    if shipped.hash == wanted:
        return scenario.name
    file = scenario.network_file
    if file and with_network(shipped, read_network(Path(file))).hash == wanted:
        return f"{scenario.name} --network {shlex.quote(file)}"
    return ""
