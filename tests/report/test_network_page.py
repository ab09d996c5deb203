"""The page of a network file, in a browser."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from command_line import surgetank

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen validators with long names in four regions."""
    folder = tmp_path_factory.mktemp("network")
    regions = ("frankfurt", "tokyo", "virginia", "são paulo & south")
    rows = [f"<validator> number {k},{2**k % 97},{regions[k % 4]}" for k in range(13)]
    (folder / "my_nodes.csv").write_text("name,power,region\n" + "\n".join(rows) + "\n")
    links = [
        f"{a},{b},{20 + 30 * i}" for i, (a, b) in enumerate(itertools.combinations(regions, 2))
    ]
    (folder / "my_links.csv").write_text("from,to,delay_ms\n" + "\n".join(links) + "\n")
    done = surgetank("network", "my_nodes.csv", "--out", "page", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "page" / "network.html"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_loads_nothing_and_fits(browser: Browser, page: Path, width: int, scheme: str) -> None:
    """No message, no request, nothing beyond the edge, and no two texts over each other."""
    visit = Visit(browser, page, width, scheme)
    assert visit.said == [] and visit.asked == [page.as_uri()]
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = visit.page.evaluate(
        """[...document.querySelectorAll('svg.fig text')].map(e => e.getBoundingClientRect())
        .filter(b => b.width > 0).map(b => [b.left, b.right, b.top, b.bottom])"""
    )
    assert len(boxes) > 20
    for a, b in itertools.combinations(boxes, 2):
        apart = a[1] <= b[0] + 1 or b[1] <= a[0] + 1 or a[3] <= b[2] + 4 or b[3] <= a[2] + 4
        assert apart, (a, b)


def test_page_has_every_node_and_its_power(browser: Browser, page: Path) -> None:
    """Names as text, whatever signs they have; shares that sum to one."""
    visit = Visit(browser, page, 1280)
    rows = visit.page.locator("section[aria-labelledby=h-nodes] tbody tr")
    assert rows.count() == 13
    texts = rows.all_inner_texts()
    assert any("<validator> number 12" in text for text in texts)
    shares = [float(text.split("%")[0].split()[-1]) for text in texts]
    assert sum(shares) == pytest.approx(100, abs=0.7) and shares == sorted(shares, reverse=True)
