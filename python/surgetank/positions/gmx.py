"""Snapshots of GMX v2: rows of `positions` as its subgraph and its SDK give them.

A JSON object with `positions` and the venue's published `tokens` (address, symbol, decimals),
`markets` (marketToken, indexToken) and `tickers` (tokenAddress, minPrice, maxPrice); rows that have
`indexName`, `markPrice` and `collateralUsd`, as the SDK gives them, need none of the three.

- USD are whole numbers of 10⁻³⁰ USD: `sizeInUsd` (at the entry price), `collateralUsd`.
- `sizeInTokens` and `collateralAmount` are whole numbers of 10^−decimals tokens; a ticker's price
  is USD × 10^(30 − decimals) per token.
- A position is isolated: backed by its `collateralToken`, a dollar or an asset with a price. Rows
  with `collateralUsd` in a file without `tokens` and `tickers` do not say which: cash.

Source: docs.gmx.io, "API: REST" (tokens, markets, prices), and "SDK: positions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.positions.document import number_at, objects
from surgetank.positions.draft import Draft, Held
from surgetank.positions.position_book import DOLLARS

__all__ = ["draft_of", "is_of"]

_USD: Final = 1e30
_SIZE: Final = "sizeInUsd"


def is_of(content: Any) -> bool:
    """Whether the document is such a snapshot."""
    rows = content.get("positions") if isinstance(content, Mapping) else content
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], Mapping) and (
        _SIZE in rows[0]
    )  # fmt: skip


@dataclass(frozen=True)
class _Token:
    symbol: str
    decimals: int
    price_usd: float | None


@dataclass(frozen=True)
class _Venue:
    """The venue's published tables, by address in lower case."""

    tokens: Mapping[str, _Token]
    index_of: Mapping[str, str]
    """Index token of each market."""

    def token(self, address: Any, place: str) -> _Token:
        found = self.tokens.get(str(address).lower())
        if found is None:
            raise SurgetankError(
                f"there is no token {str(address)[:42]} in `tokens`",
                place=place,
                hint="Add the venue's list of tokens (address, symbol, decimals) to the file",
            )
        return found


def draft_of(content: Any, place: str) -> Draft:
    """What the snapshot says.

    Raises:
        SurgetankError: naming the row and key that is missing or no number.
    """
    about = content if isinstance(content, Mapping) else {}
    rows = objects(about.get("positions", content), f"{place}: positions")
    venue = _venue(about, place)
    found = Draft(place)
    found.notes.append(
        "GMX v2 positions: USD in 1e30, tokens in their own decimals; every position isolated; "
        "collateral other than dollars is an asset, whose price moves"
    )
    for i, row in enumerate(rows):
        _position(row, f"{place}: positions[{i}]", venue, found)
    return found


def _venue(about: Mapping[str, Any], place: str) -> _Venue:
    prices: dict[str, float] = {}
    for one in objects(about.get("tickers", []), f"{place}: tickers"):
        where = f"{place}: tickers"
        middle = (number_at(one, "minPrice", where) + number_at(one, "maxPrice", where)) / 2
        prices[str(one.get("tokenAddress", "")).lower()] = middle
    tokens: dict[str, _Token] = {}
    for one in objects(about.get("tokens", []), f"{place}: tokens"):
        address = str(one.get("address", "")).lower()
        decimals = int(number_at(one, "decimals", f"{place}: tokens"))
        price = prices.get(address)
        usd = None if price is None else price * 10.0**decimals / _USD
        tokens[address] = _Token(str(one.get("symbol", address)), decimals, usd)
    markets = objects(about.get("markets", []), f"{place}: markets")
    index = {str(m.get("marketToken", "")).lower(): str(m.get("indexToken", "")) for m in markets}
    return _Venue(tokens, index)


def _position(row: Mapping[str, Any], place: str, venue: _Venue, found: Draft) -> None:
    owner = str(row.get("account", ""))
    if not owner:
        raise SurgetankError("`account` is missing", place=place, hint="Take the rows again")
    usd, sign = number_at(row, _SIZE, place) / _USD, 1.0 if _is_long(row, place) else -1.0
    market = str(row.get("marketAddress", row.get("market", "")))
    index = row.get("indexTokenAddress", venue.index_of.get(market.lower()))
    if row.get("indexName") is not None and row.get("markPrice") is not None:
        name = str(row["indexName"]).split("/")[0]
        mark: float | None = number_at(row, "markPrice", place) / _USD
        entry = number_at(row, "entryPrice", place) / _USD
        size = usd / entry if entry else 0.0
    else:
        token = venue.token(index, place)
        name, mark = token.symbol, token.price_usd
        size = number_at(row, "sizeInTokens", place) / 10.0**token.decimals
        entry = usd / size if size else 0.0
    # A trader may hold long and short of one market, each with its own collateral.
    owner = f"{owner} {'long' if sign > 0 else 'short'} {_backing(row)[:10]}".rstrip()
    held = Held(place, owner, True, name, sign * size, entry or None, mark)
    found.held.append(held)
    _back(held, row, venue, found)


def _is_long(row: Mapping[str, Any], place: str) -> bool:
    found = row.get("isLong")
    if not isinstance(found, bool):
        hint = "It must be true or false"
        raise SurgetankError("`isLong` is missing", place=place, hint=hint)
    return found


def _backing(row: Mapping[str, Any]) -> str:
    return str(row.get("collateralToken", row.get("collateralTokenAddress", "")))


def _back(held: Held, row: Mapping[str, Any], venue: _Venue, found: Draft) -> None:
    """Adds the collateral of a position to the draft: cash, or an amount of an asset."""
    known = venue.tokens.get(_backing(row).lower())
    if row.get("collateralUsd") is not None and (known is None or known.price_usd is None):
        found.cash[held.unit] = number_at(row, "collateralUsd", held.place) / _USD
        return
    token = venue.token(_backing(row), held.place)
    amount = number_at(row, "collateralAmount", held.place) / 10.0**token.decimals
    if token.price_usd is None:
        hint = "Add the venue's `tickers` to the file"
        raise SurgetankError(f"there is no price of {token.symbol}", place=held.place, hint=hint)
    if token.symbol.upper() in DOLLARS:
        found.cash[held.unit] = amount * token.price_usd
        return
    found.cash[held.unit] = 0.0
    found.assets[held.unit] = {token.symbol: amount}
    found.prices[token.symbol] = token.price_usd
