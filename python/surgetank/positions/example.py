"""Example books of made-up accounts, for documents, tests and first steps.

Notionals are log-normal with a Pareto tail, as sizes on public venues are heavy-tailed; leverage is
log-uniform; the price at which a position was entered lies a few percent around the mark. They are
of no client.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.positions.position_book import BookMarket, MarginAccount, MarginTier, PositionBook

__all__ = ["example_book"]

#: Markets with their marks, and the share of positions in each.
_MARKETS: Final = (("BTC", 65_000.0, 0.5), ("ETH", 3_200.0, 0.3), ("SOL", 150.0, 0.2))
#: Of the logarithm of a notional in USD: median 3,000 USD.
_MEDIAN_USD: Final = 3_000.0
_SIGMA: Final = 1.6
#: The largest accounts: one in a hundred is Pareto from 250,000 USD.
_WHALES: Final = 0.01
_WHALE_USD: Final = 250_000.0
_TAIL: Final = 1.5
_LONG: Final = 0.58
_LEVERAGE: Final = (1.5, 35.0)
_ENTRY_SD: Final = 0.04
_ISOLATED: Final = 0.2
_TIER: Final = MarginTier(0.0, 0.02, 0.01)


def example_book(accounts: int, *, seed: int = 1, markets: int = 1) -> PositionBook:
    """A book of so many made-up accounts in the first one to three of BTC, ETH and SOL.

    Every account has a position in one market; one in four has a second one where there are
    several. Equal arguments give equal books.

    Raises:
        SurgetankError: a number is out of bounds.
    """
    if not 1 <= accounts <= 1_000_000:
        hint = "Give a number from 1 to 1,000,000"
        raise SurgetankError(f"{accounts:,} accounts", place="--example", hint=hint)
    if not 1 <= markets <= len(_MARKETS):
        hint = f"Give a number from 1 to {len(_MARKETS)}"
        raise SurgetankError(f"{markets} markets", place="--markets", hint=hint)
    draws = np.random.default_rng(seed)
    chosen = _MARKETS[:markets]
    names = tuple(BookMarket(name, mark, (_TIER,)) for name, mark, _ in chosen)
    weights = np.array([weight for _, _, weight in chosen])
    rows: list[tuple[int, int, float, float]] = []
    made: list[MarginAccount] = []
    for i in range(accounts):
        first = int(draws.choice(markets, p=weights / weights.sum()))
        held = [first]
        if markets > 1 and draws.random() < 0.25:
            held.append((first + 1) % markets)
        isolated = len(held) == 1 and draws.random() < _ISOLATED
        leverage = float(np.exp(draws.uniform(*np.log(_LEVERAGE))))
        gross = 0.0
        for market in held:
            usd = _notional(draws)
            mark = names[market].mark_usd
            size = float(f"{usd / mark * (1 if draws.random() < _LONG else -1):.6g}")
            entry = float(f"{mark * np.exp(draws.normal(0.0, _ENTRY_SD)):.6g}")
            rows.append((i, market, size, entry))
            gross += abs(size) * mark
        equity = round(gross / leverage, 2)
        made.append(MarginAccount(f"a{i + 1:06d}", names[first].name if isolated else "", equity))
    return PositionBook(
        markets=names,
        accounts=tuple(made),
        position_account=np.array([row[0] for row in rows], dtype=np.int64),
        position_market=np.array([row[1] for row in rows], dtype=np.int64),
        position_size=np.array([row[2] for row in rows], dtype=np.float64),
        position_entry_usd=np.array([row[3] for row in rows], dtype=np.float64),
        insurance_usd=round(0.005 * sum(abs(r[2]) * names[r[1]].mark_usd for r in rows), 2),
        notes=(f"an example: {accounts:,} made-up accounts, seed {seed}",),
    )


def _notional(draws: np.random.Generator) -> float:
    if draws.random() < _WHALES:
        return float(_WHALE_USD * (1.0 + draws.pareto(_TAIL)))
    return float(_MEDIAN_USD * np.exp(_SIGMA * draws.normal()))
