"""Every page can be read: axe-core finds nothing, words are dark enough and do not touch, the
navigation leads to every section, and nothing of it is missing without the script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from accessible import faint_words, touching_words, violations
from chromium import Visit, needs_chromium
from pages import INVALID_PAGES, LONG, PAGES, page_of
from surgetank.report.shell import save

BYTES_MAX = 400_000


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(PAGES))
def test_page_can_be_read(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    file = save(page_of(name), tmp_path / "page.html")
    assert file.stat().st_size < BYTES_MAX
    visit = Visit(browser, file, width, scheme)
    assert (visit.said, visit.loaded(), visit.cut_words()) == ([], [], [])
    assert visit.overflow() <= 0
    assert violations(visit) == []
    assert faint_words(visit) == []
    assert touching_words(visit) == []
    links, heads = (
        visit.page.evaluate(f"[...document.querySelectorAll('{of}')].map((x) => {what})")
        for of, what in (("nav a", "x.hash.slice(1)"), ("h2", "x.id"))
    )
    assert links == heads and len(set(heads)) == len(heads) > 2
    visit.close()


@pytest.mark.soak
@needs_chromium
@pytest.mark.parametrize("name", list(PAGES))
def test_page_says_the_same_without_its_script(browser: Browser, tmp_path: Path, name: str) -> None:
    file = save(page_of(name), tmp_path / "page.html")
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 9})
    page = context.new_page()
    page.goto(file.as_uri())
    pictures = page.locator("figure").count()
    assert page.locator("svg.wide:visible").count() == pictures > 0
    assert page.locator("button:visible").count() == 0, "what a script does is not offered"
    context.close()


@pytest.mark.soak
@needs_chromium
@pytest.mark.parametrize("name", [*(name for name in PAGES if name not in LONG), "venue"])
def test_page_on_paper(browser: Browser, tmp_path: Path, name: str) -> None:
    """At most eight sheets; those of the longest runs are in test_print.py."""
    visit = Visit(browser, save(page_of(name), tmp_path / "page.html"), 1280)
    pdf = visit.page.pdf(format="A4", prefer_css_page_size=True, print_background=True)
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 8
    visit.close()


#: What a page shows as good, met, found or best.
HELD = re.compile(
    r'✓ (?:met|found)|class="(?:tile pass|best|good|safe|badge pass|badge found)"|>hit<|>met<'
)


@pytest.mark.parametrize("name", list(INVALID_PAGES))
def test_an_invalid_page_shows_nothing_as_held(name: str) -> None:
    """And the valid one of the same kind does."""
    html = INVALID_PAGES[name]()
    assert 'data-status="INVALID"' in html and 'id="verdict-word"' in html
    body = html.split("<main")[1].split("<script")[0]
    # Checks of the run that passed did pass.
    body = body.replace('<span class="badge pass">✓ passed', "")
    assert HELD.findall(body) == []
    assert "FOUND</span>" not in body and "PASS</span>" not in body
    assert HELD.search(page_of(name).split("<main")[1]) or name in ("search", "risk")


@needs_chromium
def test_the_checks_find_what_they_are_for(browser: Browser, tmp_path: Path) -> None:
    """Faint words, words on each other, and a picture without a name are found."""
    page = page_of("run").replace("--soft: #4a5763", "--soft: #9aa7b3").replace('role="img"', "", 1)
    page = page.replace('y="16">node (region)', 'y="58">node (region)')
    visit = Visit(browser, save(page, tmp_path / "page.html"), 1280)
    assert any(rule.startswith("color-contrast") for rule in violations(visit))
    assert faint_words(visit)
    visit.page.add_style_tag(content=".fig .node-name { font-size: 24px !important; }")
    assert touching_words(visit)
    visit.close()
