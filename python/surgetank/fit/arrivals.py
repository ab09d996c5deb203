"""Arrival times of a recording's messages, made distinct where a recording has rounded or bundled
them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgetank.errors import SurgetankError
from surgetank.fit.hawkes import Events
from surgetank.number_format import counted, milliseconds
from surgetank.tape import TapeFile
from surgetank.tape.columns import CANCEL, ORDER, REPLACE

__all__ = ["LEAST", "Arrivals", "arrivals"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Fewest messages that a process is fitted to.
LEAST: Final = 200
#: Resolutions that are looked for, ns; finer than a millisecond makes no ties of its own.
_RESOLUTIONS: Final = (1_000_000_000, 100_000_000, 10_000_000, 1_000_000)
#: A bundle's messages are spread over at most this time before it, ns.
_BUNDLE_MAX_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Arrivals:
    """Messages of a recording: when, of which kind, and how large."""

    events: Events
    notes: list[str]
    mix: dict[str, float]
    """Share of each weight of `flow.mix`."""
    order_usd: float
    order_cv: float
    """Mean size of an order, USD, and its standard deviation over the mean."""
    distance_bp: float | None
    """Mean distance of a limit price from the price; None without limit orders."""


def arrivals(recording: TapeFile) -> Arrivals:
    """The messages as a process without two at one time.

    Trades of one side at one time are one taker's order. What is left at one time is spread evenly,
    by a fixed seed: over the resolution, where all times are whole seconds or milliseconds; else
    over the time since the last bundle, since a feed bundles what happened since then.

    Raises:
        SurgetankError: too few messages.
    """
    kept, notes = _orders(recording)
    times = recording.messages_ns[kept]
    if len(times) < LEAST:
        what = f"{len(times)} messages are too few to fit a process to"
        hint = f"Give a recording with at least {LEAST}"
        raise SurgetankError(what, place=recording.file, hint=hint)
    # From the first one on: nanoseconds since 1970 do not fit into a float.
    spread, resolution_ns, said = _spread(times - times[0])
    first = min(float(recording.began_ns - times[0]), float(spread[0]))
    last = max(float(recording.rows_ns[-1] - times[0]), float(spread[-1]))
    seconds = (spread - first) / 1e9
    # Strictly rising, as a process without ties is.
    seconds = np.maximum.accumulate(seconds + np.arange(len(seconds)) * 1e-12)
    events = Events(seconds, (last - first) / 1e9 + 1e-6, resolution_s=resolution_ns / 1e9)
    number, key = recording.messages_class[kept], recording.messages_key[kept]
    order = number == ORDER
    counts = {
        "limit": int((order & (key != 0)).sum()),
        "market": int((order & (key == 0)).sum()),
        "cancel": int((number == CANCEL).sum()),
        "replace": int((number == REPLACE).sum()),
    }
    sizes = (recording.messages_usd * recording.messages_qty)[kept][order]
    sizes = sizes[sizes > 0]
    return Arrivals(
        events=events,
        notes=notes + said,
        mix={name: count / len(times) for name, count in counts.items()},
        order_usd=float(sizes.mean()) if len(sizes) else 0.0,
        order_cv=float(sizes.std() / sizes.mean()) if len(sizes) else 0.0,
        distance_bp=_distance_bp(recording),
    )


def _orders(recording: TapeFile) -> tuple[NDArray[np.bool_], list[str]]:
    """Which messages are kept: of trades of one side at one time, the first."""
    times, side = recording.messages_ns, recording.messages_side
    trade = (recording.messages_class == ORDER) & (recording.messages_key == 0)
    kept = np.ones(len(times), dtype=np.bool_)
    at = np.flatnonzero(trade)
    same = (np.diff(times[at]) == 0) & (np.diff(side[at]) == 0)
    kept[at[1:][same]] = False
    dropped = int((~kept).sum())
    if not dropped:
        return kept, []
    total = len(at)
    return kept, [
        f"{total:,} trades are {total - dropped:,} orders: those of one side at one time are one"
    ]


def _spread(times: Ints) -> tuple[Floats, int, list[str]]:
    """Times without ties (ns), their resolution, and what was done."""
    draws = np.random.default_rng(1)
    resolution = next((ns for ns in _RESOLUTIONS if not (times % ns).any()), 1)
    tied = int((np.diff(times) == 0).sum())
    if resolution > 1:
        unit = milliseconds(resolution / 1e6)
        said = f"times are whole multiples of {unit}: spread evenly over it ({tied:,} ties)"
        return np.sort(times + draws.uniform(0.0, resolution, len(times))), resolution, [said]
    if not tied:
        return times.astype(np.float64), 1, []
    group = np.concatenate([[0], np.cumsum(np.diff(times) > 0)])
    size = np.bincount(group)
    ends = np.unique(times)
    bundle = np.flatnonzero(size > 1)
    width = np.zeros(len(ends))
    width[bundle] = np.minimum(np.diff(ends[bundle], prepend=ends[bundle[0]]), _BUNDLE_MAX_NS)
    offset = times - draws.uniform(0.0, 1.0, len(times)) * width[group]
    said = (
        f"{tied + len(bundle):,} messages came in {counted(len(bundle), 'bundle')}: "
        "spread evenly over the time since the bundle before"
    )
    return np.sort(offset), 1, [said]


def _distance_bp(recording: TapeFile) -> float | None:
    limit = (recording.messages_class == ORDER) & (recording.messages_key != 0)
    if not limit.any():
        return None
    at = np.searchsorted(recording.prices_ns, recording.messages_ns[limit], side="right") - 1
    price = recording.prices_usd[np.maximum(at, 0)]
    away = np.abs(recording.messages_usd[limit] / price - 1)
    return float(1e4 * away.mean())
