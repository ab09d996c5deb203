"""A progress bar with the time left, on standard error."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from surgetank.console.display import Display

__all__ = ["Bar"]


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
            TimeRemainingColumn(),
            console=console,
            disable=hidden,
            transient=True,
        )
        super().__init__(self._bar)
        self._task = self._bar.add_task(name, total=total, **fields)
