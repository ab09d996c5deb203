"""Numbers and names as a person says them: 340 ms, 1.2 s, $1.2 M, 28.6 %."""

from __future__ import annotations

import math
from typing import Final

from surgetank.measure import FailureKind, Measure

__all__ = [
    "FAILURES",
    "NBSP",
    "clock",
    "interval",
    "milliseconds",
    "number",
    "said",
    "share",
    "shown_unit",
    "title",
    "usd",
    "value",
]

NBSP: Final = "\u00a0"
"""Keeps a number and its unit on one line."""

FAILURES: Final = {
    FailureKind.TRAILING: "nodes trailed the first",
    FailureKind.DOWN: "nodes were down",
    FailureKind.CUT_OFF: "nodes were cut off from a quorum",
    FailureKind.STANDSTILL: "nobody executed anything",
    FailureKind.STALE: "the executed state was stale",
}
"""What happened, by kind of failure."""

_TITLES: Final = {
    "delay_p50": "Median delay",
    "delay_p99": "p99 delay",
    "delay_p999": "p99.9 delay",
    "delay_mean": "Mean delay",
    "stage_mean": "Mean stage delay",
    "stage_p99": "p99 stage delay",
    "wait_share": "Share of delay waiting for",
    "wait_mean": "Mean time waiting for",
    "late_wait_share": "Late liquidations: share waiting for",
    "computation_share": "Share of delay waiting for processors",
    "offered_per_s": "Offered load",
    "throughput_per_s": "Throughput",
    "goodput_ratio": "Goodput (offered less refused, lost and backlog)",
    "backlog_growth": "Growth of the backlog",
    "backlog_growth_sent": "Growth of the target's own backlog",
    "refused_share": "Refused messages",
    "lost_share": "Lost messages",
    "jitter_p99_min": "Jitter, p99 − min",
    "jitter_sd": "Jitter, standard deviation",
    "jitter_rfc3550": "Jitter, RFC 3550",
    "desynchronised_share": "Nodes out of step at once",
    "desynchronised_node_seconds": "Node-seconds out of step",
    "fault_budget_left": "Fault budget left, at worst",
    "half_budget": "Time with half of the fault budget used up",
    "systemic_desync": "Time with all of the fault budget used up",
    "standstill": "Time at a standstill",
    "stale": "Time in which the state was stale",
    "state_age_p50": "Time the state lacks news, median",
    "state_age_p99": "Time the state lacks news, p99",
    "state_age_max": "Time the state lacks news, longest",
    "view_divergence_share": "Divergence of view",
    "view_lag_max": "Longest time a node lacked a known message",
    "lag_max": "Longest lag of a node",
    "block_interval_p50": "Median block interval",
    "rounds_mean": "Rounds per block",
    "propagation_p50": "Time to half of the nodes",
    "propagation_p99": "Time to 99 % of the nodes",
    "propagation_full": "Time to every node",
    "delivered_share": "Messages that reached every node",
    "duplicates_per_message": "Copies beyond the first",
    "inversions_send": "Pairs executed against the order of sending",
    "inversions_receive": "Pairs executed against the order of receipt",
    "rank_error": "Places between receipt and execution",
    "fairness_violations": "Violations of γ-batch-order-fairness",
    "condorcet_cycle_rate": "Blocks with a Condorcet cycle",
    "condorcet_share": "Messages in a Condorcet cycle",
    "fair_cycle_share": "Messages in a cycle of the fair order",
    "fair_unplaced_share": "Messages without a place in the fair order",
    "fair_forced_pairs": "Pairs that the fair order forced",
    "fair_order_breaks": "Messages against the signed reports",
    "fair_forged_reports": "Forged reports",
    "delay_gini": "Gini of the accounts' mean delays",
    "account_share": "Block space of the largest account",
    "block_share": "Block space",
    "staleness_p50": "Age of the oracle price, median",
    "staleness_p99": "Age of the oracle price, p99",
    "liquidations": "Liquidations",
    "liquidations_parts": "Liquidations, further parts",
    "liquidations_empty": "Liquidation orders that found nobody",
    "liquidations_not_due": "Liquidations of accounts not due outside",
    "due": "Accounts that became due",
    "due_liquidated": "Due and liquidated",
    "due_recovered": "Due and recovered",
    "late_liquidations": "Late liquidations",
    "late_share": "Share of liquidations late",
    "liquidation_delay_p50": "Liquidation delay, median",
    "liquidation_delay_p99": "Liquidation delay, p99",
    "unliquidated": "Due and never closed",
    "bad_debt_usd": "Bad debt",
    "insurance_drawn_usd": "Insurance drawn",
    "deleveraged_usd": "Deleveraged notional",
    "branching_ratio": "Liquidations caused by one",
    "cascades": "Cascades",
    "cascade_size": "Largest cascade",
    "cascade_generations": "Longest chain of causes",
    "shortfall_bp_mean": "Implementation shortfall of orders",
    "shortfall_delay_bp_mean": "Shortfall by delay",
    "shortfall_execution_bp_mean": "Shortfall by execution",
    "failed_trades_share": "Orders that traded nothing",
    "opportunity_bp_mean": "Opportunity cost of what did not trade",
    "slippage_bp_mean": "Liquidation slippage, mean",
    "mispricing_bp_mean": "Distance of trades from the outside price",
    "saturation": "Saturation",
    "ack_p50": "Acknowledgement, median",
    "ack_p99": "Acknowledgement, p99",
    "duplicates_share": "Delivered more than once",
    "reordered_share": "Reordered within an account",
    "refused_count": "Refused by the target",
    "timed_out_count": "Timed out",
    "disconnected_count": "Connection ended",
    "not_sent_count": "Not sent: too many unanswered",
    "acknowledged_lost_count": "Acknowledged and lost",
    "schedule_kept": "Schedule kept",
    "target_code": "The target's own code",
    "attacker_gain_usd": "Attacker's gain",
    "attacker_cost_usd": "Attacker's costs",
    "attacker_from_usd": "Attacker took from",
    "attacker_capital_usd": "Attacker's capital",
    "others_loss_usd": "What the attacker took",
    "makers_edge_usd": "Makers' trades against the outside price",
    "traders_edge_usd": "Background traders' trades against the outside price",
    "leveraged_edge_usd": "Leveraged accounts' trades against the outside price",
    "ledger_usd": "Gained or lost",
    "ledger_balanced": "Gains and losses balance",
    "money_conserved": "Money conserved",
    "safety": "One order on all nodes",
    "stages_exact": "Stages sum to the delay",
    "background": "Load generated as asked",
    "complete": "Run complete",
}


