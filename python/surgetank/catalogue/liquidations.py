"""Liquidations: stale prices, lateness, bad debt, and cascades."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.spec import Better, MeasureSpec

__all__ = ["MEASURES"]

_FACTS: Final = "counted in the table `market`"
_KAPLAN_MEIER: Final = "Kaplan and Meier, JASA 53, 1958; ends: Woodruff, JASA 47, 1952"
_WILSON: Final = "share; ends: Wilson, JASA 22, 1927"
_TREES: Final = "trees of causes (Harris, The Theory of Branching Processes, 1963)"

MEASURES: Final = (
    MeasureSpec(
        "staleness_p50_ms",
        "ms",
        Better.LESS,
        "Age of the oracle price, median",
        "50% of trades and liquidations met an oracle price at most this old",
        _KAPLAN_MEIER,
        quantile=0.5,
    ),
    MeasureSpec(
        "staleness_p99_ms",
        "ms",
        Better.LESS,
        "Age of the oracle price, p99",
        "99% of trades and liquidations met an oracle price at most this old",
        _KAPLAN_MEIER,
        quantile=0.99,
    ),
    MeasureSpec(
        "liquidations",
        "count",
        Better.NEITHER,
        "Liquidations",
        "liquidation orders that closed a position, in part or whole",
        _FACTS,
    ),
    MeasureSpec(
        "liquidations_parts",
        "count",
        Better.NEITHER,
        "Liquidations, further parts",
        "of these, further parts of a due account",
        _FACTS,
    ),
    MeasureSpec(
        "liquidations_not_due",
        "count",
        Better.LESS,
        "Liquidations of accounts not due at the outside price",
        "liquidations of accounts due at the venue's mark and not at the outside price",
        _FACTS,
    ),
    MeasureSpec(
        "liquidations_empty",
        "count",
        Better.LESS,
        "Liquidation orders without a counterparty",
        "liquidation orders executed that found no counterparty",
        _FACTS,
    ),
    MeasureSpec(
        "due",
        "count",
        Better.NEITHER,
        "Accounts that became due",
        "times an account became due",
        _FACTS,
    ),
    MeasureSpec(
        "due_liquidated",
        "count",
        Better.NEITHER,
        "Due and liquidated",
        "of these, closed by the venue, in part or whole",
        _FACTS,
    ),
    MeasureSpec(
        "due_recovered",
        "count",
        Better.NEITHER,
        "Due and recovered",
        "of these, back above maintenance margin before anything was closed",
        _FACTS,
    ),
    MeasureSpec(
        "unliquidated",
        "count",
        Better.LESS,
        "Due and never closed",
        "due, and at the end of the run neither closed nor recovered",
        _FACTS,
    ),
    MeasureSpec(
        "late_liquidations",
        "count",
        Better.LESS,
        "Liquidations late or overdue",
        "due accounts not liquidated within market.margin.late_after_ms: later, or never",
        _FACTS,
    ),
    MeasureSpec(
        "late_share",
        "share",
        Better.LESS,
        "Share of liquidations late or overdue",
        "late and overdue ones among accounts that were liquidated or are overdue",
        _WILSON,
    ),
    MeasureSpec(
        "liquidation_delay_p50_ms",
        "ms",
        Better.LESS,
        "Median from due to liquidated",
        "50% of due accounts were liquidated at most this long after the price crossed",
        _KAPLAN_MEIER,
        short="due to liquidated p50",
        quantile=0.5,
    ),
    MeasureSpec(
        "liquidation_delay_p99_ms",
        "ms",
        Better.LESS,
        "p99 from due to liquidated",
        "99% of due accounts were liquidated at most this long after the price crossed",
        _KAPLAN_MEIER,
        short="due to liquidated p99",
        quantile=0.99,
    ),
    MeasureSpec(
        "liquidations_triggered",
        "count",
        Better.NEITHER,
        "Liquidations triggered",
        "times that an account had to be liquidated, in the window",
        _FACTS,
    ),
    MeasureSpec(
        "bad_debts",
        "count",
        Better.LESS,
        "Liquidations with bad debt",
        "liquidations triggered in the window that ended in bad debt",
        _FACTS,
    ),
    MeasureSpec(
        "bad_debt_share",
        "share",
        Better.LESS,
        "Share of liquidations with bad debt",
        "share of liquidations triggered that ended in bad debt",
        _WILSON,
    ),
    MeasureSpec(
        "branching_ratio",
        "1",
        Better.LESS,
        "Liquidations caused by one",
        "mean number of liquidations that one makes due",
        _TREES,
    ),
    MeasureSpec(
        "cascades",
        "count",
        Better.LESS,
        "Cascades",
        "liquidations that no other caused and that made others due",
        _TREES,
    ),
    MeasureSpec(
        "cascade_size_max",
        "count",
        Better.LESS,
        "Largest cascade",
        "liquidations in the largest cascade, the first included",
        _TREES,
    ),
    MeasureSpec(
        "cascade_generations_max",
        "count",
        Better.LESS,
        "Longest chain of causes",
        "longest chain of liquidations that made each other due",
        _TREES,
    ),
)
