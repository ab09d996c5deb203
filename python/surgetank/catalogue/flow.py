"""Flow: what was offered, executed, refused, lost, delivered, and how far it spread."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.families import CLASS, RESOURCE
from surgetank.catalogue.spec import Better, MeasureSpec

__all__ = ["MEASURES"]

_COUNT: Final = "counted in the table `messages`"
_WILSON: Final = "share; ends: Wilson, JASA 22, 1927"
#: The percentage of the name is of the nodes; over messages it is the median.
_REACH: Final = "median over messages: Kaplan and Meier, JASA 53, 1958"

MEASURES: Final = (
    MeasureSpec(
        "offered_per_s",
        "1/s",
        Better.NEITHER,
        "Offered load",
        "client messages that clients intended to send per second",
        _COUNT,
    ),
    MeasureSpec(
        "throughput_per_s",
        "1/s",
        Better.MORE,
        "Throughput",
        "client messages executed per second",
        _COUNT,
    ),
    MeasureSpec(
        "goodput_ratio",
        "share",
        Better.MORE,
        "Goodput",
        "1 less what was refused, lost or added to the backlog, each over what was offered in the "
        "window",
        "ratio; ends: Cochran, Sampling Techniques, 3rd ed., 1977, §6.3",
        short="goodput",
    ),
    MeasureSpec(
        "executed_share",
        "share",
        Better.MORE,
        "Share of messages executed",
        "share of offered messages that were executed by the end of the run",
        _WILSON,
        short="executed",
    ),
    MeasureSpec(
        "refused_share",
        "share",
        Better.LESS,
        "Refused messages",
        "share of offered messages that were finally refused",
        _WILSON,
    ),
    MeasureSpec(
        "lost_share",
        "share",
        Better.LESS,
        "Lost messages",
        "share of offered messages that were finally lost",
        _WILSON,
    ),
    MeasureSpec(
        "propagation_p50_ms",
        "ms",
        Better.LESS,
        "Time to half of the nodes",
        "median time from admission until 50% of the nodes had the message",
        _REACH,
        quantile=0.5,
    ),
    MeasureSpec(
        "propagation_p99_ms",
        "ms",
        Better.LESS,
        "Time to 99 % of the nodes",
        "median time from admission until 99% of the nodes had the message",
        _REACH,
        quantile=0.5,
    ),
    MeasureSpec(
        "propagation_full_ms",
        "ms",
        Better.LESS,
        "Time to every node",
        "median time from admission until 100% of the nodes had the message",
        _REACH,
        quantile=0.5,
    ),
    MeasureSpec(
        "delivered_share",
        "share",
        Better.MORE,
        "Messages that reached every node",
        "share of messages that reached every node",
        _WILSON,
    ),
    MeasureSpec(
        "duplicates_per_message",
        "1",
        Better.LESS,
        "Duplicate copies",
        "copies a node received of a message beyond the first",
        "copies over first arrivals, counted in the run's stats",
    ),
    MeasureSpec(
        "duplicates_share",
        "share",
        Better.LESS,
        "Delivered more than once",
        "share of delivered messages delivered more than once to one subscriber",
        _WILSON,
        short="duplicates",
        family=CLASS,
    ),
    MeasureSpec(
        "reordered_share",
        "share",
        Better.LESS,
        "Reordered within an account",
        "share of delivered messages that arrived after a later message of the same account",
        "RFC 4737, Type-P-Reordered",
        short="reordered",
        family=CLASS,
    ),
    MeasureSpec(
        "refused_count",
        "count",
        Better.LESS,
        "Refused by the target",
        "messages that the target refused",
        _COUNT,
        short="refused",
        family=CLASS,
    ),
    MeasureSpec(
        "timed_out_count",
        "count",
        Better.LESS,
        "Timed out",
        "messages without an answer, and never delivered",
        _COUNT,
        short="timed out",
        family=CLASS,
    ),
    MeasureSpec(
        "disconnected_count",
        "count",
        Better.LESS,
        "Connection ended",
        "messages whose connection ended before an answer",
        _COUNT,
        short="disconnected",
        family=CLASS,
    ),
    MeasureSpec(
        "not_sent_count",
        "count",
        Better.LESS,
        "Not sent: too many unanswered",
        "messages that were due while too many were unanswered",
        _COUNT,
        short="not sent",
        family=CLASS,
    ),
    MeasureSpec(
        "acknowledged_lost_count",
        "count",
        Better.LESS,
        "Acknowledged and lost",
        "messages that the target acknowledged and did not deliver",
        _COUNT,
        short="acknowledged, lost",
        family=CLASS,
    ),
    MeasureSpec(
        "saturation",
        "share",
        Better.LESS,
        "Saturation",
        "use from 0 to 1: {of}",
        "busy time over time, or how full (surgetank.measure.saturation)",
        family=RESOURCE,
        alone=False,
    ),
)
