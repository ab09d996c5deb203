"""Options that read a position book, in every command that takes one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from surgetank.cli.app import err

if TYPE_CHECKING:
    from surgetank.positions import PositionBook
    from surgetank.scenario import Scenario

__all__ = ["POSITIONS_PANEL", "Marks", "PositionOptions", "columns_option", "read", "units_option"]

#: Panel of `--help`.
POSITIONS_PANEL: Final = "Position book"


def columns_option(*flags: str) -> Any:
    """The option that names the file's columns, under these flags."""
    return typer.Option(
        *flags,
        metavar="NAME=COLUMN,…",
        help="Names of the file's columns: size=qty,market=ticker.",
        rich_help_panel=POSITIONS_PANEL,
    )


def units_option(*flags: str) -> Any:
    """The option that states the units of its numbers, under these flags."""
    return typer.Option(
        *flags,
        metavar="NAME=UNIT,…",
        help="Units of its numbers: size=usd, collateral=1e6.",
        rich_help_panel=POSITIONS_PANEL,
    )


Marks = Annotated[
    list[str] | None,
    typer.Option(
        "--mark",
        metavar="MARKET=USD,…",
        help="Mark prices: BTC=65000. They override the file's.",
        rich_help_panel=POSITIONS_PANEL,
    ),
]


@dataclass(frozen=True)
class PositionOptions:
    """A position book with which the market opens."""

    positions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Open the market with these accounts: docs/positions.md.",
            rich_help_panel=POSITIONS_PANEL,
        ),
    ] = None
    positions_columns: Annotated[list[str] | None, columns_option("--positions-columns")] = None
    positions_units: Annotated[list[str] | None, units_option("--positions-units")] = None
    marks: Marks = None

    def opened(self, scenario: Scenario) -> Scenario:
        """The scenario, opened with the book in the file if one is given. Says on standard error
        which positions are too small for its lot.

        Raises:
            SurgetankError: the file cannot be read, or the scenario lacks its markets.
        """
        if self.positions is None:
            return scenario
        book = read(self.positions, self.positions_columns, self.positions_units, self.marks)
        opened = scenario.with_positions(book)
        _say_left_out(opened, book)
        return opened


def _say_left_out(scenario: Scenario, book: PositionBook) -> None:
    from surgetank.number_format import counted, usd
    from surgetank.scenario.position_book import below_half_a_lot

    assert scenario.market is not None
    count, notional_usd = below_half_a_lot(scenario.market, book)
    if count:
        err.print(
            f"{book.file}: {counted(count, 'position')} below half a lot left out, "
            f"{usd(notional_usd)} of notional. A smaller market.lot keeps them",
            soft_wrap=True,
            highlight=False,
        )


def read(
    file: Path, columns: list[str] | None, units: list[str] | None, marks: list[str] | None
) -> PositionBook:
    """The book in the file.

    Raises:
        SurgetankError: naming the file's row or key, and the remedy.
    """
    from surgetank.positions import read_positions

    return read_positions(file, columns=columns or (), units=units or (), marks=marks or ())
