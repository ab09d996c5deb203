"""JSON books: `{"markets": …, "insurance_usd": …, "accounts": [{"account", "positions", …}]}`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.positions.columns import cell_number
from surgetank.positions.draft import Draft, Held
from surgetank.positions.files import PositionRows
from surgetank.positions.position_book import MarginTier

__all__ = ["as_table", "draft_of", "is_of", "is_rows", "number_at", "objects"]

_BOOK: Final = {"accounts", "markets", "insurance_usd"}
_ACCOUNT: Final = {"account", "mode", "collateral", "equity", "assets", "positions"}
_POSITION: Final = {"market", "size", "entry_price", "mark_price"}
_MODES: Final = ("cross", "isolated")


def is_rows(content: Any) -> bool:
    """Whether it is a list of flat rows, or an object with one under `positions`."""
    rows = content.get("positions") if isinstance(content, Mapping) else content
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, Mapping) for row in rows)
        and not any(isinstance(value, dict | list) for value in rows[0].values())
    )


def as_table(content: Any, place: str) -> PositionRows:
    """Those rows as a table."""
    rows = content["positions"] if isinstance(content, Mapping) else content
    places = [f"{place}: row {i + 1}" for i in range(len(rows))]
    return PositionRows([dict(row) for row in rows], places, "JSON rows")


def is_of(content: Any) -> bool:
    """Whether the document is a JSON book."""
    return isinstance(content, Mapping) and "accounts" in content


def draft_of(content: Mapping[str, Any], place: str) -> Draft:
    """What a JSON book says.

    Raises:
        SurgetankError: naming the key, and the remedy.
    """
    found = Draft(place)
    found.notes.append("JSON book: sizes in coins, money in USD, shares as given")
    _no_other(content, _BOOK, place)
    for name, of in _mapping(content.get("markets", {}), f"{place}: markets").items():
        _market(str(name), _mapping(of, f"{place}: markets.{name}"), place, found)
    if content.get("insurance_usd") is not None:
        found.insurance_usd = number_at(content, "insurance_usd", place)
    for i, account in enumerate(objects(content["accounts"], f"{place}: accounts")):
        _account(account, f"{place}: accounts[{i}]", found)
    names = {position.market for position in found.held}
    unknown = sorted(names - set(found.marks)) if found.marks else []
    if unknown:
        where = next(p.place for p in found.held if p.market == unknown[0])
        hint = f"Correct the name, or add it to `markets`, which has {', '.join(found.marks)}"
        raise SurgetankError(f"there is no market {unknown[0]}", place=where, hint=hint)
    return found


def objects(content: Any, place: str) -> list[Mapping[str, Any]]:
    """A list of objects.

    Raises:
        SurgetankError: it is none.
    """
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in content):
        raise SurgetankError("must be a list of objects", place=place, hint="docs/positions.md")
    return content


def number_at(content: Mapping[str, Any], key: str, place: str) -> float:
    """A number under a key, which may be written as text.

    Raises:
        SurgetankError: there is none.
    """
    found = cell_number(content.get(key), place, key)
    if found is None:
        raise SurgetankError(f"`{key}` is missing", place=place, hint="Add it, or take it again")
    return found


def _mapping(content: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise SurgetankError("must be an object", place=place, hint="docs/positions.md")
    return content


def _no_other(content: Mapping[str, Any], known: set[str], place: str) -> None:
    other = [key for key in content if key not in known]
    if other:
        hint = f"There are: {', '.join(sorted(known))}"
        raise SurgetankError(f"there is no key `{other[0]}`", place=place, hint=hint)


def _market(name: str, of: Mapping[str, Any], place: str, found: Draft) -> None:
    where = f"{place}: markets.{name}"
    _no_other(of, {"mark_price", "tiers", "initial", "maintenance"}, where)
    found.marks[name] = number_at(of, "mark_price", where)
    rows = objects(of.get("tiers", []), f"{where}.tiers")
    if not rows and "maintenance" in of:
        rows = [{"above_usd": 0.0, "initial": of.get("initial"), "maintenance": of["maintenance"]}]
    tiers = [
        MarginTier(
            number_at(row, "above_usd", where),
            number_at(row, "initial", where),
            number_at(row, "maintenance", where),
        )
        for row in rows
    ]
    if not tiers:
        return
    percent = max(tier.initial for tier in tiers) > 1
    if percent:
        tiers = [MarginTier(t.above_usd, t.initial / 100, t.maintenance / 100) for t in tiers]
        found.notes.append(f"markets.{name}: margins in percent, since one is above 1")
    for tier in tiers:
        if not 0 < tier.maintenance < tier.initial <= 1:
            what = f"margins {tier.initial:g} and {tier.maintenance:g} are out of order"
            hint = "Give 0 < maintenance < initial, both as shares or both in percent"
            raise SurgetankError(what, place=where, hint=hint)
    if tiers[0].above_usd != 0 or any(
        b.above_usd <= a.above_usd for a, b in itertools.pairwise(tiers)
    ):
        hint = "Begin at 0 and let `above_usd` rise"
        raise SurgetankError("tiers are not ascending from 0", place=where, hint=hint)
    found.tiers[name] = tuple(tiers)


def _account(account: Mapping[str, Any], place: str, found: Draft) -> None:
    _no_other(account, _ACCOUNT, place)
    owner, mode = str(account.get("account", "")), account.get("mode", "cross")
    if not owner:
        raise SurgetankError("`account` is missing", place=place, hint="Name the account")
    if mode not in _MODES:
        raise SurgetankError(f"no mode {mode!r}", place=place, hint="Give cross or isolated")
    positions = objects(account.get("positions", []), f"{place}.positions")
    isolated = mode == "isolated"
    if isolated and len(positions) != 1:
        hint = "Give an isolated position an account entry of its own"
        raise SurgetankError(
            f"an isolated account with {len(positions)} positions", place=place, hint=hint
        )
    for i, position in enumerate(positions):
        where = f"{place}.positions[{i}]"
        _no_other(position, _POSITION, where)
        market = str(position.get("market", ""))
        if not market:
            raise SurgetankError("`market` is missing", place=where, hint="Name the market")
        size = number_at(position, "size", where)
        entry = cell_number(position.get("entry_price"), where, "entry_price")
        mark = cell_number(position.get("mark_price"), where, "mark_price")
        found.held.append(Held(where, owner, isolated, market, size, entry, mark))
    unit = owner, str(positions[0]["market"]) if isolated else ""
    if unit in found.cash or unit in found.equity:
        hint = "Join the two, or give them different names"
        raise SurgetankError(f"account {owner} is there twice", place=place, hint=hint)
    if account.get("equity") is not None:
        found.equity[unit] = number_at(account, "equity", place)
    else:
        found.cash[unit] = number_at(account, "collateral", place)
        if found.cash[unit] < 0:
            hint = "Give its equity (collateral and unrealised profit) under `equity`"
            raise SurgetankError("`collateral` is negative", place=place, hint=hint)
    for asset, held in _mapping(account.get("assets", {}), f"{place}.assets").items():
        where = f"{place}.assets.{asset}"
        of = held if isinstance(held, Mapping) else {"amount": held}
        found.assets.setdefault(unit, {})[str(asset)] = number_at(of, "amount", where)
        if of.get("price_usd") is not None:
            found.prices[str(asset)] = number_at(of, "price_usd", where)
