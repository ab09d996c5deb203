"""The console that all commands print on."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from surgetank.errors import printable

__all__ = ["Terminal", "dim"]


def dim(text: str) -> Text:
    """Text of lesser importance, shown dim."""
    return Text(printable(text, lines=True), style="dim")


class Terminal(Console):
    """Prints text literally: file names, scenarios and server answers are never taken as markup,
    and control characters in them never reach the terminal. For styled output give a
    `rich.text.Text`, or `markup=True` with constant text."""

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, **more)

    def on_broken_pipe(self) -> None:
        """Rich calls this on a closed output. Its own version would end the program with the exit
        code of a verdict; see `cli.exit_codes`."""
        raise

    def render_str(self, text: str, **more: Any) -> Text:
        """The text as Rich renders it, without control characters."""
        return super().render_str(printable(text, lines=True), **more)
