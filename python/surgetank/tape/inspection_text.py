"""An inspection in words: the rows of its table, on the terminal and on its page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from surgetank.number_format import NBSP, counted, milliseconds, number, share
from surgetank.tape.columns import SOURCES
from surgetank.tape.inspection import LONG, Inspection, Lag, RowRate

__all__ = ["facts", "sparkline", "unit_of"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def facts(found: Inspection) -> list[tuple[str, str]]:
    """(what, figures) of everything that was found."""
    rows = [
        ("begins", found.began or "beyond the calendar"),
        ("span", _span(found.span_s)),
        ("rows", f"{found.rows.count:,}: {_kinds(found.kinds)}"),
        ("prices", _prices(found)),
        ("messages", _messages(found.messages) if found.messages else "none: only the price"),
        ("rows a second", _rate(found.rows)),
    ]
    if found.sent is not None:
        rows.append(("messages a second", _rate(found.sent)))
    if found.gaps is not None:
        gaps = found.gaps
        text = f"median {_seconds(gaps.median_s)}, longest {_seconds(gaps.longest_s)}"
        text += f" from {_at(gaps.longest_at_s)} on; "
        rows.append(("gaps", f"{text}{gaps.long:,} longer than {LONG:g} medians"))
    moves = (f"{_signed(m.share)} in {m.window_s:g} s at {_at(m.at_s)}" for m in found.moves)
    rows.append(("largest move", "; ".join(moves)))
    if found.lag is not None:
        rows.append(("feed latency", _lag(found.lag)))
    rows.append(("hash", found.hash))
    return rows


def sparkline(values: list[float], width: int) -> str:
    """Values as one line of blocks, the largest of each of `width` groups."""
    if not values:
        return ""
    groups = min(width, len(values))
    ends = [round(i * len(values) / groups) for i in range(groups + 1)]
    tops = [max(values[a:b]) for a, b in pairwise(ends)]
    low, high = min(tops), max(tops)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(steps * (v - low) / (high - low or 1))] for v in tops)


def _kinds(counts: Mapping[str, int]) -> str:
    """Names of kinds are the venue's, and have no plural."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _messages(counts: Mapping[str, int]) -> str:
    return ", ".join(counted(count, name.removesuffix("s")) for name, count in counts.items())


def _prices(found: Inspection) -> str:
    of = f"{found.prices:,} from {SOURCES[found.price_source]}"
    usd = (found.first_usd, found.last_usd, found.low_usd, found.high_usd)
    first, last, low, high = (f"{v:,.10g}" for v in usd)
    return f"{of}: {first} to {last} USD, between {low} and {high}"


def _rate(rate: RowRate) -> str:
    text = f"{number(rate.mean)} mean, {number(rate.p99)} at p99"
    return f"{text}, {rate.peak:,} in the second from {_at(rate.peak_s)} on"


def _lag(lag: Lag) -> str:
    text = f"median {milliseconds(lag.median_ms)}, p99 {milliseconds(lag.p99_ms)}"
    if lag.least_ms < 0:
        return f"{text}; the recorder's clock is at least {milliseconds(-lag.least_ms)} behind"
    return f"{text}, if both clocks agree"


def _signed(change: float) -> str:
    return ("+" if change > 0 else "−" if change < 0 else "") + share(abs(change))


def _seconds(seconds: float) -> str:
    return milliseconds(1e3 * seconds)


def _at(seconds: float) -> str:
    return f"{number(seconds)}{NBSP}s"


def unit_of(span_s: float) -> tuple[float, str]:
    """The unit in which times of a recording of this length are shown: its seconds and its name."""
    for size, name in ((86_400.0, "days"), (3_600.0, "hours")):
        if span_s >= 2 * size:
            return size, name
    return 1.0, "seconds"


def _span(seconds: float) -> str:
    size, name = unit_of(seconds)
    return f"{seconds:,.3f} s" if size == 1 else f"{seconds:,.0f} s, {seconds / size:.1f} {name}"
