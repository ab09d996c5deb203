"""What a recording holds, before it is used: span, rates, gaps, moves, clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from surgetank.shown import Shown
from surgetank.tape.clock import of_day
from surgetank.tape.columns import CANCEL, ORDER, REPLACE
from surgetank.tape.recording import Floats, Ints, TapeFile

__all__ = ["Binned", "Gaps", "Inspection", "Lag", "Move", "RowRate", "inspect"]

_SECOND_NS: Final = 1_000_000_000
#: Windows in which the largest move is looked for, seconds.
MOVES_S: Final = (1.0, 60.0)
#: A gap is long beyond this many medians.
LONG: Final = 10.0
#: Points of the series that a figure draws.
POINTS: Final = 400


@dataclass(frozen=True)
class RowRate:
    """Rows or messages a second, of seconds from the recording's first row."""

    count: int
    mean: float
    p99: float
    """The 99th percentile of the counts of all seconds, those without any included."""
    peak: int
    peak_s: float
    """The second with most of them begins this long after the first row."""


@dataclass(frozen=True)
class Gaps:
    """Times between two rows of different times, seconds."""

    median_s: float
    longest_s: float
    longest_at_s: float
    long: int
    """How many are longer than `LONG` medians."""


@dataclass(frozen=True)
class Move:
    """The largest move of the price within a window."""

    window_s: float
    share: float
    """Relative change, signed."""
    at_s: float
    """When it was reached, seconds after the first row."""


@dataclass(frozen=True)
class Lag:
    """The recorder's clock less the exchange's, ms."""

    count: int
    median_ms: float
    p99_ms: float
    least_ms: float


@dataclass(frozen=True)
class Binned:
    """Prices and rows over the recording, in bins of equal length."""

    bin_s: float
    at_s: Floats
    """Begin of each bin, seconds."""
    low: Floats
    high: Floats
    """Lowest and highest price of each bin; the last one known where it has none."""
    rate: Floats
    """Rows a second, mean of each bin."""
    peak: Floats
    """Rows in the bin's busiest second (in the bin itself, if it is shorter)."""


@dataclass(frozen=True, repr=False)
class Inspection(Shown):
    """A recording in figures."""

    file: str
    format: str
    said: list[str]
    """How it was read, in sentences."""
    symbol: str
    hash: str
    """Hash of the whole recording as a tape: that of a run without `--tape-start` and the like."""
    began: str
    """First row, ISO 8601."""
    span_s: float
    kinds: Mapping[str, int]
    price_source: str
    prices: int
    first_usd: float
    last_usd: float
    low_usd: float
    high_usd: float
    messages: Mapping[str, int]
    """Messages that a run would send, by kind."""
    rows: RowRate
    sent: RowRate | None
    """RowRate of the messages that a run would send; None if there are none."""
    gaps: Gaps | None
    moves: list[Move]
    lag: Lag | None
    bar_s: float | None
    disordered: int
    """Rows whose time is before that of the row before them, and by how much at most."""
    disorder_s: float
    duplicates: int
    series: Binned

    def in_short(self) -> str:
        """File, format and span."""
        return f"{self.file}: {self.format}, {self.span_s:g} s from {self.began}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without the series that figures draw."""
        content = asdict(self)
        del content["series"]
        return content


def inspect(recording: TapeFile) -> Inspection:
    """Inspects a recording."""
    rows, prices, usd = recording.rows_ns, recording.prices_ns, recording.prices_usd
    first, last = int(min(rows[0], prices[0])), int(max(rows[-1], prices[-1]))
    sent = recording.messages_ns
    return Inspection(
        file=recording.file,
        format=recording.format,
        said=recording.said,
        symbol=recording.symbol,
        hash=recording.part().hash if last - first < 1e18 else "",
        began=of_day(first),
        span_s=(last - first) / 1e9,
        kinds=recording.kinds,
        price_source=recording.price_source,
        prices=len(prices),
        first_usd=float(usd[0]),
        last_usd=float(usd[-1]),
        low_usd=float(usd.min()),
        high_usd=float(usd.max()),
        messages=_messages(recording),
        rows=_rate(rows, first, last),
        sent=_rate(sent, first, last) if len(sent) else None,
        gaps=_gaps(rows, first),
        moves=[_move(prices, usd, window, first) for window in _windows(recording)],
        lag=_lag(recording.lags_ns),
        bar_s=None if recording.bar_ns is None else recording.bar_ns / 1e9,
        disordered=recording.steps.back,
        disorder_s=recording.steps.back_ns / 1e9,
        duplicates=recording.duplicates,
        series=_series(recording, first, last),
    )


