"""Every table of the terminal: no number and no word is cut, whatever the width."""

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
import large_results
from surgetank.catalogue import CATALOGUE
from surgetank.compare import KeyChange, compare
from surgetank.console.attacks import show_response
from surgetank.console.books import show_summary
from surgetank.console.calibrations import show_calibration
from surgetank.console.comparisons import show_comparison
from surgetank.console.crashes import show_crashes
from surgetank.console.explanations import show_explanation
from surgetank.console.leagues import show_league
from surgetank.console.networks import show_network
from surgetank.console.risks import show_risk
from surgetank.console.runs import show_result
from surgetank.console.searches import show_against, show_answer, show_frontier
from surgetank.console.tapes import show_fit, show_inspection
from surgetank.console.terminal import Terminal
from surgetank.explain.interventions import FASTER
from surgetank.fit import fit
from surgetank.measure import Measure, Measures, measure
from surgetank.network_file import with_network
from surgetank.network_file.summary import summarise
from surgetank.number_format import NBSP
from surgetank.run import Result
from surgetank.scenario import load
from surgetank.search import Answer
from surgetank.search.answer_comparison import against
from surgetank.tape.inspection import inspect
from surgetank.testing import executed, make_trace
from surgetank.verdict import judge

Show = Callable[[Terminal], None]
MS = 1_000_000


def _result(console: Terminal) -> None:
    trace = make_trace({"messages": [executed(i, i, (10 + i % 7) * MS) for i in range(500)]})
    measures = measure(trace)
    limits = {"delay_p99_ms_max": 1.0, "goodput_ratio_min": 0.999, "bad_debt_usd_max": 0.0}
    verdict = judge(measures, limits, trace)
    show_result(console, Result(trace.scenario, trace, measures, verdict, None))


def _comparison(console: Terminal) -> None:
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


def _answer(made: Callable[[], Answer], console: Terminal) -> None:
    show_answer(console, made())


def _network(console: Terminal) -> None:
    found = large_results.network()
    summary = summarise(with_network(load("calm"), found).network)
    show_network(console, found, summary, ("Powers are as given. " * 8,))


def _fit(console: Terminal) -> None:
    show_fit(console, fit(large_results.recording(60), load("calm"), name="fitted"))


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
    "risk": lambda console: show_risk(console, large_results.risk_answer()),
    "risk of few runs": lambda console: show_risk(console, large_results.risk_answer(25)),
    "explain": lambda console: show_explanation(console, large_results.explanation(FASTER)),
    "explain free": lambda console: show_explanation(console, large_results.explanation()),
    "attack": lambda console: show_response(large_results.attack(), console),
    "crash": lambda console: show_crashes(console, "redis://b:6379", large_results.crashes()),
    "calibrate": lambda console: show_calibration(console, large_results.calibration(), None),
    "check": lambda console: show_calibration(
        console, large_results.calibration(), large_results.prediction()
    ),
    "book": lambda console: show_summary(console, large_results.book(), "Maintenance margin 1 %"),
    "network": _network,
    "tape": lambda console: show_inspection(console, inspect(large_results.recording())),
    "fit": _fit,
}


class Watched(Terminal):
    """Keeps words of cells and headings of the tables that are printed, and the widest's width."""

    def __init__(self, width: int) -> None:
        self.kept = io.StringIO()
        self.words: set[str] = set()
        self.needed = 0
        super().__init__(file=self.kept, width=width)

    def print(self, *objects: Any, **more: Any) -> None:
        """Prints, and keeps the words."""
        for table in (one for one in objects if isinstance(one, Table)):
            for column in table.columns:
                for cell in (column.header, *column.cells):
                    self.words.update(re.split(r"[ \n]+", str(cell)))
        super().print(*objects, **more)

    def _fit(self, table: Table) -> int:
        needed = super()._fit(table)
        self.needed = max(self.needed, needed)
        return needed


class AsRich(Watched):
    """Prints tables as Rich does."""

    def _fit(self, table: Table) -> int:
        return 0


def cut_in(show: Show, console: Watched) -> tuple[list[str], str]:
    """The words of cells that do not appear whole, and the output."""
    show(console)
    text = console.kept.getvalue()
    shown = set(re.split(r"[ \n]+", text))
    return sorted(word for word in console.words if word and word not in shown), text


@pytest.mark.parametrize("name", SHOWN)
def test_no_word_is_cut_at_80_columns(name: str) -> None:
    """And every table fits."""
    console = Watched(80)
    cut, text = cut_in(SHOWN[name], console)
    assert cut == [], text
    assert console.needed <= 80, text


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("width", [20, 60, 200])
def test_no_word_is_cut_at_any_width(name: str, width: int) -> None:
    """Where a table does not fit, its lines are longer."""
    cut, text = cut_in(SHOWN[name], Watched(width))
    assert cut == [], text


def test_a_word_that_is_cut_is_seen() -> None:
    """The control: Rich alone cuts numbers, and separates them from their units."""

    def narrow(console: Console) -> None:
        table = Table(box=None)
        table.add_column("amount", no_wrap=True)
        table.add_column("meaning")
        table.add_row("1,234,567", f"12{NBSP}%")
        console.print(table)

    assert cut_in(narrow, AsRich(10))[0] == ["1,234,567", f"12{NBSP}%", "meaning"]
    assert cut_in(narrow, Watched(10))[0] == []


def test_output_to_a_file_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only if `COLUMNS` asks for it; a terminal has its own width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    text = "a sentence of many words " * 20
    for columns, lines in (("", 1), ("40", 14)):
        if columns:
            monkeypatch.setenv("COLUMNS", columns)
        console = Terminal(file=io.StringIO())
        console.print(text.rstrip())
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue().count("\n") == lines


def test_a_comparison_of_two_runs_fits_a_screen() -> None:
    """Where everything differs."""
    console = Terminal(file=io.StringIO(), width=80)
    _comparison(console)
    assert isinstance(console.file, io.StringIO)
    assert 20 < console.file.getvalue().count("\n") <= 40
