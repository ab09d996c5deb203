"""Order-level messages: every order added, modified, cancelled and traded, by its identifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surgetank.tape.columns import BUY, CANCEL, ORDER, REPLACE, SELL, Columns
from surgetank.tape.formats.table import Head, Table
from surgetank.tape.levels import Levels

__all__ = ["Orders"]

_ADD, _MODIFY, _CANCEL, _TRADE, _FILL, _CLEAR = "add", "modify", "cancel", "trade", "fill", "clear"
#: Words for actions: plain English, FIX, Databento's letters.
_ACTIONS: Final = {
    **dict.fromkeys(("add", "a", "new", "insert", "submit", "open", "placed"), _ADD),
    **dict.fromkeys(("modify", "m", "replace", "amend", "change", "update"), _MODIFY),
    **dict.fromkeys(("cancel", "c", "delete", "d", "remove", "cancelled", "canceled"), _CANCEL),
    **dict.fromkeys(("trade", "t", "market", "match"), _TRADE),
    **dict.fromkeys(("fill", "f", "filled", "executed"), _FILL),
    **dict.fromkeys(("clear", "r", "reset"), _CLEAR),
}


class Orders(Table):
    """Each row an action on an order: `add`, `modify`, `cancel`; `trade`, a taker's trade.

    A `fill` of a resting order takes its quantity off and is no message, and neither is `clear`.
    The price is the mid of the best orders of each side.
    """

    name = "orders"
    title = "table of order messages"
    needs = ("action", "order_id", "side", "price", "amount")
    in_order = True

    def __init__(self, columns: Columns, head: Head) -> None:
        super().__init__(columns, head)
        self._keys: dict[str, int] = {}
        self._held: dict[str, tuple[int, float, float]] = {}
        self._totals: dict[tuple[int, float], float] = {}
        self._book = Levels(columns)
        self._book.snapshot((), ())

    def take(self, cells: Sequence[str]) -> None:
        columns = self.columns
        action = _ACTIONS[self.text(cells, "action").lower()]
        columns.kinds[action] += 1
        if action == _CLEAR:
            self._held.clear()
            self._totals.clear()
            self._book.snapshot((), ())
            return
        ident = self.text(cells, "order_id")
        side = self.side(cells)
        usd, coins = (float(self.text(cells, role) or 0) for role in ("price", "amount"))
        if action == _TRADE:
            columns.trade(side, usd, coins)
            return
        key = self._keys.setdefault(ident, len(self._keys) + 1)
        old = self._held.get(ident)
        if action == _FILL:
            left = max(0.0, old[2] - coins) if old else 0.0
            self._hold(ident, (old[0], old[1], left) if old and left > 0 else None)
        elif action == _CANCEL:
            if old is not None:
                columns.message(CANCEL, old[0], old[1], 0.0, key)
            self._hold(ident, None)
        else:
            if side == 0:
                raise ValueError
            number = REPLACE if old is not None else ORDER
            columns.message(number, side, usd, coins, key)
            self._hold(ident, (side, usd, coins) if coins > 0 else None)

    def _hold(self, ident: str, new: tuple[int, float, float] | None) -> None:
        """Replaces an order and the levels that it belongs to."""
        rows: dict[int, dict[float, float]] = {BUY: {}, SELL: {}}
        old = self._held.pop(ident, None)
        for order, sign in ((old, -1.0), (new, 1.0)):
            if order is not None:
                side, usd, coins = order
                level = self._totals.get((side, usd), 0.0) + sign * coins
                # What is left by rounding is no order.
                level = 0.0 if level < 1e-9 * coins else level
                self._totals[side, usd] = rows[side][usd] = level
        if new is not None:
            self._held[ident] = new
        self._book.set(rows[BUY].items(), rows[SELL].items())
