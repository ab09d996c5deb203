"""What a league can be ranked by, and which measures it shows first.

A league is ranked by a measure of its runs or by a line that searches found; names, titles, units
and directions are those of the catalogue.
"""

from __future__ import annotations

from typing import Final

from surgetank.catalogue import LINES, MEASURES, Better, short_of, title_of

__all__ = ["SHOWN", "better", "default_rank", "head", "rising", "short", "unit_of"]

SHOWN: Final = (
    "liquidation_delay_p99_ms",
    "delay_p99_ms.liquidation-order",
    "delay_p99_ms.cancel",
    "delay_p99_ms.order",
    "delay_p99_ms.replace",
    "delay_p99_ms.price-update",
    "delay_p99_ms",
    "executed_share",
    "attacker_gain_usd",
    "others_loss_usd",
    "bad_debt_usd",
    "inversions_receive",
    "inversions_send",
    "fairness_violations",
    "condorcet_cycle_rate",
    "rank_error",
    "delay_gini",
    "account_share_max",
)
"""In the order in which they are shown; those that no run has are left out."""

#: By which a league is ranked unless it is told otherwise: the first that any run has.
#: From due, and not from when a keeper sent: a rule that holds prices back makes keepers send late.
_RANKS: Final = ("liquidation_delay_p99_ms", "delay_p99_ms.cancel", "delay_p99_ms")


def better(name: str) -> Better:
    """Which way a measure or a line is better."""
    return Better.MORE if name in LINES else MEASURES[name].better


def rising(name: str) -> bool:
    """Whether more of a measure or a line is better."""
    return better(name) is Better.MORE


def unit_of(name: str) -> str:
    """The unit of a measure or a line."""
    return LINES[name].unit if name in LINES else MEASURES[name].unit


def head(name: str) -> str:
    """The title of a measure or a line."""
    return LINES[name].title if name in LINES else title_of(name)


def short(name: str) -> str:
    """Of a measure or a line, for the head of a column."""
    return LINES[name].short if name in LINES else short_of(name)


def default_rank(names: set[str]) -> str:
    """The measure that ranks a league of which these were measured."""
    return next((name for name in _RANKS if name in names), _RANKS[-1])
