"""Options that read a position book, in every command that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from surgetank.positions import PositionBook
    from surgetank.scenario import Scenario

__all__ = ["POSITIONS_PANEL", "Columns", "Marks", "Positions", "Units", "opened_with", "read"]

#: Panel of `--help`.
POSITIONS_PANEL: Final = "Position book"

Positions = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Open the market with these accounts: docs/positions.md.",
        rich_help_panel=POSITIONS_PANEL,
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--positions-columns",
        metavar="NAME=COLUMN,…",
        help="Names of the file's columns: size=qty,market=ticker.",
        rich_help_panel=POSITIONS_PANEL,
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option(
        "--positions-units",
        metavar="NAME=UNIT,…",
        help="Units of its numbers: size=usd, collateral=1e6.",
        rich_help_panel=POSITIONS_PANEL,
    ),
]
Marks = Annotated[
    list[str] | None,
    typer.Option(
        "--mark",
        metavar="MARKET=USD,…",
        help="Mark prices: BTC=65000. They override the file's.",
        rich_help_panel=POSITIONS_PANEL,
    ),
]


def read(
    file: Path, columns: list[str] | None, units: list[str] | None, marks: list[str] | None
) -> PositionBook:
    """The book in the file.

    Raises:
        SurgetankError: naming the file's row or key, and the remedy.
    """
    from surgetank.positions import read_positions

    return read_positions(file, columns=columns or (), units=units or (), marks=marks or ())


def opened_with(
    scenario: Scenario,
    file: Path | None,
    columns: list[str] | None,
    units: list[str] | None,
    marks: list[str] | None,
) -> Scenario:
    """The scenario, opened with the book in the file if one is given.

    Raises:
        SurgetankError: the file cannot be read, or the scenario lacks its markets.
    """
    return scenario if file is None else scenario.with_positions(read(file, columns, units, marks))
