"""Snapshots of Hyperliquid: answers of its info endpoint to `clearinghouseState`.

One answer, or many: a list or JSON lines of objects with `user` and the answer's keys (or the
answer under `clearinghouseState`), or an object of answers by address. Answers without an address
are accounts by their number.

- `szi` is the signed size in coins, `positionValue` its notional at the mark: their ratio is the
  mark.
- A cross account's equity is `crossMarginSummary.accountValue`.
- An isolated position is backed by its quote balance `leverage.rawUsd`: equity = rawUsd + szi·mark;
  where that is missing, by `marginUsed`, which for an isolated position is its equity.

Source: hyperliquid.gitbook.io, "Info endpoint: perpetuals", user's perpetuals account summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surgetank.errors import SurgetankError
from surgetank.positions.document import number_at, objects
from surgetank.positions.draft import Draft, Held

__all__ = ["draft_of", "is_of"]


def is_of(content: Any) -> bool:
    """Whether the document is such a snapshot."""
    return any(True for _ in _answers(content, ""))


def draft_of(content: Any, place: str) -> Draft:
    """What the snapshot says.

    Raises:
        SurgetankError: naming the account and key that is missing or no number.
    """
    found = Draft(place)
    found.notes.append(
        "Hyperliquid clearinghouseState: `szi` in coins, mark = positionValue / szi, equity = "
        "accountValue"
    )
    for named, where, answer in _answers(content, place):
        # An answer does not say whose it is.
        owner = named or "account-1"
        if (owner, "") in found.equity:
            hint = "Keep one answer of each account"
            raise SurgetankError(f"account {owner} is there twice", place=where, hint=hint)
        summary = answer.get("crossMarginSummary", answer.get("marginSummary"))
        if not isinstance(summary, Mapping):
            hint = "Take the whole answer of the endpoint"
            raise SurgetankError("`crossMarginSummary` is missing", place=where, hint=hint)
        found.equity[owner, ""] = number_at(summary, "accountValue", where)
        for i, one in enumerate(objects(answer["assetPositions"], f"{where}.assetPositions")):
            _position(owner, one.get("position", one), f"{where}.assetPositions[{i}]", found)
    return found


def _answers(content: Any, place: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(account, place, answer) of every answer in the document."""
    if isinstance(content, list):
        for i, one in enumerate(content):
            for owner, where, answer in _answers(one, f"{place}[{i}]"):
                yield owner or f"account-{i + 1}", where, answer
    elif isinstance(content, Mapping):
        state = content.get("clearinghouseState", content)
        if _is_answer(state):
            named = content.get("user", content.get("subAccountUser", content.get("address", "")))
            yield str(named or ""), place, state
            return
        for key, one in content.items():
            if _is_answer(one) or (isinstance(one, Mapping) and "clearinghouseState" in one):
                for owner, where, answer in _answers(one, f"{place}: {key}"):
                    yield owner or str(key), where, answer


def _is_answer(content: Any) -> bool:
    # A subaccount of dYdX has `assetPositions` too, as an object.
    return isinstance(content, Mapping) and isinstance(content.get("assetPositions"), list)


def _position(owner: str, one: Any, place: str, found: Draft) -> None:
    if not isinstance(one, Mapping):
        raise SurgetankError("must be an object", place=place, hint="Take the answer again")
    size, coin = number_at(one, "szi", place), str(one.get("coin", ""))
    if not coin:
        raise SurgetankError("`coin` is missing", place=place, hint="Take the answer again")
    leverage = one.get("leverage")
    of = leverage if isinstance(leverage, Mapping) else {}
    isolated = of.get("type") == "isolated"
    mark = abs(number_at(one, "positionValue", place) / size) if size else None
    entry = number_at(one, "entryPx", place) if one.get("entryPx") is not None else None
    found.held.append(Held(place, owner, isolated, coin, size, entry, mark))
    if isolated:
        raw = of.get("rawUsd")
        equity = (
            number_at(one, "marginUsed", place)
            if raw is None
            else number_at(of, "rawUsd", place) + size * (mark or 0.0)
        )
        found.equity[owner, coin] = equity
