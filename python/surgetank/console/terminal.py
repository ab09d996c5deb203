"""The console that all commands print on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from surgetank.errors import printable

__all__ = ["Terminal", "dim"]

#: Width of output that no terminal shows.
_UNBOUNDED: Final = 10_000


def dim(text: str) -> Text:
    """Text of lesser importance, shown dim."""
    return Text(printable(text, lines=True), style="dim")


class Terminal(Console):
    """Prints text literally: file names, scenarios and server answers are never taken as markup,
    and control characters in them never reach the terminal. For styled output give a
    `rich.text.Text`, or `markup=True` with constant text.

    Lines are wrapped at spaces, never at no-break spaces, and no word or number of a table is cut:
    a table that needs more room has lines longer than the terminal's. Output to a file or another
    program is wrapped only if the variable `COLUMNS` is set.
    """

    def __init__(self, *, stderr: bool = False, **more: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, **more)
        self._least = 0

    @property
    def size(self) -> ConsoleDimensions:
        """Characters of a line, and lines."""
        width, height = super().size
        if self._width is None and not self.is_terminal and "COLUMNS" not in os.environ:
            width = _UNBOUNDED
        return ConsoleDimensions(max(width, self._least), height)

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._width, self._height = size

    def print(self, *objects: Any, **more: Any) -> None:
        """Prints objects as Rich does, and tables whole."""
        self._least = max((self._fit(one) for one in objects if isinstance(one, Table)), default=0)
        try:
            super().print(*objects, **more)
        finally:
            self._least = 0

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of an object; of text, with its lines broken at spaces."""
        how = options or self.options
        if isinstance(renderable, str):
            renderable = self.render_str(renderable, highlight=how.highlight, markup=how.markup)
        if isinstance(renderable, Text) and not (how.no_wrap or renderable.no_wrap):
            renderable = _broken(renderable, how.max_width)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        """Rich calls this on a closed output. Its own version would end the program with the exit
        code of a verdict; see `cli.exit_codes`."""
        raise

    def render_str(self, text: str, **more: Any) -> Text:
        """The text as Rich renders it, without control characters."""
        return super().render_str(printable(text, lines=True), **more)

    def _fit(self, table: Table) -> int:
        """Makes the widest columns narrower until the table fits, none narrower than its longest
        word; returns the width of the table."""
        words = [_longest(column, "\n" if column.no_wrap else "[ \n]") for column in table.columns]
        widths = [_longest(column, "\n") for column in table.columns]
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        unbounded = self.options.update(width=_UNBOUNDED)
        needed = Measurement.get(self, unbounded, table).maximum
        while needed > self.width and widths != words:
            widest = max(
                (k for k in range(len(widths)) if widths[k] > words[k]), key=widths.__getitem__
            )
            widths[widest] -= 1
            table.columns[widest].width = widths[widest]
            needed -= 1
        return needed


def _longest(column: Column, separator: str) -> int:
    """Width of the longest part of a column's cells between separators, a regular expression."""
    parts = (re.split(separator, str(cell)) for cell in (column.header, *column.cells))
    return max(cell_len(part) for cell in parts for part in cell)


def _broken(text: Text, width: int) -> Text:
    """The text with line ends in place of spaces, so that its lines are as wide as asked.

    Rich breaks lines at no-break spaces too, which stand between a number and its unit.
    """
    plain, start, space = text.plain, 0, -1
    if cell_len(plain) <= width:
        return text
    found = list(plain)
    for i, character in enumerate(plain):
        if character == "\n":
            start, space = i + 1, -1
        elif cell_len(plain[start : i + 1]) <= width:
            space = i if character == " " else space
        elif character == " ":
            found[i], start, space = "\n", i + 1, -1
        elif space >= start:
            found[space], start, space = "\n", space + 1, -1
    broken = text.copy()
    broken.plain = "".join(found)
    return broken
