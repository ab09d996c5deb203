"""The page of a search in a real browser: it loads nothing, fits, and says the answer's numbers."""

from __future__ import annotations

import dataclasses
import json
import re
from html import unescape
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from hand_made import ANSWERS, folding, found, invalid, safe, unknown, wide
from surgetank.measure import FailureKind
from surgetank.number_format import NBSP
from surgetank.report.search import render_search, sentence
from surgetank.report.shell import save
from surgetank.scenario.recording import ONE_RECORDING
from surgetank.search.answer import Answer, Failed
from surgetank.search.bound import Bound, BoundKind

PICTURES = {
    "found": ["broken", "delay", "throughput", "used"],
    "folding": ["broken", "delay", "throughput", "used"],
    "safe": ["broken", "delay", "used"],
    "unknown": ["broken", "delay", "throughput"],
    "wide": ["broken", "delay", "throughput", "used"],
    "invalid": ["broken", "delay", "throughput"],
}


def spaced(text: str) -> str:
    return text.replace(NBSP, " ")


def test_intervals_of_a_recording_are_said_to_be_those_of_one() -> None:
    """Above the figures, with the recording's name; written, read and shown again."""
    taped = dataclasses.replace(found(), recording="bars.csv: 60 s from 0 s on")
    assert f"{ONE_RECORDING} bars.csv: 60 s" in render_search(taped)
    assert ONE_RECORDING not in render_search(found())


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(ANSWERS))
def test_page_loads_nothing_fits_and_draws_its_figures(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    visit = Visit(browser, save(render_search(ANSWERS[name]()), tmp_path / "a.html"), width, scheme)
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    ids = "() => [...document.querySelectorAll('figure')].map((f) => f.id.slice(2))"
    assert visit.page.evaluate(ids) == PICTURES[name]
    assert visit.cut_words() == []
    word = visit.page.locator("#verdict-word")
    box = word.bounding_box()
    assert word.inner_text() == ANSWERS[name]().status
    assert box is not None and box["y"] + box["height"] < 844
    text = visit.page.inner_text("main")
    assert not {"None", "nan", "inf"} & set(text.split())
    visit.close()


def test_what_is_sent_in_all_is_stated_where_it_is_more_than_the_background() -> None:
    assert "in all" not in sentence(found())
    more = tuple(dataclasses.replace(x, offered_per_s=1.5 * x.level + 100) for x in found().levels)
    text = spaced(sentence(found(levels=more)))
    assert text.endswith("There, 1,952 messages/s are sent in all.")
    assert "in all" not in sentence(found(levels=more[:2])), "the threshold lies beyond them"


@needs_chromium
def test_numbers_are_the_answer_s(browser: Browser, tmp_path: Path) -> None:
    answer = found()
    visit = Visit(browser, save(render_search(answer), tmp_path / "a.html"), 1280)
    text = spaced(visit.page.inner_text("main"))
    head = "Throughput capacity of calm: 1,234 background messages/s"
    assert f"{head} (95 % interval 1,181 to 1,288)" in text
    assert "Bottleneck: uplink. Smallest change that moves the threshold" in text
    assert "uplink 100 → 150 Mbit/s, by +38 % (+30 % to +46 %), at the same bound of p99." in text
    rows = "() => [...document.querySelectorAll('.levels tbody tr')].map((r) => r.innerText)"
    cells = [spaced(row).split("\t") for row in visit.page.evaluate(rows)]
    assert [(c[1], c[2]) for c in cells] == [
        (str(x.runs), f"{x.broken:g} of {x.trials:g}") for x in answer.levels
    ]
    assert [c[5] for c in cells][:2] == ["61 ms", "74 ms"] and cells[-1][5] == "∞"
    assert "58.2 ms" in text and "57.1 ms – 59.4 ms, at 50 background messages/s" in text
    for name in ("scenario_hash", "build", "seed", "runs"):
        assert str(getattr(answer, name)) in text
    assert "1,234,567" in text
    visit.close()


@needs_chromium
def test_points_lie_where_their_numbers_are(browser: Browser, tmp_path: Path) -> None:
    """More runs, larger points; a larger share, a higher point; the line where half breaks."""
    visit = Visit(browser, save(render_search(found()), tmp_path / "a.html"), 1280)
    points = visit.page.evaluate(
        """() => [...document.querySelectorAll('#p-broken .wide circle')].map((c) => [
            c.querySelector('title').textContent,
            +c.getAttribute('cx'), +c.getAttribute('cy'), +c.getAttribute('r')])"""
    )
    said = {re.split(r"\s", point[0])[0]: point for point in points}
    assert list(said) == ["1,230", "1,190", "1,270", "1,150", "1,330", "1,000", "2,000"]
    assert [p[3] for p in points] == sorted((p[3] for p in points), reverse=True)
    across = sorted(points, key=lambda p: p[1])
    assert [p[0].split()[0] for p in across] == sorted(
        said, key=lambda s: float(s.replace(",", ""))
    )
    target = "document.querySelector('#p-broken .wide line.target').getAttribute('y1')"
    assert float(visit.page.evaluate(target)) == pytest.approx(said["1,230"][2], abs=0.2)
    edge = "document.querySelector('#p-broken .wide line.edge').getAttribute('x1')"
    assert said["1,230"][1] < float(visit.page.evaluate(edge)) < said["1,270"][1]
    visit.close()


def test_a_status_other_than_found_is_said_first() -> None:
    assert "not found. The threshold was not reached (25600)" in sentence(unknown())
    assert "no sufficiently narrow interval. 60 runs were not enough" in sentence(wide())
    assert "Estimate so far: 1,234" in sentence(wide())
    assert "no result, because a run is INVALID" in sentence(invalid())
    assert "are not evidence about the layer" in render_search(invalid())
    assert "are not evidence about the layer" not in render_search(found())


def test_a_response_that_falls_again_is_reported() -> None:
    html = spaced(render_search(folding()))
    assert "Not monotone: 100 % failed at 1330" in html
    assert "Throughput collapses past its peak: 1,251/s, then 760/s." in html
    assert ">collapse</text>" in html
    assert ">collapse</text>" not in render_search(found())


def test_leverage_is_said_as_a_multiple() -> None:
    text = "Safe leverage of calm: 27.43× (95 % interval 25.9× to 28.8×)."
    assert spaced(sentence(safe())) == text
    assert "51 of 5,105" in spaced(render_search(safe()))


def test_the_kind_of_failure_is_reported(tmp_path: Path) -> None:
    """On the page, in the terminal's words and in search.json, which reads back the same."""
    kinds = (
        Failed(FailureKind.STANDSTILL, first=11, seen=14, runs=20),
        Failed(FailureKind.STALE, first=9, seen=20, runs=20),
    )
    answer = found(find="failure-threshold", failures=kinds)
    page = spaced(unescape(render_search(answer)))
    assert "no node executed anything (standstill: 14 of 20 runs)" in page
    assert "came first in 11 of the 20 failing runs" in page
    assert page.index("standstill: 14") < page.index("stale: 20")
    answer.write(tmp_path / "search.json")
    assert Answer.read(tmp_path).failures == kinds
    assert json.loads((tmp_path / "search.json").read_text())["failures"][0]["kind"] == "standstill"
    assert "How it failed" not in render_search(found())


def test_names_are_escaped() -> None:
    evil = "</script><script>alert(1)</script>"
    bound = Bound(BoundKind.DRIFT, detail=evil)
    html = render_search(dataclasses.replace(found(), scenario=evil, bound=bound, most_used=evil))
    assert "<script>alert" not in html


def test_file_is_small_and_links_to_nothing() -> None:
    html = render_search(found())
    assert len(html) < 200_000
    assert re.findall(r"\b(?:src|href)=(?![\"']?(?:data:|#))[^\s>]*", html) == []
    assert "@import" not in html and "default-src 'none'" in html


def test_without_gauges_it_says_that_no_change_was_tried() -> None:
    blind = dataclasses.replace(found(), used=(), remedies=(), most_used="")
    assert "so no change was tried" in spaced(render_search(blind))
    assert "so no change was tried" not in spaced(render_search(found()))
