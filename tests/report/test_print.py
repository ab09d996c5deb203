"""A report on paper: few pages, no heading at a page's end, no figure on two pages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pypdf import PdfReader

import surgetank as st
from chromium import Visit, needs_chromium
from crash_day import crash_day
from surgetank.measure import measure
from surgetank.report import render, write
from surgetank.trace import Trace
from surgetank.verdict import judge

PAGES_MAX = 8
BYTES_MAX = 400_000

#: The flagship has the most nodes of all shipped scenarios; the other has more of everything.
RUNS: dict[str, Callable[[], Trace]] = {
    "black-thursday": lambda: st.simulate(st.load("black-thursday")),
    "made-up-crash": crash_day,
}


def lines_of(pdf: bytes) -> list[list[str]]:
    """The lines of text of each page, without spaces: a PDF has only places of letters."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return [
        [line for text in page.extract_text().splitlines() if (line := re.sub(r"\s", "", text))]
        for page in pages
    ]


@pytest.mark.soak
@pytest.mark.parametrize("name", st.names())
def test_page_of_every_shipped_scenario_is_small(name: str) -> None:
    trace = st.simulate(st.load(name))
    measures = measure(trace)
    page = render(trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace))
    assert len(page.encode()) < BYTES_MAX


@needs_chromium
@pytest.mark.parametrize("name", list(RUNS))
def test_paper_has_few_pages_and_splits_nothing(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    trace = RUNS[name]()
    measures = measure(trace)
    limits = trace.scenario.limits.as_mapping()
    file = write(trace, measures, judge(measures, limits, trace), tmp_path / "report.html")
    assert file.stat().st_size < BYTES_MAX
    visit = Visit(browser, file, 1280, "dark")
    heads = visit.page.evaluate(
        "[...document.querySelectorAll('h2, h3')].map((h) => h.textContent)"
    )
    ends = visit.page.evaluate(
        """[...document.querySelectorAll('figure')].map((f) => [
            f.querySelector('h3').textContent,
            [...f.querySelectorAll('svg.wide text.title')].pop().textContent])"""
    )
    pages = lines_of(visit.page.pdf(format="A4", prefer_css_page_size=True, print_background=True))
    visit.close()
    assert len(pages) <= PAGES_MAX
    heads = {re.sub(r"\s", "", head) for head in heads}
    assert [page[-1] for page in pages if page[-1] in heads] == [], "headings at a page's end"
    assert len(ends) > 10
    for title, end in ends:
        title, end = (re.sub(r"\s", "", text) for text in (title, end))
        (page,) = [page for page in pages if title in page]
        assert any(end in line for line in page[page.index(title) :]), f"{title} is split"
