"""A progress bar with the time left, on standard error."""

from __future__ import annotations

import math
import time
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from surgetank.console.display import Display

__all__ = ["Bar", "RunsBar", "TimeLeft", "time_left"]

#: The pace is taken after this time; work that takes less than the other is not announced, seconds.
_PACE_S: Final = 1.0
_LONG_S: Final = 10.0
#: Without a terminal a line is printed at most so often, seconds.
_LINE_S: Final = 10.0


def time_left(seconds: float) -> str:
    """A time left as text: "12 s left", "3 min left", at least one second."""
    whole = max(1, math.ceil(seconds))
    if whole < 100:
        return f"{whole} s left"
    minutes = round(whole / 60)
    return f"{minutes} min left" if minutes < 100 else f"{whole / 3600:.1f} h left"


class TimeLeft(ProgressColumn):
    """The time left of a phase; nothing before its pace is known, and at its end, when work of
    unknown length may follow."""

    def render(self, task: Task) -> Text:
        """The text for the terminal."""
        left = task.time_remaining
        known = left is not None and not task.finished
        return Text(time_left(left or 0.0) if known else "", style="cyan")


class Bar(Display):
    """`columns` stand between the bar and the time left; `fields` are what their texts name."""

    def __init__(
        self,
        console: Console,
        name: str,
        *columns: ProgressColumn,
        total: float = 1,
        hidden: bool,
        **fields: Any,
    ) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(),
            *columns,
            TimeLeft(),
            console=console,
            disable=hidden,
            transient=True,
        )
        super().__init__(self._bar)
        self._task = self._bar.add_task(name, total=total, **fields)


class RunsBar(Bar):
    """Runs done of a known number and the time left.

    After the first runs it says what all of them take, if that is long; without a terminal it
    prints a line every ten seconds instead of a bar.
    """

    def __init__(self, console: Console, name: str, *, hidden: bool) -> None:
        super().__init__(
            console,
            name,
            TextColumn("{task.completed:.0f}/{task.total:.0f} runs"),
            TextColumn("{task.fields[what]}"),
            hidden=hidden or not console.is_terminal,
            what="",
        )
        self._console = None if hidden else console
        self._name = name
        self._since: tuple[float, int] | None = None
        self._announced = False
        self._printed_s = time.monotonic()

    def advance(self, done: int, total: int, what: str = "") -> None:
        """Shows that so many of about `total` runs are done; `what` is in progress."""
        now = time.monotonic()
        # Runs found in a journal take no time.
        since, before = self._since = self._since or (now, done)
        self._bar.update(self._task, completed=done, total=total, what=what)
        if self._console is None or done <= before or now - since < _PACE_S:
            return
        left = (total - done) * (now - since) / (done - before)
        if not self._announced:
            self._announced = True
            if now - since + left >= _LONG_S:
                text = f"About {time_left(left)}: {total:,} runs. Ctrl-C keeps those that are done."
                self._line(text, now)
        elif not self._console.is_terminal and now - self._printed_s >= _LINE_S and left:
            of = f", {what}" if what else ""
            self._line(f"{self._name}: {done:,} of {total:,} runs{of}, {time_left(left)}", now)

    def _line(self, text: str, now: float) -> None:
        self._printed_s = now
        if self._console is not None:
            self._console.print(text, highlight=False, soft_wrap=True)