def _messages(recording: TapeFile) -> dict[str, int]:
    number, key = recording.messages_class, recording.messages_key
    counts = {
        "market orders": int(((number == ORDER) & (key == 0)).sum()),
        "limit orders": int(((number == ORDER) & (key != 0)).sum()),
        "cancels": int((number == CANCEL).sum()),
        "replaces": int((number == REPLACE).sum()),
    }
    return {name: count for name, count in counts.items() if count}


def _rate(times: Ints, first: int, last: int) -> RowRate:
    """Counts of seconds. Those without any are not stored: a recording may be years long."""
    seconds, counts = np.unique((times - first) // _SECOND_NS, return_counts=True)
    total = max(1, -(-(last - first) // _SECOND_NS))
    ranked = np.sort(counts)
    # The 99th percentile of `total` counts, of which all but `len(counts)` are 0.
    place = int(np.ceil(0.99 * total)) - 1 - (total - len(counts))
    peak = int(counts.argmax())
    return RowRate(
        count=len(times),
        mean=len(times) / max((last - first) / 1e9, 1e-9),
        p99=float(ranked[min(place, len(ranked) - 1)]) if place >= 0 else 0.0,
        peak=int(counts[peak]),
        peak_s=float(seconds[peak]),
    )


def _gaps(rows: Ints, first: int) -> Gaps | None:
    times = np.unique(rows)
    if len(times) < 2:
        return None
    gaps = np.diff(times)
    median, longest = float(np.median(gaps)), int(gaps.argmax())
    return Gaps(
        median_s=median / 1e9,
        longest_s=float(gaps[longest]) / 1e9,
        longest_at_s=float(times[longest] - first) / 1e9,
        long=int((gaps > LONG * median).sum()),
    )


def _windows(recording: TapeFile) -> list[float]:
    """Windows that the recording resolves: inside a bar nothing is known."""
    bar_s = (recording.bar_ns or 0) / 1e9
    return [window for window in MOVES_S if window >= bar_s] or [bar_s]


def _move(times: Ints, usd: Floats, window_s: float, first: int) -> Move:
    """The largest change of a price against the one that held `window_s` before."""
    before = np.searchsorted(times, times - int(window_s * 1e9), side="right") - 1
    change = usd / usd[np.maximum(before, 0)] - 1
    at = int(np.abs(change).argmax())
    return Move(window_s, float(change[at]), float(times[at] - first) / 1e9)


def _lag(lags: Ints) -> Lag | None:
    if not len(lags):
        return None
    median, p99 = (float(v) / 1e6 for v in np.quantile(lags, [0.5, 0.99]))
    return Lag(len(lags), median, p99, float(lags.min()) / 1e6)


def _series(recording: TapeFile, first: int, last: int) -> Binned:
    count = int(min(POINTS, max(1, -(-(last - first) // (_SECOND_NS // 10)))))
    edges = first + (np.arange(count + 1) * ((last - first + 1) / count)).astype(np.int64)
    edges[-1] = last + 1
    bin_s = (last - first + 1) / count / 1e9
    rows = recording.rows_ns
    low, high = _extremes(recording.prices_ns, recording.prices_usd, edges)
    counts = np.diff(np.searchsorted(rows, edges)).astype(float)
    peak = counts
    if bin_s > 1:
        seconds, each = np.unique((rows - first) // _SECOND_NS, return_counts=True)
        peak = np.zeros(count)
        where = np.searchsorted(edges, first + seconds * _SECOND_NS, side="right") - 1
        np.maximum.at(peak, np.clip(where, 0, count - 1), each)
    return Binned(bin_s, (edges[:-1] - first) / 1e9, low, high, counts / bin_s, peak)


def _extremes(times: Ints, usd: Floats, edges: Ints) -> tuple[Floats, Floats]:
    starts = np.searchsorted(times, edges)
    low, high = np.empty(len(edges) - 1), np.empty(len(edges) - 1)
    for i, (a, b) in enumerate(pairwise(starts.tolist())):
        # A bin without a price has the last one known, or the first one that will be.
        seen = usd[a:b] if b > a else usd[max(a - 1, 0) : max(a, 1)]
        low[i], high[i] = seen.min(), seen.max()
    return low, high
