"""Results in Python: a line, and in a notebook what the terminal shows."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import hand_made
import hand_made_league
import surgetank as st
from surgetank.compare import compare
from surgetank.console.notebook import html_of
from surgetank.fit import fit
from surgetank.positions.example import example_book
from surgetank.shown import Shown
from surgetank.tape import read_recording
from surgetank.tape.inspection import inspect

ROOT = Path(__file__).resolve().parents[2]

SHORT = {"duration_s": 2.0, "warmup_s": 0.0, "title": "a <b>bold</b> & odd title"}


@pytest.fixture(scope="module")
def result() -> st.Result:
    return st.run(st.load("calm").with_values(SHORT))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """What a user brings: a position book, validators and a recording."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "book.csv").write_text(example_book(20).to_csv())
    (folder / "prices.csv").write_text(
        "ts,price\n" + "".join(f"2024-08-08T00:00:{s:02}Z,{100 + s % 7}\n" for s in range(60))
    )
    recording = read_recording(folder / "prices.csv")
    return {
        "book": st.read_positions(folder / "book.csv"),
        "network": st.read_network(ROOT / "docs/network_nodes.csv"),
        "inspection": inspect(recording),
        "fit": fit(recording, st.load("calm")),
    }


def shown_results(result: st.Result) -> dict[str, Shown]:
    return {
        "run": result,
        "answer": hand_made.found(),
        "answer that is unknown": hand_made.unknown(),
        "frontier": hand_made.frontier(),
        "league": hand_made_league.league(),
        "comparison": compare(result.trace, result.trace),
    }


class Balanced(HTMLParser):
    """Tags that are open, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_results_are_shown_as_a_terminal_shows_them(
    result: st.Result, inputs: dict[str, Shown]
) -> None:
    """A fragment of closed tags without scripts; what another user wrote is text."""
    for name, found in (shown_results(result) | inputs).items():
        html = found._repr_html_()
        parser = Balanced()
        parser.feed(html)
        assert parser.open == [] and parser.text.strip(), name
        assert "<script" not in html
    fragment = result._repr_html_()
    assert "<b>" not in fragment and "a <b>bold</b> & odd title" in unescape(fragment)
    assert "color: #" in fragment and "Mean latency by stage" in fragment
    with pytest.raises(TypeError, match="no form"):
        html_of(3)


def test_repr_is_one_short_line(
    result: st.Result, inputs: dict[str, Shown], tmp_path: Path
) -> None:
    """A dump of all cells would fill the screen."""
    (tmp_path / "prices.csv").write_text("ts,price\n1700000000000,5\n1700000001000,6\n")
    tape = st.read_tape(tmp_path / "prices.csv")
    more = [result.trace, result.verdict, result.scenario, result.measures, tape]
    for found in (*shown_results(result).values(), *inputs.values(), *more):
        text = repr(found)
        assert "\n" not in text and len(text) < 250, text
        assert re.match(rf"<?{type(found).__name__}\b", text)
    assert repr(result).startswith("<Result FAIL calm seed 7 scenario ")
    assert repr(result.trace).startswith("<Trace calm seed 7: ")


def test_every_result_has_both() -> None:
    """Those that the package exports."""
    for kind in (st.Answer, st.Comparison, st.Frontier, st.League, st.Result, st.Explanation):
        assert issubclass(kind, Shown) and kind.__repr__ is Shown.__repr__


def test_a_report_in_a_notebook(result: st.Result, tmp_path: Path) -> None:
    """In a frame that is sandboxed; written only if asked."""
    page = result.report()
    assert list(tmp_path.iterdir()) == []
    assert page.html.startswith("<!doctype html>") or "<html" in page.html[:200]
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and 'sandbox="allow-scripts"' in frame
    assert unescape(frame.split('"')[1]) == page.html
    assert len(repr(page)) < 40
    result.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page.html
