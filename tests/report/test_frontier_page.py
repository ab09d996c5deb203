"""The frontier's page and figure: every point is where its numbers are, and none is left out."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from hand_made import CURVES, frontier
from surgetank.number_format import NBSP
from surgetank.report.frontier import frontier_svg, render_frontier
from surgetank.report.frontier.figure import MarkKind, mark
from surgetank.report.shell import save
from surgetank.search.bound import Bound, BoundKind
from surgetank.search.frontier import Frontier

FIGURE = "#p-frontier svg.wide"
SVG = "{http://www.w3.org/2000/svg}"


def spaced(text: str) -> str:
    return text.replace(NBSP, " ")


def cases() -> dict[str, Frontier]:
    whole = frontier()
    first = tuple(p for p in whole.points if p.curve == "as it is")
    bare: dict[str, Any] = {"capacity_per_s": None, "theory": (), "assumptions": (), "per": "run"}
    plain = tuple(dataclasses.replace(p, theory=None) for p in whole.points)
    return {
        "whole": whole,
        "holes": frontier(whole=False),
        "one curve": dataclasses.replace(whole, curves=CURVES[:1], points=first),
        "no theory": dataclasses.replace(whole, points=plain, **bare),
        "nothing found": dataclasses.replace(
            frontier(whole=False), points=(HOLE,), theory=(), curves=CURVES[1:2]
        ),
    }


HOLE = next(p for p in frontier(whole=False).points if p.status == "UNKNOWN")


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(cases()))
def test_page_loads_nothing_and_fits(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    visit = Visit(browser, save(render_frontier(cases()[name]), tmp_path / "f.html"), width, scheme)
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    assert visit.cut_words() == []
    text = visit.page.inner_text("main")
    assert not {"None", "nan", "inf"} & set(text.split())
    visit.close()


@needs_chromium
def test_every_point_is_drawn_and_lies_where_its_numbers_are(
    browser: Browser, tmp_path: Path
) -> None:
    whole = frontier()
    visit = Visit(browser, save(render_frontier(whole), tmp_path / "f.html"), 1280)
    drawn = visit.page.evaluate(
        f"""() => [...document.querySelectorAll('{FIGURE} circle')].map((c) => [
            c.querySelector('title').textContent,
            +c.getAttribute('cx'), +c.getAttribute('cy')])"""
    )
    assert len(drawn) == len(whole.points)
    for p, (tip, _, _) in zip(whole.points, drawn, strict=True):
        assert p.estimate is not None and p.ci_low is not None
        assert tip.startswith(f"{p.curve} at {p.load:g}/s: {p.estimate:.3g}× ({p.ci_low:.3g}×")
    both = list(zip(whole.points, drawn, strict=True))
    at = {p.load: d[1] for p, d in both if p.curve == "as it is"}
    per_load = (at[19.0] - at[2.0]) / 17
    for p, d in both:
        assert at[p.load] == pytest.approx(at[2.0] + (p.load - 2) * per_load, abs=0.2)
        assert d[1] == pytest.approx(at[p.load], abs=10), "a little aside of the others"
    assert len({(d[1], d[2]) for _, d in both}) == len(both), "none hides another"
    by_leverage = sorted(both, key=lambda pair: -(pair[0].estimate or 0))
    downs = [d[2] for _, d in by_leverage]
    assert downs == sorted(downs), "higher leverage lies higher"
    visit.close()


@needs_chromium
def test_table_and_sentence_say_the_frontier_s_numbers(browser: Browser, tmp_path: Path) -> None:
    whole = frontier()
    visit = Visit(browser, save(render_frontier(whole), tmp_path / "f.html"), 1280)
    rows = "() => [...document.querySelectorAll('.points tbody tr')].map((r) => r.innerText)"
    cells = [spaced(row).split("\t") for row in visit.page.evaluate(rows)]
    for p, c in zip(whole.points, cells, strict=True):
        assert p.estimate is not None and p.ci_low is not None and p.ci_high is not None
        assert c[:4] == [p.curve, f"{p.load:g}", f"{p.load / 20:.0%}".replace("%", " %"), c[3]]
        assert c[3:5] == [f"{p.estimate:.3g}×", f"{p.ci_low:.3g}× – {p.ci_high:.3g}×"]
        assert c[5] == ("" if p.theory is None else f"{p.theory:.3g}×")
    text = spaced(visit.page.inner_text("main"))
    first, last = whole.of("as it is")[0], whole.of("as it is")[-1]
    assert (
        "If at most 1 % of liquidations may end in bad debt, safe leverage falls from "
        f"{first.estimate:.3g}× at 2 messages/s (10 % of capacity) to "
        f"{last.estimate:.3g}× at 19 messages/s (95 % of capacity)."
    ) in text
    assert "the closed form lies inside the 95 % interval at 6 of 6 points" in text
    for curve in CURVES:
        assert curve.text in text
    visit.close()


@needs_chromium
def test_names_stand_beside_their_curves_and_do_not_touch(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, save(render_frontier(frontier()), tmp_path / "f.html"), 1280)
    found = visit.page.evaluate(
        f"""() => [...document.querySelectorAll('{FIGURE} text.said')].map((t) => {{
            const b = t.getBoundingClientRect();
            return [t.lastChild.textContent, b.left, b.top, b.right, b.bottom]; }})"""
    )
    names = {name: box for name, *box in found}
    assert set(names) == {c.name for c in CURVES} | {"closed form"}
    boxes = list(names.values())
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
    order = sorted(CURVES, key=lambda c: -(frontier().of(c.name)[-1].estimate or 0))
    downs = [names[c.name][1] for c in order]
    assert downs == sorted(downs)
    visit.close()


def test_points_not_found_are_drawn_open_at_their_bound() -> None:
    holes = frontier(whole=False)
    kinds = {(p.curve, p.load): mark(p) for p in holes.points if p.status != "FOUND"}
    assert {k: (m.kind, m.at) for k, m in kinds.items() if k != ("jumps", 8.0)} == {
        ("bursts", 19.0): (MarkKind.UPPER_BOUND, 1.25),
        ("priority", 2.0): (MarkKind.LOWER_BOUND, 2000.0),
        ("cascade", 18.0): (MarkKind.NOTHING, None),
    }
    assert kinds["jumps", 8.0].kind is MarkKind.ROUGH
    html = spaced(render_frontier(holes))
    assert "≥ 2,000×" in html and "≤ 1.25×" in html
    assert html.count('class="open') == 2 * 3, "wide and narrow"
    assert 'data-status="INVALID"' in html
    assert (
        "4 of 30 points without a sufficiently narrow interval: the runs of one were INVALID."
        in html
    )
    assert "cascade at 18/s: INVALID. A run at 9 (seed 3): loss." in html
    assert "✘" in html.split("What the closed form assumes</h2>")[1].split("</ul>")[0]
    assert 'class="open' not in render_frontier(frontier())


def test_figure_alone_is_well_formed_and_self_contained() -> None:
    text = frontier_svg(frontier())
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg" and root[0].tag == f"{SVG}title"
    assert len(root.findall(f".//{SVG}circle")) == 30
    assert "var(" not in text and "prefers-color-scheme: dark" in text
    outside = re.sub(r'xmlns="[^"]*"', "", text)
    assert "http" not in outside and "url(" not in re.sub(r"url\(#[\w-]+\)", "", outside)
    used = set(re.findall(r'class="([^"]*)"', text))
    known = set(re.findall(r"\.([a-z][\w-]*)", text.split("</style>")[0]))
    assert {name for names in used for name in names.split()} - known == {"alone"}


@needs_chromium
def test_figure_alone_is_drawn_as_a_picture(browser: Browser, tmp_path: Path) -> None:
    """As a document shows it: an image, without a page around it."""
    (tmp_path / "f.svg").write_text(frontier_svg(frontier()), encoding="utf-8")
    (tmp_path / "p.html").write_text('<img src="f.svg" style="width: 600px">', encoding="utf-8")
    visit = Visit(browser, tmp_path / "p.html", 800)
    size = "() => { const i = document.images[0]; return [i.naturalWidth > 0, i.clientHeight]; }"
    there, tall = visit.page.evaluate(size)
    assert there and 300 < tall < 360
    visit.close()


@needs_chromium
def test_paper_is_white_and_shows_the_wide_figure(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, save(render_frontier(frontier()), tmp_path / "f.html"), 700, "dark")
    dark = visit.background()
    visit.page.emulate_media(media="print")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert visit.background() == "rgb(255, 255, 255)" != dark
    seen = "document.querySelector('#p-frontier svg.wide').clientWidth"
    assert visit.page.evaluate(seen) > 500
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    visit.page.emulate_media(media="screen")
    assert visit.background() == dark
    visit.close()


def test_names_are_escaped() -> None:
    evil = "</style></svg><script>alert(1)</script>"
    whole = frontier()
    bound = Bound(BoundKind.DRIFT, detail=evil)
    points = tuple(dataclasses.replace(p, curve=evil, bound=bound) for p in whole.points[:6])
    bad = dataclasses.replace(
        whole,
        title=evil,
        curves=(dataclasses.replace(CURVES[0], name=evil, text=evil),),
        points=points,
    )
    assert "<script>alert" not in render_frontier(bad)
    assert "<script>alert" not in frontier_svg(bad)
