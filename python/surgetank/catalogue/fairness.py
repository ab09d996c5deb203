"""Fairness: the order of execution against sending and receipt, and between accounts."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.families import CLASS
from surgetank.catalogue.spec import Better, MeasureSpec

__all__ = ["MEASURES"]

_KENDALL: Final = "Kendall, Biometrika 30, 1938"
_THEMIS: Final = "Kelkar, Deb, Long, Juels and Kannan, Themis, CCS 2023"
_LEADER: Final = "counted by the leader that made the order"

MEASURES: Final = (
    MeasureSpec(
        "inversions_send",
        "share",
        Better.LESS,
        "Pairs executed against the order of sending",
        "share of pairs of messages executed against the order of sending",
        _KENDALL,
        short="inversions, sent",
    ),
    MeasureSpec(
        "inversions_receive",
        "share",
        Better.LESS,
        "Pairs executed against the order of receipt",
        "share of pairs of messages executed against the order of receipt",
        _KENDALL,
        short="inversions",
    ),
    MeasureSpec(
        "rank_error",
        "count",
        Better.LESS,
        "Places moved against the order of receipt",
        "mean number of places between the orders of execution and of receipt",
        "mean distance of ranks (Spearman's footrule over the number of messages)",
        short="rank error",
    ),
    MeasureSpec(
        "fairness_violations",
        "share",
        Better.LESS,
        "Violations of γ-batch-order fairness",
        "share of pairs that at least a share γ of the nodes received in one order and the blocks "
        "have "
        "in the other",
        _THEMIS,
        short="γ-violations",
    ),
    MeasureSpec(
        "condorcet_cycle_rate",
        "share",
        Better.LESS,
        "Blocks with a Condorcet cycle",
        "share of blocks with messages that majorities of nodes received in cyclic order",
        _THEMIS,
        short="cycles",
    ),
    MeasureSpec(
        "condorcet_share",
        "share",
        Better.LESS,
        "Messages in a Condorcet cycle",
        "share of messages in such a cycle: no order agrees with every majority",
        _THEMIS,
    ),
    MeasureSpec(
        "delay_gini",
        "1",
        Better.LESS,
        "Gini coefficient of accounts' mean latencies",
        "Gini coefficient of the accounts' mean latencies: 0 = all equal",
        "Karagiannis and Kovacevic, Oxford Bulletin of Economics and Statistics 62, 2000",
        short="Gini",
    ),
    MeasureSpec(
        "account_share_max",
        "share",
        Better.LESS,
        "Block space of the largest account",
        "largest share of the executed bytes that one account has",
        "sizes of executed messages",
        short="top account",
    ),
    MeasureSpec(
        "block_share",
        "share",
        Better.NEITHER,
        "Block space",
        "share of the executed bytes that were {of}",
        "sizes of executed messages",
        family=CLASS,
        alone=False,
    ),
    MeasureSpec(
        "fair_cycle_share",
        "share",
        Better.LESS,
        "Messages in a cycle of the fair order",
        "share of messages that the rule had to put into a batch of several",
        _LEADER,
    ),
    MeasureSpec(
        "fair_unplaced_share",
        "share",
        Better.LESS,
        "Messages without a place in the fair order",
        "share of messages that went without a place: too few reported them, or the leader had "
        "them too late",
        _LEADER,
    ),
    MeasureSpec(
        "fair_forced_pairs",
        "count",
        Better.LESS,
        "Pairs that the fair order forced",
        "pairs with too few votes in time, decided by the majority of those received",
        _LEADER,
    ),
    MeasureSpec(
        "fair_order_breaks",
        "count",
        Better.LESS,
        "Messages against the signed reports",
        "messages that the leader's blocks place contrary to the signed reports",
        "every leader's blocks, checked against the reports by the other nodes",
    ),
    MeasureSpec(
        "fair_forged_reports",
        "count",
        Better.LESS,
        "Forged reports",
        "reports that were not signed, or that rewrote what was stated before",
        _LEADER,
    ),
)
