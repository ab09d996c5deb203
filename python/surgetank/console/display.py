"""Displays that are redrawn in place on a terminal while work is in progress."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import Progress
from rich.text import Text

__all__ = ["Display", "redrawn"]


class Display:
    """A context manager: shown inside `with`, removed afterwards."""

    def __init__(self, drawn: Live | Progress | None) -> None:
        """None shows nothing."""
        self._drawn = drawn

    def start(self) -> None:
        """Begins to draw it."""
        if self._drawn is not None:
            self._drawn.start()

    def stop(self) -> None:
        """Removes it from the terminal."""
        if self._drawn is not None:
            self._drawn.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def redrawn(console: Console, *, hidden: bool) -> Live | None:
    """A place that is drawn anew with `update`; None if hidden, or without a terminal."""
    if hidden or not console.is_terminal:
        return None
    return Live(Text(""), console=console, transient=True, auto_refresh=False)
