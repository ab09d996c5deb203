"""Synchrony: nodes out of step, the fault budget, standstill, stale state, blocks."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.families import CLASS
from surgetank.catalogue.spec import Better, MeasureSpec

__all__ = ["MEASURES"]

_STATES: Final = "docs/failure-threshold.md"
_OVER_TIME: Final = (
    "quantile over time of the age of information (Kaul, Yates and Gruteser, INFOCOM 2012) less "
    "the time without news"
)

MEASURES: Final = (
    MeasureSpec(
        "desynchronised_share_max",
        "share",
        Better.LESS,
        "Nodes out of step at once",
        "largest share of weight out of step at one time",
        _STATES,
    ),
    MeasureSpec(
        "desynchronised_node_seconds",
        "s",
        Better.LESS,
        "Node-seconds out of step",
        "time out of step, summed over nodes",
        _STATES,
    ),
    MeasureSpec(
        "fault_budget_left",
        "1",
        Better.MORE,
        "Least fault budget left",
        "a third less the weight out of step",
        "Pease, Shostak and Lamport, JACM 27, 1980: fewer than a third may fail",
        signed=True,
    ),
    MeasureSpec(
        "half_budget_s",
        "s",
        Better.LESS,
        "Time with half of the fault budget used up",
        "time with half of the fault budget (a third of the weight) used up",
        _STATES,
    ),
    MeasureSpec(
        "systemic_desync_s",
        "s",
        Better.LESS,
        "Time with all of the fault budget used up",
        "time with all of the fault budget (a third of the weight) used up",
        _STATES,
    ),
    MeasureSpec(
        "standstill_s",
        "s",
        Better.LESS,
        "Time at a standstill",
        "time in which no node executed anything for over limits.lag_max_ms beyond the expected "
        "interval, though messages waited",
        _STATES,
    ),
    MeasureSpec(
        "lag_max_ms",
        "ms",
        Better.LESS,
        "Longest lag of a node",
        "longest time for which a node lacked a block that another had executed",
        _STATES,
    ),
    MeasureSpec(
        "view_divergence_share",
        "share",
        Better.LESS,
        "Divergence of view",
        "messages known and not yet executed that a node lacked, over all nodes and time",
        _STATES,
    ),
    MeasureSpec(
        "view_lag_max_ms",
        "ms",
        Better.LESS,
        "Longest time a node lacked a known message",
        "longest time for which a node lacked a message that another knew and no node had executed",
        _STATES,
    ),
    MeasureSpec(
        "stale_s",
        "s",
        Better.LESS,
        "Time in which the state was stale",
        "time in which the executed state lacked news of a class for over limits.stale_after_ms",
        _STATES,
    ),
    MeasureSpec(
        "state_age_p50_ms",
        "ms",
        Better.LESS,
        "Time the state lacks news, median",
        "the executed state lacked news of {of} for at most this long, half of the time",
        _OVER_TIME,
        quantile=0.5,
        family=CLASS,
        alone=False,
    ),
    MeasureSpec(
        "state_age_p99_ms",
        "ms",
        Better.LESS,
        "Time the state lacks news, p99",
        "the executed state lacked news of {of} for at most this long, 99% of the time",
        _OVER_TIME,
        quantile=0.99,
        family=CLASS,
        alone=False,
    ),
    MeasureSpec(
        "state_age_max_ms",
        "ms",
        Better.LESS,
        "Time the state lacks news, longest",
        "longest time for which the executed state lacked news of {of}",
        _OVER_TIME,
        family=CLASS,
        alone=False,
    ),
    MeasureSpec(
        "block_interval_p50_ms",
        "ms",
        Better.LESS,
        "Median block interval",
        "half of the blocks were decided at most this long after the last",
        "times of decision in the table `blocks`",
        quantile=0.5,
    ),
    MeasureSpec(
        "rounds_mean",
        "1",
        Better.LESS,
        "Rounds per block",
        "rounds that a height took to decide; 1 is the least",
        "mean of `round` + 1 in the table `blocks`",
    ),
    MeasureSpec(
        "equivocations",
        "count",
        Better.LESS,
        "Equivocations detected",
        "pairs of a round and a validator that made two different statements of one kind in it, "
        "of which an honest node received both",
        "Buchman, Kwon and Milosevic, arXiv 1807.04938: messages of Algorithm 1",
    ),
)
