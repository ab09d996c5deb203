"""Every page can be read: axe-core finds nothing, words are dark enough and do not touch, and the
navigation leads to every section."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from accessible import faint_words, touching_words, violations
from chromium import Visit, needs_chromium
from crash_day import crash_day
from hand_made import ANSWERS, frontier
from hand_made_league import league
from surgetank.measure import measure
from surgetank.report import render
from surgetank.report.frontier import render_frontier
from surgetank.report.league import render_league
from surgetank.report.search import render_search
from surgetank.report.shell import save
from surgetank.verdict import judge


@cache
def run_page() -> str:
    trace = crash_day()
    measures = measure(trace)
    return render(trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace))


PAGES: dict[str, Callable[[], str]] = {
    "run": run_page,
    "search": lambda: render_search(ANSWERS["found"]()),
    "frontier": lambda: render_frontier(frontier()),
    "league": lambda: render_league(league()),
}


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(PAGES))
def test_page_can_be_read(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    visit = Visit(browser, save(PAGES[name](), tmp_path / "page.html"), width, scheme)
    assert violations(visit) == []
    assert faint_words(visit) == []
    assert touching_words(visit) == []
    links, heads = (
        visit.page.evaluate(f"[...document.querySelectorAll('{of}')].map((x) => {what})")
        for of, what in (("nav a", "x.hash.slice(1)"), ("h2", "x.id"))
    )
    assert links == heads and len(set(heads)) == len(heads) > 3
    visit.close()


@needs_chromium
def test_the_checks_find_what_they_are_for(browser: Browser, tmp_path: Path) -> None:
    """Faint words, words on each other, and a picture without a name are found."""
    page = run_page().replace("--soft: #4a5763", "--soft: #9aa7b3").replace('role="img"', "", 1)
    page = page.replace('y="16">node (region)', 'y="58">node (region)')
    visit = Visit(browser, save(page, tmp_path / "page.html"), 1280)
    assert any(rule.startswith("color-contrast") for rule in violations(visit))
    assert faint_words(visit)
    visit.page.add_style_tag(content=".fig .node-name { font-size: 24px !important; }")
    assert touching_words(visit)
    visit.close()
