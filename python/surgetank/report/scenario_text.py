"""A scenario in full as TOML, and the command that runs it again."""

from __future__ import annotations

import shlex

from surgetank.errors import SurgetankError
from surgetank.scenario import load, names
from surgetank.scenario.text import toml
from surgetank.trace import Trace

__all__ = ["command", "toml"]


def command(trace: Trace) -> str:
    """The command that gives the same trace.

    It names the scenario if the package's scenario of that name has the run's hash; else
    `scenario.toml`, which is to be created from the text in the report.
    """
    run = trace.run
    source = "scenario.toml"
    try:
        if run.name in names() and load(run.name).hash == run.scenario_hash:
            source = run.name
    except (SurgetankError, OSError):
        pass
    scenario = trace.scenario
    tape = f" {shlex.join(scenario.tape_options)}" if scenario.tape_hash else ""
    book = f" {shlex.join(scenario.positions_options)}" if scenario.positions_hash else ""
    live = trace.stats.live
    target = f" --target {shlex.quote(live.target)}" if live else ""
    return f"surgetank run {source} --seed {run.seed}{tape}{book}{target}"
