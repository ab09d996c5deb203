"""The units of a table's numbers: stated by the user, or found out and said.

# Rules
1. A unit given by `--positions-units COLUMN=UNIT` is used.
2. Whole numbers so large that they cannot be USD or coins are counted in a power of ten of venues'
   contracts: 10^6 (USDC), 10^8, 10^9, 10^18 (most tokens), 10^30 (GMX): the smallest that brings
   the median into the plausible range of its column.
3. A `size` is in coins, unless the median account would then hold more than 1,000 times its
   collateral, and a plausible multiple if it is in USD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.positions.columns import UNITS

__all__ = ["scaled", "size_in_usd", "units_given"]

#: Greatest plausible median of a column, in USD.
_MOST_USD: Final = {"entry_price": 1e7, "mark_price": 1e7, "collateral": 1e10, "equity": 1e10}
_MOST_USD_OF_SIZE: Final = 1e11
_LEVERAGE_MAX: Final = 1_000.0
_POWERS: Final = tuple(unit for unit, divisor in UNITS.items() if divisor > 1)


def units_given(asked: Mapping[str, str]) -> Mapping[str, str]:
    """Checked units by column.

    Raises:
        SurgetankError: there is no such unit.
    """
    for column, unit in asked.items():
        if unit not in UNITS or (unit == "coins" and column != "size"):
            raise SurgetankError(
                "there is no such unit",
                place=f"--positions-units {column}={unit}",
                hint=f"Give one of {', '.join(UNITS)}; coins only for size",
            )
    return asked


def scaled(
    column: str, values: Sequence[float | None], asked: str | None, notes: list[str]
) -> list[float | None]:
    """The column's numbers in USD or coins; says in `notes` if they were counted in a power of
    ten."""
    known = [abs(value) for value in values if value]
    unit = asked
    if unit is None and known and all(value == int(value) for value in known):
        most = _MOST_USD.get(column, _MOST_USD_OF_SIZE)
        middle = median(known)
        fitting = [power for power in _POWERS if middle / UNITS[power] <= most]
        unit = fitting[0] if middle > most and fitting else None
    if unit is None or UNITS[unit] == 1.0:
        return list(values)
    notes.append(
        f"{column}: whole numbers counted in {unit} (--positions-units {column}=usd if not)"
    )
    return [None if value is None else value / UNITS[unit] for value in values]


def size_in_usd(multiples: Sequence[float], marks: Sequence[float], asked: str | None) -> bool:
    """Whether sizes are in USD, not coins.

    `multiples` are positions over collateral if sizes are in coins, `marks` their mark prices.
    """
    if asked is not None or not multiples:
        return asked == "usd"
    as_usd = [multiple / mark for multiple, mark in zip(multiples, marks, strict=True)]
    return median(multiples) > _LEVERAGE_MAX and 1e-3 < median(as_usd) <= _LEVERAGE_MAX
