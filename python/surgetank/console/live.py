"""Terminal output of a live run in progress."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from surgetank.console.display import Display, redrawn
from surgetank.console.runs import number
from surgetank.live.snapshot import Snapshot

__all__ = ["LiveWatch", "line", "per_s", "sparkline", "view"]

BARS: Final = "▁▂▃▄▅▆▇█"
#: Readings kept in memory: a minute and a half at four per second.
KEPT: Final = 360
#: A rate is the difference over the last second: a shorter window gives an unsteady number.
WINDOW_S: Final = 1.0
SPARK: Final = 40

_COUNTED: Final = (("offered", "due"), ("accepted", "accepted"), ("delivered", "delivered"))


def per_s(readings: Sequence[Snapshot], count: str, at: int = -1) -> float | None:
    """A count's rate over the second before a reading; None where there is nothing to compare."""
    place = at % len(readings)
    last = readings[place]
    end_s = last.seconds - WINDOW_S
    before = bisect_right(readings, end_s, hi=place, key=lambda reading: reading.seconds)
    first = readings[max(before - 1, 0)]
    seconds, counted = first.seconds, getattr(first, count)
    if before == 0 and end_s < 0:
        seconds, counted = 0.0, 0  # The run itself is not a second old.
    passed = last.seconds - seconds
    return (getattr(last, count) - counted) / passed if passed > 0 else None


def sparkline(values: Sequence[float], width: int = SPARK) -> str:
    """Values as bars between zero and their highest; the newest is on the right.

    More values than `width` are folded so that no peak is lost: each bar is its values' highest.
    """
    if not values:
        return ""
    fold = math.ceil(len(values) / width)
    seen = [max(values[at : at + fold]) for at in range(0, len(values), fold)]
    top = max(seen)
    if top <= 0:
        return BARS[0] * len(seen)
    return "".join(BARS[min(round(v / top * (len(BARS) - 1)), len(BARS) - 1)] for v in seen)


def _rate(value: float | None) -> str:
    """Whole messages per second: fractions would change with every reading."""
    return "–" if value is None else f"{value:,.0f}/s"


def line(readings: Sequence[Snapshot]) -> str:
    """The newest reading in one line, for logs."""
    now = readings[-1]
    if now.seconds < 0:
        return f"{now.scenario} → {now.target} · preparing"
    parts = [f"{now.seconds:.0f}/{now.duration_s:.0f} s"]
    parts += [f"{name} {_rate(per_s(readings, count))}" for name, count in _COUNTED]
    parts.append(f"backlog {now.backlog:,}")
    parts += [
        f"{name} {getattr(now, name):,}"
        for name in ("refused", "lost", "duplicates")
        if getattr(now, name)
    ]
    if now.by_class:
        worst = max(now.by_class, key=lambda name: now.by_class[name].p99_ms)
        delays = now.by_class[worst]
        parts.append(f"{worst} p50 {number(delays.p50_ms)} p99 {number(delays.p99_ms, 'ms')}")
    parts.append(f"late p99 {number(now.lateness_p99_ms, 'ms')}")
    parts += now.faults
    return " · ".join(parts)


def view(readings: Sequence[Snapshot]) -> Group:
    """The newest reading and the course of the last ones, as a block of a terminal."""
    now = readings[-1]
    delays = [_delays(now)] if now.by_class else []
    return Group(_headline(now), _counts(readings), *delays, _conditions(now))


def _headline(now: Snapshot) -> Table:
    row = Table.grid(padding=(0, 1))
    name = Text(f"{now.scenario} → {now.target}", style="bold")
    if now.seconds < 0:
        row.add_row(name, Text("preparing", style="yellow"))
        return row
    done = min(now.seconds, now.duration_s)
    if now.done:
        text = "done"
    elif now.seconds >= now.duration_s:
        text = "waiting for the last messages"
    else:
        text = f"{now.duration_s - done:.0f} s left"
    bar = ProgressBar(total=max(now.duration_s, 1e-9), completed=done, width=SPARK)
    row.add_row(name, bar, Text(f"{done:.1f}/{now.duration_s:.0f} s"), Text(text, style="cyan"))
    return row


def _counts(readings: Sequence[Snapshot]) -> Table:
    now = readings[-1]
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify)
    for name, count in _COUNTED:
        spark = sparkline([per_s(readings, count, at) or 0.0 for at in _shown(readings)])
        rate, sum_ = _rate(per_s(readings, count)), f"{getattr(now, count):,}"
        table.add_row(name, Text(rate, style="bold"), sum_, Text(spark, style="cyan"))
    backlog = sparkline([r.backlog for r in readings])
    table.add_row(
        "backlog", Text(f"{now.backlog:,}", style="bold"), "", Text(backlog, style="yellow")
    )
    return table


def _shown(readings: Sequence[Snapshot]) -> range:
    """Indices of the newest readings of a rate, as many as fit."""
    return range(max(0, len(readings) - SPARK), len(readings))


def _delays(now: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("latency from the intended send time")
    for column in ("delivered", "p50", "p99"):
        table.add_column(column, justify="right")
    for name, delays in sorted(now.by_class.items()):
        p50, p99 = number(delays.p50_ms, "ms"), number(delays.p99_ms, "ms")
        table.add_row(name, f"{delays.delivered:,}", p50, p99)
    return table


def _conditions(now: Snapshot) -> Text:
    """Counts of failures, lateness of the generator, and the faults in force."""
    text = Text()
    for name, style in (("refused", "yellow"), ("lost", "bold red"), ("duplicates", "yellow")):
        count = getattr(now, name)
        text.append(f"{name} ").append(f"{count:,}", style=style if count else "dim").append("   ")
    text.append(f"generator late p99 {number(now.lateness_p99_ms, 'ms')}")
    for fault in now.faults:
        text.append("\n⚡ ", style="bold red").append(fault, style="red")
    return text


class LiveWatch(Display):
    """Shows readings on standard error as they come; stops the run when interrupted.

    On a terminal a block that is drawn in place; elsewhere a line a second of the run.
    """

    def __init__(self, console: Console, *, hidden: bool) -> None:
        self.interrupted = False
        self._console = None if hidden else console
        self._live = redrawn(console, hidden=hidden)
        super().__init__(self._live)
        self._readings: deque[Snapshot] = deque(maxlen=KEPT)
        self._reported_s = -math.inf

    def __call__(self, seen: Snapshot) -> bool:
        """Shows a reading; False asks the run to stop."""
        if self._readings and seen.seconds < self._readings[-1].seconds:
            # Another run has begun with the same watch.
            self._reported_s = -math.inf
            self._readings.clear()
        elif self._readings and self._readings[-1].seconds < 0:
            self._readings.clear()  # Readings before the start are not part of the curves.
        self._readings.append(seen)
        if self._live is not None:
            self._live.update(view(list(self._readings)), refresh=True)
        elif self._console is not None and (seen.done or self._due(seen.seconds)):
            self._reported_s = math.floor(seen.seconds)
            text = Text(line(list(self._readings)))
            self._console.print(text, highlight=False, soft_wrap=True)
        return not self.interrupted

    def _due(self, seconds: float) -> bool:
        """Whether a line is due: once while preparing, then once a second."""
        if seconds < 0:
            return self._reported_s == -math.inf
        return self._reported_s < 0 or seconds >= self._reported_s + 1
