"""Terminal output about position books."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from surgetank.console.terminal import dim
from surgetank.number_format import share, usd
from surgetank.positions import PositionBook
from surgetank.positions.position_book import MarginTier
from surgetank.positions.summary import MOVES, BookSummary
from surgetank.report.position_book import asset_rows, key_figures
from surgetank.report.position_book.figures import by_leverage
from surgetank.scenario.margin import Margin

__all__ = ["own_summary", "show_book", "show_summary"]

_BAR: Final = 36


def own_summary(book: PositionBook) -> tuple[BookSummary, str]:
    """A book under its own tiers, or those of a scenario's default, and which they are."""
    usual = Margin()
    default = (MarginTier(0.0, usual.initial, usual.maintenance),)
    summary = BookSummary(book, tuple(market.tiers or default for market in book.markets))
    if all(market.tiers for market in book.markets):
        return summary, "Maintenance margin of the book itself"
    return summary, f"Maintenance margin {100 * usual.maintenance:g} %, since the book gives none"


def show_book(console: Console, book: PositionBook) -> None:
    """The summary of a book under its own tiers."""
    show_summary(console, *own_summary(book))


def show_summary(console: Console, summary: BookSummary, rule: str) -> None:
    """Key figures, markets, a histogram of leverage, and what price moves would liquidate."""
    book = summary.book
    console.print(Text.assemble(("Position book ", "bold"), book.file or "unnamed"), soft_wrap=True)
    for note in book.notes:
        console.print(Padding(dim(note), (0, 0, 0, 2), expand=False))
    figures = Table(box=None, pad_edge=False, show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    figures.add_column()
    for row in key_figures(summary):
        figures.add_row(*row)
    console.print(figures, highlight=False)
    console.print(dim(f"{rule}."))
    markets = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("market", "mark, USD", "accounts", "long", "short", "maintenance"):
        markets.add_column(name, justify="left" if name == "market" else "right")
    for line in summary.markets:
        markets.add_row(
            line.name,
            f"{line.mark_usd:,.6g}",
            f"{line.accounts:,}",
            usd(line.long_usd),
            usd(line.short_usd),
            share(line.maintenance),
        )
    console.print("")
    console.print(markets)
    if summary.assets:
        console.print("")
        console.print(_assets(summary))
    console.print("")
    console.print("Notional by leverage", style="bold")
    bins = by_leverage(summary)
    most = max(part for _, part in bins)
    for name, part in bins:
        bar = "█" * round(_BAR * part / most) if most else ""
        console.print(f"{name:>9}  {bar:<{_BAR}} {share(part):>7}", highlight=False)
    console.print("")
    console.print("Liquidated if all prices move at once by", style="bold")
    whole = float(summary.gross_usd.sum())
    for move in MOVES:
        found = summary.liquidated_usd(move)
        text = f"{move:+.0%}".replace("-", "−")
        console.print(f"{text:>9}  {usd(found):>10}  {share(found / whole):>7}", highlight=False)
    for warning in summary.warnings:
        console.print(Text.assemble(("Note: ", "bold yellow"), f"{warning}."))


def _assets(summary: BookSummary) -> Table:
    """Collateral by asset."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("collateral", "coins", "accounts", "value", "behind longs", "haircut", "price"):
        table.add_column(name, justify="left" if name == "collateral" else "right")
    for row in asset_rows(summary):
        table.add_row(*row)
    return table
