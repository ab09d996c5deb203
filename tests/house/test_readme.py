"""README.md is short, and its figures are those of the pages that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from publish import FIGURES, PAGE, markers, with_figure

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES_MAX = 100


def rows(text: str) -> list[tuple[str, str, str]]:
    """Figure, script and page of each row of the table of costs."""
    found = re.findall(
        r"^\| [^|]+ \| ([^|]+) \| \[\w+\.py\]\(([^)]+)\) \| \[[^]]+\]\(([^)]+)\) \|$",
        text,
        flags=re.MULTILINE,
    )
    return [(figure, script, page) for figure, script, page in found]


def without_source(text: str) -> list[str]:
    """Figures that the page of their row does not have."""
    return [
        figure
        for figure, script, page in rows(text)
        if not (ROOT / script).is_file()
        or not re.search(
            rf"(?<![\d.]){re.escape(figure)}(?!\.?\d)", (ROOT / page).read_text("utf-8")
        )
    ]


def test_figures_are_those_of_their_pages() -> None:
    assert len(rows(README)) == 6
    assert without_source(README) == []


@pytest.mark.parametrize("row", range(5))
def test_another_figure_is_noticed(row: int) -> None:
    figure = rows(README)[row][0]
    seeded = re.sub(r"\d", lambda digit: str(9 - int(digit[0])), figure, count=1)
    assert without_source(README.replace(f"| {figure} |", f"| {seeded} |")) == [seeded]


@pytest.mark.parametrize("name", FIGURES)
def test_its_figures_are_the_last_that_were_printed(name: str) -> None:
    """`make bench` writes them; what it last wrote stands on the page of benchmarks."""
    begin, end = markers(name)
    printed = PAGE.read_text("utf-8").partition(begin)[2].partition(end)[0]
    assert with_figure(README, name, printed) == README
    with pytest.raises(ValueError, match=name):
        with_figure(README, name, "nothing was measured")


def test_it_fits_on_two_screens() -> None:
    assert len(README.splitlines()) <= LINES_MAX
