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
    """Prints text as it is: nothing that stands in a file's name, a scenario or a server's answer
    is markup, and nothing in it acts on the terminal. Give a `rich.text.Text`, or `markup=True`
    with words of one's own."""

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, **more)

    def on_broken_pipe(self) -> None:
        """Rich, which calls this while it handles the error, would end the program with the exit
        code of a verdict; see `cli.exit_codes`."""
        raise

    def render_str(self, text: str, **more: Any) -> Text:
        """As Rich's, without control characters."""
        return super().render_str(printable(text, lines=True), **more)
