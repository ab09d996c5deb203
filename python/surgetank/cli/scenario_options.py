"""Options that change what a scenario runs with, in every command that runs one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli.app import SCENARIO
from surgetank.cli.completion import keys_to_set
from surgetank.cli.network_option import NetworkOption, on_network
from surgetank.cli.position_options import PositionOptions
from surgetank.cli.recording_options import TapeOptions

if TYPE_CHECKING:
    from surgetank.scenario import Scenario

__all__ = ["ScenarioOptions"]


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
