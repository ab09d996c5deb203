"""The accounts of a user's position book after a run, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surgetank.measure.book_accounts import book_accounts
from surgetank.number_format import NBSP, counted, leverage, usd
from surgetank.trace import Trace

__all__ = ["AccountTable", "account_table"]

_ROWS: Final = 20


@dataclass(frozen=True)
class AccountTable:
    """The accounts with most losses beyond collateral, then those that became due first."""

    caption: str
    rows: list[tuple[str, str, str, str, str, str, str]]
    """Label, notional, leverage, when it became due and was liquidated, bad debt, and negative
    equity at the end; as text."""


def account_table(trace: Trace) -> AccountTable | None:
    """The table; None if the run has no position book, or no account of it became due."""
    found, book = book_accounts(trace), trace.scenario.position_book
    if found is None or book is None or found.is_empty():
        return None
    liquidated = found["liquidated_s"].is_not_null().sum()
    bad, short = (int((found[name] > 0).sum()) for name in ("bad_debt_usd", "uncovered_usd"))
    caption = (
        f"Of {len(book.accounts):,} margin accounts {found.height:,} became due, {liquidated:,} "
        f"were liquidated and {bad:,} left bad debt. Not yet booked: negative equity at the end, "
        f"at the outside prices, of {counted(short, 'account')}. "
    )
    if found.height > _ROWS:
        caption += f"The first {_ROWS} are here; "
    columns = ("label", "notional_usd", "leverage", "due_s", "liquidated_s")
    losses = ("bad_debt_usd", "uncovered_usd")
    return AccountTable(
        caption + "accounts.csv beside this page has them all.",
        [
            (label, usd(size), leverage(levered), _time(due), _time(closed), usd(debt), usd(short))
            for label, size, levered, due, closed, debt, short in found.head(_ROWS)
            .select(*columns, *losses)
            .iter_rows()
        ],
    )


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f}{NBSP}s"
