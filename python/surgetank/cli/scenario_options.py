"""Options that change what a scenario runs with, in every command that runs one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli.app import SCENARIO
from surgetank.cli.completion import keys_to_set
from surgetank.cli.network_option import NetworkOption, on_network
from surgetank.cli.position_options import POSITIONS_PANEL, PositionOptions
from surgetank.cli.recording_options import TAPE_PANEL, TapeOptions

if TYPE_CHECKING:
    from surgetank.scenario import Scenario

__all__ = ["ScenarioOptions", "scenario_arguments"]

#: Panels of the options that make a scenario, in every command that runs one.
_PANELS = (SCENARIO, TAPE_PANEL, POSITIONS_PANEL)


def scenario_arguments(context: typer.Context) -> str:
    """The scenario of this command and the options that change it, as they were given, for another
    command."""
    words = [str(context.params["scenario"])]
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "")
        panel = getattr(option, "rich_help_panel", None)
        if given is None or given.name != "COMMANDLINE" or panel not in _PANELS:
            continue
        if option.name == "scenario":
            continue
        value = context.params[option.name or ""]
        if isinstance(value, bool):
            words.append((option.opts if value else option.secondary_opts)[0])
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option.opts[0], str(one)]
    return shlex.join(words)


@dataclass(frozen=True)
class ScenarioOptions:
    """Overrides, and a user's own validators, recording and position book."""

    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a scenario key.",
            rich_help_panel=SCENARIO,
            autocompletion=keys_to_set,
        ),
    ] = None
    network: NetworkOption = None
    tape: TapeOptions = field(default_factory=TapeOptions)
    positions: PositionOptions = field(default_factory=PositionOptions)

    def of(self, scenario: str, *, hidden: bool, one_run: bool = False) -> Scenario:
        """The scenario of this name or file with what the options give, for one run or for many;
        says what was detected in their files, unless `hidden`.

        Raises:
            SurgetankError: there is no such scenario, a file is not usable, or does not fit the
                scenario, or an override does not fit.
        """
        from surgetank.scenario import load

        return self.applied(load(scenario), hidden=hidden, one_run=one_run)

    def applied(self, scenario: Scenario, *, hidden: bool, one_run: bool = False) -> Scenario:
        """As `of`, with a scenario that was read."""
        chosen = on_network(scenario, self.network, self.values, hidden=hidden)
        taped = self.tape.replayed(chosen, hidden=hidden, one_run=one_run)
        return self.positions.opened(taped)
