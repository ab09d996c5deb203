"""The measures and thresholds by which a league can be ranked, and those that it shows first.

A league is ranked by a measure of its runs or by a threshold that searches found; names, titles,
units and directions are those of the catalogue.
"""

from __future__ import annotations

from typing import Final

from surgetank.catalogue import MEASURES, THRESHOLDS, Better, short_of, title_of

__all__ = ["SHOWN", "better", "default_rank", "measure_title", "rising", "short", "unit_of"]

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
"""Measures in the order in which they are shown; those that no run has are left out."""

#: The default measures that rank a league: the first that any run has. Counted from the due time,
#: not from the keeper's sending: a rule that delays prices makes keepers send late.
_RANKS: Final = ("liquidation_delay_p99_ms", "delay_p99_ms.cancel", "delay_p99_ms")


def better(name: str) -> Better:
    """The better direction of a measure or threshold."""
    return Better.MORE if name in THRESHOLDS else MEASURES[name].better


def rising(name: str) -> bool:
    """Whether more of a measure or threshold is better."""
    return better(name) is Better.MORE


def unit_of(name: str) -> str:
    """The unit of a measure or threshold."""
    return THRESHOLDS[name].unit if name in THRESHOLDS else MEASURES[name].unit


def measure_title(name: str) -> str:
    """The title of a measure or threshold."""
    return THRESHOLDS[name].title if name in THRESHOLDS else title_of(name)


def short(name: str) -> str:
    """The title of a measure or threshold for the head of a column."""
    return THRESHOLDS[name].short if name in THRESHOLDS else short_of(name)


def default_rank(names: set[str]) -> str:
    """The measure that ranks a league of which these were measured."""
    return next((name for name in _RANKS if name in names), _RANKS[-1])
