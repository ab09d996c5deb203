"""The measures that a league shows first: their titles, units, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "FINDS_SHOWN",
    "NEUTRAL",
    "SHOWN",
    "Shown",
    "better",
    "default_rank",
    "rising",
    "shown_of",
    "unit_of",
]


@dataclass(frozen=True)
class Shown:
    """A measure of the table."""

    name: str
    title: str
    short: str
    """For a column's head."""


SHOWN: Final = (
    Shown("liquidation_delay_p99_ms", "p99 from due to liquidated", "due to liquidated p99"),
    Shown("delay_p99_ms.liquidation-order", "p99 delay of liquidation orders", "liquidation p99"),
    Shown("delay_p99_ms.cancel", "p99 delay of cancels", "cancel p99"),
    Shown("delay_p99_ms.order", "p99 delay of new orders", "order p99"),
    Shown("delay_p99_ms.replace", "p99 delay of replaces", "replace p99"),
    Shown("delay_p99_ms.price-update", "p99 delay of price updates", "price p99"),
    Shown("delay_p99_ms", "p99 delay of all messages", "p99"),
    Shown("executed_share", "Share of messages executed", "executed"),
    Shown("attacker_gain_usd", "What the attacker gains", "attacker gains"),
    Shown("others_loss_usd", "What the others lose", "others lose"),
    Shown("bad_debt_usd", "Bad debt", "bad debt"),
    Shown("inversions_receive", "Pairs executed against the order of receipt", "inversions"),
    Shown("inversions_send", "Pairs executed against the order of sending", "inversions, sent"),
    Shown("fairness_violations", "Violations of γ-batch-order fairness", "γ-violations"),
    Shown("condorcet_cycle_rate", "Blocks with a Condorcet cycle", "cycles"),
    Shown("rank_error", "Places moved against the order of receipt", "rank error"),
    Shown("delay_gini", "Gini coefficient of accounts' mean delays", "Gini"),
    Shown("account_share_max", "Block space of the largest account", "top account"),
)
"""In the order in which they are shown; those that no run has are left out."""

FINDS_SHOWN: Final = {
    "capacity": Shown("capacity", "Throughput capacity", "capacity"),
    "failure-threshold": Shown("failure-threshold", "Failure threshold", "failure threshold"),
    "safe-leverage": Shown("safe-leverage", "Safe leverage", "safe leverage"),
}
"""What a search finds."""

#: Of measures up to their first dot: more of these is better.
_RISING: Final = {
    "capacity",
    "delivered_share",
    "executed_share",
    "failure-threshold",
    "fault_budget_left",
    "goodput_ratio",
    "safe-leverage",
    "throughput_per_s",
}
#: Less of measures that begin so is better.
_FALLING: Final = (
    *("delay_", "stage_", "wait_mean_", "jitter_", "propagation_", "state_age_", "staleness_"),
    *("ack_", "liquidation_delay_", "block_interval_", "lag_", "view_", "backlog_growth"),
    *("refused_", "lost_", "timed_out_", "disconnected_", "not_sent_", "acknowledged_lost_"),
    *("duplicates_", "reordered_", "rounds_", "desynchronised_", "half_budget_", "systemic_"),
    *("standstill_", "stale_s", "saturation", "inversions_", "rank_error", "fairness_violations"),
    *("condorcet_", "fair_", "account_share_", "late_liquidations", "late_share", "unliquidated"),
    *("liquidations_empty", "liquidations_not_due", "bad_debt", "insurance_drawn_", "deleveraged_"),
    *("uncovered_loss_", "branching_ratio", "cascade", "shortfall_", "failed_trades_"),
    *("opportunity_", "slippage_", "mispricing_", "others_loss_", "attacker_gain_"),
    "attacker_from_",
)
NEUTRAL: Final = (
    *("wait_share", "late_wait_share", "computation_share", "block_share", "offered_per_s"),
    *("liquidations", "liquidations_parts", "liquidations_triggered"),
    *("due", "due_liquidated", "due_recovered", "attacker_cost_usd", "attacker_capital_usd"),
    *("makers_edge_usd", "traders_edge_usd", "leveraged_edge_usd", "ledger_usd"),
)
"""Measures up to their first dot that describe a run and do not judge it: a league cannot be ranked
by them. What one group gains another loses."""

#: By which a league is ranked unless it is told otherwise: the first that any run has.
#: From due, and not from when a keeper sent: a rule that holds prices back makes keepers send late.
_RANKS: Final = ("liquidation_delay_p99_ms", "delay_p99_ms.cancel", "delay_p99_ms")

_UNITS: Final = (("_per_s", "1/s"), ("_usd", "USD"), ("_ms", "ms"), ("_bp", "bp"), ("_s", "s"))
_SHARES: Final = {"share", "ratio", "rate", "inversions", "violations", "saturation"}


def better(name: str) -> Literal["more", "less", ""]:
    """Which way a measure is better; empty if it does not say, or is not known."""
    head = name.partition(".")[0]
    if head in _RISING:
        return "more"
    return "less" if head not in NEUTRAL and head.startswith(_FALLING) else ""


def rising(name: str) -> bool:
    """Whether more of a measure is better."""
    return better(name) == "more"


def unit_of(name: str) -> str:
    """The unit of a measure by its name: `ms`, `USD`, `share`, … or `1`."""
    head = name.partition(".")[0].removesuffix("_max").removesuffix("_mean")
    if name == "safe-leverage":
        return "×"
    if name in FINDS_SHOWN:
        return "1/s"
    found = next((unit for end, unit in _UNITS if head.endswith(end)), None)
    if found is not None:
        return found
    return "share" if _SHARES & set(head.split("_")) else "1"


def shown_of(name: str) -> Shown:
    """A measure as it is shown; one that is not among those shown first, by its own name."""
    known = {s.name: s for s in (*SHOWN, *FINDS_SHOWN.values())}
    return known.get(name, Shown(name, name, name))


def default_rank(names: set[str]) -> str:
    """The measure that ranks a league of which these were measured."""
    return next((name for name in _RANKS if name in names), _RANKS[-1])
