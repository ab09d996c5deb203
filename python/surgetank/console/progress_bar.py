"""A progress bar with the time left, on standard error."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from surgetank.console.display import Display

__all__ = ["Bar", "TimeLeft", "time_left"]


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
