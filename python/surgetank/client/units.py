"""Real prices and quantities, and a market's whole numbers of ticks and lots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from surgetank.errors import SurgetankError

__all__ = ["Real", "Units", "units_of_genesis"]

Real = float | int | str | Decimal
"""A price in USD or a quantity in coins. It is taken as it is written: 0.1 is a tenth."""


def _exact(value: Real) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


@dataclass(frozen=True, slots=True)
class Units:
    """What a tick and a lot of a market are."""

    tick_usd: float
    lot: float
    name: str = ""

    def ticks(self, price: Real) -> int:
        """A price in ticks.

        Raises:
            SurgetankError: it is no multiple of the tick.
        """
        return self._whole(price, self.tick_usd, "price")

    def lots(self, quantity: Real) -> int:
        """A quantity in lots. Raises as `ticks`."""
        return self._whole(quantity, self.lot, "quantity")

    def quanta(self, usd: Real) -> int:
        """Money in quanta. Raises as `ticks`."""
        quantum = _exact(self.tick_usd) * _exact(self.lot)
        return self._whole(usd, quantum, "money")

    def price(self, ticks: int) -> float:
        """A price in USD."""
        return float(ticks * _exact(self.tick_usd))

    def quantity(self, lots: int) -> float:
        """A quantity in coins."""
        return float(lots * _exact(self.lot))

    def usd(self, quanta: int) -> float:
        """Money in USD."""
        return float(quanta * _exact(self.tick_usd) * _exact(self.lot))

    def _whole(self, value: Real, step: Real, what: str) -> int:
        try:
            count = _exact(value) / _exact(step)
        except ArithmeticError:
            hint = "Give a decimal number"
            raise SurgetankError(f"{value!r} is no number", place=what, hint=hint) from None
        if not count.is_finite():
            raise SurgetankError(f"{value!r} is not finite", place=what, hint="Give a finite one")
        if count != count.to_integral_value():
            hint = f"Give a multiple of {step}"
            raise SurgetankError(f"{value} is no multiple of {step}", place=what, hint=hint)
        return int(count)


def units_of_genesis(genesis: Mapping[str, Any]) -> dict[int, Units]:
    """The units of each market of a venue, by its index, from what the venue opened with."""
    markets = enumerate(genesis["perpetuals"])
    return {at: Units(one["tick_usd"], one["lot"], one["name"]) for at, one in markets}