def title(name: str) -> str:
    """A reader's name for a measure, a limit or a check of the run."""
    head, _, tail = name.partition(".")
    for suffix in ("", "_max", "_min", "_ms_max", "_ms_min", "_s_max", "_ms", "_s"):
        stem = head.removesuffix(suffix) if suffix else head
        if head.endswith(suffix) and stem in _TITLES:
            words = tail.replace("_", " ")
            return f"{_TITLES[stem]} · {words}" if tail else _TITLES[stem]
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def number(x: float) -> str:
    """About three significant digits, thousands with a comma."""
    if not math.isfinite(x):
        return _endless(x)
    size = abs(x)
    if size >= 1000 or x == int(x):
        return _minus(f"{x:,.0f}")
    return _minus(f"{x:.1f}" if size >= 100 else f"{x:.3g}")


def _endless(x: float) -> str:
    """A number that is not finite."""
    if math.isnan(x):
        return "not known"
    return "∞" if x > 0 else "−∞"


def milliseconds(ms: float) -> str:
    """A length of time given in ms: 850 µs, 340 ms, 1.2 s, 2 min 5 s; infinite: `never`."""
    return _milliseconds(ms).replace(" ", NBSP)


def _milliseconds(ms: float) -> str:
    if not math.isfinite(ms):
        return "never"
    size = abs(ms)
    if size < 1e-3:
        return "0 ms" if ms == 0 else "< 1 µs"
    if size < 0.9995:
        return _minus(f"{ms * 1e3:.3g} µs")
    if size < 9.95:
        return _minus(f"{ms:.2g} ms")
    if size < 999.5:
        return _minus(f"{ms:.0f} ms")
    if size < 99_950:
        return _minus(f"{ms / 1e3:.1f} s".replace(".0 s", " s"))
    minutes, seconds = divmod(round(size / 1e3), 60)
    text = f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"−{text}" if ms < 0 else text


def clock(ns: float) -> str:
    """A moment of the run, in seconds since its start."""
    return f"{ns / 1e9:.1f}{NBSP}s"


def usd(x: float) -> str:
    """$950, $12.4 k, $1.2 M, $3 B."""
    if not math.isfinite(x):
        return _endless(x)
    size, sign = abs(x), "−" if x < 0 else ""
    for bound, divisor, unit in ((999.5e6, 1e9, "B"), (999.5e3, 1e6, "M"), (9_999.5, 1e3, "k")):
        if size >= bound:
            scaled = size / divisor
            digits = f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0")
            return f"{sign}${digits}{NBSP}{unit}"
    return f"{sign}${size:,.0f}" if size >= 100 or size == int(size) else f"{sign}${size:.2f}"


def share(x: float) -> str:
    """A share as a percentage."""
    if not math.isfinite(x):
        return _endless(x)
    percent = 100 * x
    if percent and abs(percent) < 0.1:
        return f"{percent:.2g}{NBSP}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{NBSP}%"


def value(x: float | None, unit: str) -> str:
    """A number of a measure with its unit."""
    if x is None or math.isnan(x):
        return "not measured"
    if math.isinf(x):
        return number(x)
    if unit == "ms":
        return milliseconds(x)
    if unit == "s":
        return milliseconds(1e3 * x)
    if unit == "USD":
        return usd(x)
    if unit == "share":
        return share(x)
    if unit == "1/s":
        return f"{number(x)}{NBSP}/s"
    return f"{number(x)}{NBSP}{unit}" if unit not in ("1", "count", "") else number(x)


def said(measure: Measure) -> str:
    """The value of a measure."""
    return value(measure.value, shown_unit(measure))


def shown_unit(measure: Measure) -> str:
    """The unit, with `share` for what reads best as a percentage."""
    if measure.unit == "1" and any(
        w in measure.name for w in ("share", "ratio", "inversions", "violations", "cycle_rate")
    ):
        return "share"
    return measure.unit


def interval(measure: Measure) -> str:
    """The 95 % interval, or nothing."""
    if measure.low is None or measure.high is None:
        return ""
    unit = shown_unit(measure)
    return f"{value(measure.low, unit)} – {value(measure.high, unit)}"


def _minus(text: str) -> str:
    return text.replace("-", "−")
