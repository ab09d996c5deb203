"""A progress bar with the time left, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["Bar"]


class Bar:
    """A context manager: shown inside `with`, removed afterwards.

    `columns` stand between the bar and the time left; `fields` are what their texts name.
    """

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
        self._task = self._bar.add_task(name, total=total, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bar.stop()
