"""Every table of the terminal at 80 columns: no number and no word is cut."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

import hand_made
import hand_made_league
from surgetank.catalogue import CATALOGUE
from surgetank.compare import KeyChange, compare
from surgetank.console.comparisons import show_comparison
from surgetank.console.leagues import show_league
from surgetank.console.runs import show_result
from surgetank.console.searches import show_against, show_answer, show_frontier
from surgetank.console.terminal import Terminal
from surgetank.measure import Measure, Measures, measure
from surgetank.run import Result
from surgetank.search import Answer
from surgetank.search.answer_comparison import against
from surgetank.testing import executed, make_trace
from surgetank.verdict import judge

Show = Callable[[Console], None]
MS = 1_000_000


def _result(console: Console) -> None:
    trace = make_trace({"messages": [executed(i, i, (10 + i % 7) * MS) for i in range(500)]})
    measures = measure(trace)
    limits = {"delay_p99_ms_max": 1.0, "goodput_ratio_min": 0.999, "bad_debt_usd_max": 0.0}
    verdict = judge(measures, limits, trace)
    show_result(console, Result(trace.scenario, trace, measures, verdict, None))


def _comparison(console: Console) -> None:
    """Every measure differs, and so do a dozen keys."""
    names = [name for name, spec in CATALOGUE.items() if spec.family is None]
    sides = (
        Measures([Measure(name, 123_456.0 + i, k, k + 1.0, 500) for i, name in enumerate(names)])
        for k in (0.0, 0.5)
    )
    a, b = sides
    b = Measures([Measure(name, -98_765.0, 7.0, 8.0, 500) for name in names])
    found = compare(make_trace(), make_trace(seed=2), measures=(a, b))
    changes = tuple(KeyChange(f"layer.queue.key_{i}", i, "x" * 90) for i in range(12))
    object.__setattr__(found, "changes", changes)
    show_comparison(console, found)


def _answer(made: Callable[[], Answer], console: Console) -> None:
    show_answer(console, made())


SHOWN: dict[str, Show] = {
    **{f"answer {name}": partial(_answer, made) for name, made in hand_made.ANSWERS.items()},
    "against": lambda console: show_against(
        console, against(hand_made.found(), hand_made.found(estimate=111.5)), 0.05
    ),
    "frontier": lambda console: show_frontier(console, hand_made.frontier()),
    "frontier in part": lambda console: show_frontier(console, hand_made.frontier(whole=False)),
    "league": lambda console: show_league(console, hand_made_league.league()),
    "large league": lambda console: show_league(console, hand_made_league.league(8, 8)),
    "league with searches": lambda console: show_league(console, hand_made_league.with_lines()),
    "league with INVALID": lambda console: show_league(console, hand_made_league.with_invalid()),
    "run": _result,
    "comparison": _comparison,
}


class Watched(Terminal):
    """Keeps the words of the cells and headings of the tables that are printed."""

    def __init__(self, width: int) -> None:
        self.kept = io.StringIO()
        self.words: set[str] = set()
        super().__init__(file=self.kept, width=width)

    def print(self, *objects: Any, **more: Any) -> None:
        """Prints, and keeps the words."""
        for table in (one for one in objects if isinstance(one, Table)):
            for column in table.columns:
                for cell in (column.header, *column.cells):
                    self.words.update(re.split(r"[ \n]+", str(cell)))
        super().print(*objects, **more)


def cut_in(show: Show, width: int = 80) -> tuple[list[str], str]:
    """The words of cells that do not appear whole, and the output."""
    console = Watched(width)
    show(console)
    text = console.kept.getvalue()
    shown = set(re.split(r"[ \n]+", text))
    return sorted(word for word in console.words if word and word not in shown), text


@pytest.mark.parametrize("name", SHOWN)
def test_no_word_is_cut_at_80_columns(name: str) -> None:
    cut, text = cut_in(SHOWN[name])
    assert cut == [], text


def test_a_word_that_is_cut_is_seen() -> None:
    """The control: the same in a column that is too narrow for a number."""

    def narrow(console: Console) -> None:
        table = Table(box=None)
        table.add_column("amount", width=4)
        table.add_row("1,234,567")
        console.print(table)

    assert cut_in(narrow)[0] == ["1,234,567", "amount"]


def test_a_comparison_of_two_runs_fits_a_screen() -> None:
    """Where everything differs."""
    console = Terminal(file=io.StringIO(), width=80)
    _comparison(console)
    assert isinstance(console.file, io.StringIO)
    assert 20 < console.file.getvalue().count("\n") <= 40
