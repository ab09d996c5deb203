"""Snapshots of dYdX v4: answers of its indexer to `/addresses/{address}` and
`/addresses/{address}/subaccountNumber/{number}`, one or many (a list, or JSON lines).

- `size` is in coins and signed, or with `side`; a subaccount is in cross mode.
- `unrealizedPnl` is at the oracle price: mark = entryPrice + unrealizedPnl / size.
- `equity` is the subaccount's equity at the oracle prices.

Source: docs.dydx.xyz, "Indexer API: accounts" (SubaccountResponseObject).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surgetank.errors import SurgetankError
from surgetank.positions.document import number_at
from surgetank.positions.draft import Draft, Held

__all__ = ["draft_of", "is_of"]


def is_of(content: Any) -> bool:
    """Whether the document is such a snapshot."""
    return any(True for _ in _subaccounts(content, ""))


def draft_of(content: Any, place: str) -> Draft:
    """What the snapshot says.

    Raises:
        SurgetankError: naming the subaccount and key that is missing or no number.
    """
    found = Draft(place)
    found.notes.append(
        "dYdX v4 subaccounts: `size` in coins, mark = entryPrice + unrealizedPnl / size, equity as "
        "given"
    )
    for where, sub in _subaccounts(content, place):
        address, number = sub.get("address", ""), sub.get("subaccountNumber", 0)
        owner = f"{address}/{number}" if address else f"subaccount-{number}"
        if (owner, "") in found.equity:
            hint = "Keep one answer of each subaccount"
            raise SurgetankError(f"subaccount {owner} is there twice", place=where, hint=hint)
        found.equity[owner, ""] = number_at(sub, "equity", where)
        positions = sub["openPerpetualPositions"]
        if not isinstance(positions, Mapping):
            hint = "Take the answer again"
            raise SurgetankError("must be an object", place=where, hint=hint)
        for name, one in positions.items():
            _position(owner, str(name), one, f"{where}.openPerpetualPositions.{name}", found)
    return found


def _subaccounts(content: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, subaccount) of every one in the document."""
    if isinstance(content, list):
        for i, one in enumerate(content):
            yield from _subaccounts(one, f"{place}[{i}]")
    elif isinstance(content, Mapping):
        if "openPerpetualPositions" in content:
            yield place, content
            return
        for key in ("subaccount", "subaccounts", "childSubaccounts"):
            if key in content:
                yield from _subaccounts(content[key], f"{place}.{key}")


def _position(owner: str, name: str, one: Any, place: str, found: Draft) -> None:
    if not isinstance(one, Mapping):
        raise SurgetankError("must be an object", place=place, hint="Take the answer again")
    size = abs(number_at(one, "size", place))
    side = str(one.get("side", "")).upper()
    short = side == "SHORT" or (not side and number_at(one, "size", place) < 0)
    size = -size if short else size
    entry = number_at(one, "entryPrice", place)
    profit = one.get("unrealizedPnl")
    mark = entry + number_at(one, "unrealizedPnl", place) / size if profit and size else None
    market = str(one.get("market", name))
    found.held.append(Held(place, owner, False, market, size, entry, mark))
