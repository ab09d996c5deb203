"""The option `--network`, in every command that runs a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli.app import SCENARIO, err, overrides

if TYPE_CHECKING:
    from surgetank.network_file import NetworkFile
    from surgetank.scenario import Scenario

__all__ = ["NetworkOption", "on_network"]

NetworkOption = Annotated[
    Path | None,
    typer.Option(
        "--network",
        metavar="FILE",
        help="Your validators: powers, regions, machines and links from a file (docs/network.md).",
        rich_help_panel=SCENARIO,
    ),
]


def on_network(
    scenario: Scenario, file: Path | None, values: list[str] | None, *, hidden: bool = False
) -> Scenario:
    """The scenario on the file's nodes, if one is given, with overrides; says what was detected.

    Overrides of `network` are applied to what the file gives, all others before it, so that a fault
    can be put at nodes of the file.

    Raises:
        SurgetankError: the file is not usable, or does not fit the scenario, or an override does
            not fit.
    """
    given = overrides(values or [])
    if file is None:
        return scenario.with_values(given) if given else scenario
    later = {key: value for key, value in given.items() if key.startswith("network.")}
    earlier = {key: value for key, value in given.items() if key not in later}
    scenario = scenario.with_values(earlier) if earlier else scenario
    from surgetank.network_file import read_network, taken_from, with_network

    found = read_network(file)
    chosen = with_network(scenario, found)
    if not hidden:
        _say(found, taken_from(scenario, found))
    return chosen.with_values(later) if later else chosen


def _say(found: NetworkFile, more: tuple[str, ...]) -> None:
    """Prints what was read, what was detected or assumed, and `more`, on standard error."""
    err.print(f"{' and '.join(found.files)}: {found.format}, {found.count} nodes", soft_wrap=True)
    for notice in (*found.notices, *more):
        err.print(f"  {notice}", soft_wrap=True, highlight=False)
