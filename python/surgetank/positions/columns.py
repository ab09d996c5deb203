"""Columns of a positions table: their names, and the units of their numbers."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from surgetank.errors import SurgetankError

__all__ = ["COLUMNS", "UNITS", "Record", "cell_number", "named", "pairs_of"]

#: Names of each column, in the order in which they are looked for; written as `normal` does.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "account": (
        *("account", "account_id", "user", "address", "owner", "subaccount", "trader", "wallet"),
        *("client", "client_id", "uid"),
    ),
    "market": ("market", "symbol", "coin", "ticker", "instrument", "pair", "contract", "perpetual"),
    "size": (
        *("size", "qty", "quantity", "position_amt", "position_size", "szi", "coins"),
        *("size_coins", "base_size", "amount", "position", "net_size"),
        "net_position",
    ),
    "notional": (
        *("notional", "size_usd", "size_in_usd", "position_value", "exposure", "value_usd"),
    ),
    "side": ("side", "direction", "position_side", "is_long"),
    "entry_price": (
        *("entry_price", "entry", "entry_px", "avg_entry_price", "average_entry_price"),
        *("avg_price", "average_price", "open_price"),
    ),
    "mark_price": ("mark_price", "mark", "mark_px", "index_price", "oracle_price", "price"),
    "leverage": ("leverage", "lev"),
    "collateral": (
        *("collateral", "margin", "wallet_balance", "balance", "isolated_wallet"),
        *("isolated_margin", "deposit", "cash"),
    ),
    "equity": ("equity", "account_value", "margin_balance", "total_equity"),
    "mode": ("mode", "margin_mode", "margin_type"),
}
#: Columns in USD, whose names may say so at their end: `wallet_balance_usd`, `Mark (USD)`.
_IN_USD: Final = ("notional", "entry_price", "mark_price", "collateral", "equity")
#: What every table needs, by any one of these columns.
_NEEDED: Final = (
    ("account",),
    ("market",),
    ("size", "notional"),
    ("collateral", "equity", "leverage"),
)
#: Units that can be given for a column, with the divisor of its numbers.
UNITS: Final[Mapping[str, float]] = {
    "usd": 1.0,
    "coins": 1.0,
    **{power: float(power) for power in ("1e6", "1e8", "1e9", "1e18", "1e30")},
}
#: Columns with an amount of an asset held as collateral: `collateral_eth`.
ASSET: Final = re.compile(r"^collateral_(?!usd$)([a-z0-9]+)$")


@dataclass(frozen=True)
class Record:
    """One position, or one account without any, as it stands in the file."""

    place: str
    """Its row, for errors."""
    cells: Mapping[str, Any]
    """Values by column, of `COLUMNS` or `assets`; those that are blank are left out."""


def normal(name: str) -> str:
    """A column's name in lower case with underscores: `entryPx` is `entry_px`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def named(given: Sequence[str], chosen: Mapping[str, str], place: str) -> dict[str, str]:
    """The file's column for each one of `COLUMNS` that it has, and for each asset held as
    collateral (`collateral_ETH`).

    Raises:
        SurgetankError: a column named by `--columns` is not there, or one that every table needs is
            missing.
    """
    found: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for name in given:
        first = by_name.setdefault(normal(name), name)
        if first != name:
            what, hint = f"columns {first} and {name} have one name", "Rename one"
            raise SurgetankError(what, place=place, hint=hint)
    for column, wanted in chosen.items():
        if column not in COLUMNS:
            near = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(COLUMNS)}"
            raise SurgetankError(
                "there is no such column", place=f"--positions-columns {column}=", hint=hint
            )
        if normal(wanted) not in by_name:
            hint = f"Its columns are: {', '.join(given)}"
            raise SurgetankError(f"has no column {wanted}", place=place, hint=hint)
        found[column] = by_name[normal(wanted)]
    taken = set(found.values())
    for column, names in COLUMNS.items():
        known = [form for n in names for form in ((n, f"{n}_usd") if column in _IN_USD else (n,))]
        free = [by_name[n] for n in known if n in by_name and by_name[n] not in taken]
        if column not in found and free:
            found[column] = free[0]
            taken.add(free[0])
    for name, original in by_name.items():
        # `collateral_stETH` has two words only as it is written.
        written = re.sub(r"[^a-z0-9]+", "_", original.strip().lower())
        asset = next((one for one in (written, name) if ASSET.match(one)), None)
        if asset is not None and original not in taken:
            found[asset] = original
    _check_needed(found, given, place)
    return found


def _check_needed(found: Mapping[str, str], given: Sequence[str], place: str) -> None:
    """Refuses a table without a column that it needs."""
    for columns in _NEEDED:
        if any(column in found for column in columns):
            continue
        if columns[0] == "collateral" and any(ASSET.match(name) for name in found):
            continue
        unread = [name for name in given if name not in found.values()]
        what = f"has no column for the {' or the '.join(columns)}"
        if unread:
            what += f"; columns that were not recognised: {', '.join(unread)[:200]}"
        hint = f"Name it: --positions-columns {columns[0]}=NAME (docs/positions.md)"
        raise SurgetankError(what, place=place, hint=hint)


def cell_number(value: Any, place: str, column: str) -> float | None:
    """A cell as a number; None if it is blank.

    Raises:
        SurgetankError: it is no finite number.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, bool) or not math.isfinite(found):
        raise SurgetankError(
            f"column {column}: {str(value)[:40]!r} is not a number",
            place=place,
            hint="Write a plain decimal number, such as -1.25, or leave the cell empty",
        )
    return found


def pairs_of(texts: Iterable[str], flag: str, example: str) -> dict[str, str]:
    """`NAME=VALUE` pairs of an option, such as `example`, separated by commas.

    Raises:
        SurgetankError: one has no `=`.
    """
    found: dict[str, str] = {}
    for text in ",".join(texts).split(",") if texts else ():
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise SurgetankError(
                "is not NAME=VALUE", place=f"{flag} {text}", hint=f"Write {flag} {example}"
            )
        found[name.strip()] = value.strip()
    return found
