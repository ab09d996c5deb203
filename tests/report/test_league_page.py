"""The league's page: it loads nothing, fits, and every cell says its number."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from hand_made_league import ATTACKS, LIQUIDATION, RULES, league, with_invalid, with_lines
from surgetank.catalogue import THRESHOLDS, Better
from surgetank.league import Entrant, League
from surgetank.league.columns import SHOWN, better, rising, unit_of
from surgetank.number_format import NBSP
from surgetank.report.league import render_league, wording
from surgetank.report.league.figure import maps, shade
from surgetank.report.shell import save


def spaced(text: str) -> str:
    return text.replace(NBSP, " ")


def cases() -> dict[str, League]:
    whole = league()
    long = "priority, high price-update+liquidation-order+cancel, load 12000"
    named = tuple(
        dataclasses.replace(m, entrant=long if m.entrant == "priority" else m.entrant)
        for m in whole.made
    )
    grid = tuple(
        Entrant(long if e.name == "priority" else e.name, e.rule, e.values) for e in whole.entrants
    )
    return {
        "whole": whole,
        "eight rules, eleven attacks": league(8, 11),
        "one attack, one seed": league(3, 1, 1),
        "one rule": league(1, 4),
        "searches": with_lines(),
        "invalid": with_invalid(),
        "long names": dataclasses.replace(whole, entrants=grid, made=named),
        "nothing measured": dataclasses.replace(whole, rank="delay_p99_ms.price-update"),
    }


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(cases()))
def test_page_loads_nothing_and_fits(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    visit = Visit(browser, save(render_league(cases()[name]), tmp_path / "l.html"), width, scheme)
    visit.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    assert visit.cut_words() == []
    text = visit.page.inner_text("main")
    assert not {"None", "nan", "inf", "true", "false"} & set(text.split())
    visit.close()


@needs_chromium
def test_words_stay_inside_their_cells(browser: Browser, tmp_path: Path) -> None:
    """On a desk and on a phone, with as many attacks as there may be."""
    place = save(render_league(league(8, 11)), tmp_path / "l.html")
    for width in (1280, 390):
        visit = Visit(browser, place, width)
        outside = visit.page.evaluate(
            """() => [...document.querySelectorAll('svg.fig')].filter((s) => s.clientWidth)
                .flatMap((s) => {
                    const boxes = [...s.querySelectorAll('rect.cell')]
                        .map((c) => c.getBoundingClientRect());
                    return [...s.querySelectorAll('text.value, text.ends')].filter((t) => {
                        const b = t.getBoundingClientRect();
                        return !boxes.some((c) => c.left <= b.left && b.right <= c.right
                            && c.top <= b.top + 2 && b.bottom <= c.bottom + 2);
                    }).map((t) => t.textContent);
                })"""
        )
        assert outside == []
        visit.close()


@needs_chromium
def test_the_table_is_the_order(browser: Browser, tmp_path: Path) -> None:
    whole = league(seeds=12)
    visit = Visit(browser, save(render_league(whole), tmp_path / "l.html"), 1280)
    rows = "() => [...document.querySelectorAll('.league tbody tr')].map((r) => r.innerText)"
    cells = [spaced(row).split("\t") for row in visit.page.evaluate(rows)]
    assert [c[0].strip() for c in cells] == ["1", "2", "3", "4"]
    assert [c[1].strip() for c in cells] == ["priority", "fee", "class", "fifo"]
    for s, c in zip(whole.standings, cells, strict=True):
        assert c[2].startswith(spaced(wording.value_text(s.worst.mean, "ms"))) and c[3] == s.attack
    assert [c[4] for c in cells] == ["", "significant", "significant", "significant"]
    text = spaced(visit.page.inner_text("main"))
    assert "priority is significantly better than all others. Its worst-case p99 latency of" in text
    assert "That of fifo, the last, is ∞ under spam, else 198 ms (under cancel-storm)." in text
    visit.close()


def test_every_cell_is_drawn_once_and_says_its_number() -> None:
    """Wide and narrow show the same cells, in whatever blocks."""
    found = league(8, 11)
    drawn = maps(found)
    assert [m.title for m in drawn] == [wording.measure_title(name) for name in found.shown]
    for m, name in zip(drawn, found.shown, strict=True):
        for svg in m.svgs:
            root = ElementTree.fromstring(str(svg))
            ns = "{http://www.w3.org/2000/svg}"
            cells = [r for r in root.iter(f"{ns}rect") if "cell" in r.attrib["class"].split()]
            tips = [c.findtext(f"{ns}title") or "" for c in cells]
            wanted = {(e, a) for e in RULES for a in ATTACKS}
            assert {tuple(t.split(":")[0].split(" under ")) for t in tips} == wanted
            assert len(tips) == len(wanted)
            for tip in tips:
                e, a = tip.split(":")[0].split(" under ")
                value = found.estimate(e, a, name)
                assert tip.endswith(": " + wording.cell_text(value, unit_of(name), 3))
            values = [t.text for t in root.iter(f"{ns}text") if t.attrib["class"] == "value"]
            assert len(values) == len(wanted)


def test_darker_is_worse() -> None:
    """By ratio for times, and never dark for a difference that is next to none."""
    times = [10.0, 20.0, 80.0]
    assert [shade(v, times, "ms", more_is_better=False) for v in times] == [
        0.0,
        pytest.approx(1 / 3),
        1.0,
    ]
    assert shade(101.0, [100.0, 101.0], "ms", more_is_better=False) == pytest.approx(
        math.log(1.01) / math.log(2)
    )
    shares = [0.5, 1.0]
    assert [shade(v, shares, "share", more_is_better=True) for v in shares] == [1.0, 0.0]
    assert shade(math.inf, [10.0, math.inf], "ms", more_is_better=False) == 1.0
    assert shade(80.0, [*times, math.inf], "ms", more_is_better=False) == pytest.approx(0.8)
    assert shade(None, times, "ms", more_is_better=False) is None
    assert shade(5.0, [5.0, 5.0], "USD", more_is_better=False) == 0.0


def test_what_does_not_count_is_said() -> None:
    html = spaced(render_league(with_invalid()))
    assert 'data-status="INVALID"' in html and "2 invalid" in html and "3 invalid" in html
    assert "fee under spam (seed 7)" in html and "8 sent, 100 expected" in html
    assert "drr needs a `quantum`" in html, "what was left out"
    lines = spaced(render_league(with_lines()))
    assert "UNKNOWN 1,420 /s (1,200 /s – 1,700 /s)" in lines
    assert "UNKNOWN: the line was not reached (25600)" in lines
    assert "812× (770× – 861×)" in lines
    assert 'data-status="FOUND"' in render_league(league(seeds=12))
    assert 'data-status="UNKNOWN"' in render_league(league(seeds=3)), "without a winner"


def test_units_and_directions() -> None:
    """Every measure shown has a unit that a reader can read."""
    reported = {name: (unit_of(name), rising(name)) for name in SHOWN}
    assert reported[LIQUIDATION] == ("ms", False) and reported["bad_debt_usd"] == ("USD", False)
    assert reported["executed_share"] == ("share", True) and reported["delay_gini"] == ("1", False)
    assert unit_of("throughput_per_s") == "1/s" and unit_of("systemic_desync_s") == "s"
    assert unit_of("cascade_generations_max") == "count" and unit_of("saturation.uplink") == "share"
    assert all(better(name) is not Better.NEITHER for name in (*SHOWN, *THRESHOLDS))


@needs_chromium
def test_paper_is_white_and_open(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, save(render_league(league()), tmp_path / "l.html"), 700, "dark")
    dark = visit.background()
    visit.page.emulate_media(media="print")
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert visit.background() == "rgb(255, 255, 255)" != dark
    closed = "[...document.querySelectorAll('details')].filter((d) => !d.open).length"
    assert visit.page.evaluate(closed) == 0
    visit.close()


def test_names_are_escaped() -> None:
    evil = "</style></svg><script>alert(1)</script>"
    whole = league()
    made = tuple(dataclasses.replace(m, entrant=evil) for m in whole.made if m.entrant == "fifo")
    bad = dataclasses.replace(
        whole, title=evil, entrants=(Entrant(evil, evil, {"x": evil}),), made=made, left_out=(evil,)
    )
    assert "<script>alert" not in render_league(bad)
