"""The shape of a table: which columns it needs, by role, and under which names they are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from surgetank.tape.columns import BUY, SELL, Columns, side_of

__all__ = ["NAMES", "ROLES", "Head", "Table"]

#: Names of columns by role: tardis.dev, Binance, Kaiko, Coinbase, Databento, pandas, our own data.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": (
        *("timestamp", "time", "datetime", "date", "open_time", "ts", "ts_event"),
        *(f"{name}_{unit}" for name in ("timestamp", "time", "ts") for unit in ("s", "ms", "us")),
        *("timestamp_ns", "time_ns", "ts_ns", "trade_time", "transact_time", "created_at"),
    ),
    "day": ("date", "day", "trade_date"),
    "received": ("local_timestamp", "local_ts", "local_time", "received_at", "ts_recv"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "price": ("price", "p", "px", "mid", "last"),
    "amount": ("amount", "quantity", "qty", "size", "size_btc", "size_eth"),
    "side": ("side", "taker_side", "is_buyer_maker", "is_maker_ask"),
    "id": ("id", "trade_id", "tradeid", "agg_trade_id"),
    "symbol": ("symbol", "instrument", "instrument_id", "instid", "ticker"),
    "action": ("action", "event", "event_type", "order_action"),
    "order_id": ("order_id", "orderid", "oid"),
    "bid": ("bid_price", "bid", "best_bid", "bid_px", "best_bid_price"),
    "ask": ("ask_price", "ask", "best_ask", "ask_px", "best_ask_price"),
    "snapshot": ("is_snapshot",),
    "index": ("index_price",),
    "mark": ("mark_price",),
}
ROLES: Final = tuple(NAMES)
#: Columns with the maker's side: the taker bought if the maker sold.
_TAKER_BUYS: Final = {"is_maker_ask": ("1", "true"), "is_buyer_maker": ("0", "false")}


@dataclass(frozen=True)
class Head:
    """Position and name of the column of each role."""

    at: Mapping[str, int]
    names: Mapping[str, str]
    given: tuple[str, ...]
    """All names of the first line, in lower case."""

    def has(self, *roles: str) -> bool:
        """Whether there is a column of each of these roles."""
        return all(role in self.at for role in roles)


class Table(ABC):
    """Rows of one kind. `take` raises ValueError, KeyError or OverflowError for a damaged row."""

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    """Roles without which it cannot be read, beside the time."""
    in_order: ClassVar[bool] = False
    """Whether a row's meaning depends on the rows before it, so that they cannot be sorted."""

    def __init__(self, columns: Columns, head: Head) -> None:
        self.columns, self.head = columns, head

    @classmethod
    def fits(cls, head: Head) -> bool:
        """Whether a table with this first line is of this kind."""
        return head.has(*cls.needs)

    @abstractmethod
    def take(self, cells: Sequence[str]) -> None:
        """Adds what a row says to the columns."""

    def finish(self) -> None:  # noqa: B027
        """Adds what only the whole table says; most kinds have nothing."""

    def number(self, cells: Sequence[str], role: str) -> float:
        """The number in a role's column."""
        return float(cells[self.head.at[role]])

    def text(self, cells: Sequence[str], role: str) -> str:
        """The text in a role's column; "" where there is no such column."""
        at = self.head.at.get(role)
        return "" if at is None else cells[at].strip()

    def side(self, cells: Sequence[str]) -> int:
        """1 if the taker (or the order) buys, 2 if it sells, 0 if that is unknown."""
        word, column = self.text(cells, "side"), self.head.names.get("side", "")
        if column not in _TAKER_BUYS:
            return side_of(word)
        if word.lower() not in ("0", "1", "true", "false"):
            raise ValueError
        return BUY if word.lower() in _TAKER_BUYS[column] else SELL
