"""Figures over time: no extreme is left out, and what the script adds to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from crash_day import crash_day
from surgetank.measure import measure
from surgetank.number_format import milliseconds
from surgetank.report import render, write
from surgetank.report.charts.envelope import envelope
from surgetank.report.plot import Plot, Scale, path, text_width
from surgetank.testing import executed, make_trace
from surgetank.trace import MarketKind, Trace
from surgetank.verdict import judge

SECOND = 1_000_000_000


def html_of(trace: Trace) -> str:
    measures = measure(trace)
    return render(trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace))


@given(
    some.binary(min_size=50, max_size=120),
    some.integers(1, 30),
)
def test_the_envelope_has_the_extremes_of_every_interval(values: bytes, columns: int) -> None:
    y = np.frombuffer(values, dtype=np.uint8).astype(np.float64)
    x = np.arange(len(y), dtype=np.float64)
    kept = envelope(x, y, columns)
    assert list(kept) == sorted(set(kept)) and len(kept) <= max(4 * columns + 4, 1)
    assert kept[0] == 0 and kept[-1] == len(y) - 1
    if len(y) > 4 * columns:
        interval = (x / x[-1] * columns).astype(int)
        for one in np.unique(interval):
            of, drawn = y[interval == one], y[kept][interval[kept] == one]
            assert (of.min(), of.max()) == (drawn.min(), drawn.max())


def test_labels_of_ticks_do_not_touch() -> None:
    axis = Scale(0.001, 10_000.0, True, milliseconds, "time")
    plot = Plot((260, 120), axis, Scale(0.0, 1.0))
    plot.x_axis(30)
    labels = re.findall(r'<text x="([\d.]+)"[^>]*>([^<]+)</text>', str(plot.svg("", "wide")))
    labels = labels[:-1]  # without the title
    assert len(labels) > 2
    for (x, words), (following, further) in pairwise(labels):
        assert float(following) - float(x) > (text_width(words) + text_width(further)) / 2


def places(data: str) -> list[tuple[float, float]]:
    """The places of path data of M, l, h and v."""
    found: list[tuple[float, float]] = []
    at = (0.0, 0.0)
    for letter, numbers in re.findall(r"([Mlhv])([^Mlhvz]*)", data):
        v = [float(n) for n in re.findall(r"-?\d*\.?\d+", numbers)]
        match letter:
            case "M":
                at = (v[0], v[1])
            case "l":
                at = (at[0] + v[0], at[1] + v[1])
            case "h":
                at = (at[0] + v[0], at[1])
            case _:
                at = (at[0], at[1] + v[0])
        found.append(at)
    return found


@given(
    some.lists(
        some.tuples(some.floats(0, 999), some.floats(-999, 999)) | some.just((np.nan, 0.0)),
        max_size=60,
    )
)
def test_a_path_goes_through_every_place(wanted: list[tuple[float, float]]) -> None:
    """To a twentieth of a pixel, however many moves it is made of."""
    drawn = places(path(wanted))
    for x, y in wanted:
        if not np.isnan(x):
            assert any(abs(x - a) < 0.051 and abs(y - b) < 0.051 for a, b in drawn)


@pytest.mark.parametrize("spike", [1, 20_011, 49_999])
def test_one_price_among_fifty_thousand_is_drawn(spike: int) -> None:
    prices = [1_000 + k % 7 for k in range(60_000)]
    prices[spike] = 5_000
    rows = [
        {"time_ns": k * 1000, "kind": MarketKind.INDEX, "price": p} for k, p in enumerate(prices)
    ]
    html = html_of(make_trace({"messages": [executed(1, 0, 5)], "market": rows}))
    drawings = re.findall(r'<svg[^>]*class="fig.*?</svg>', html.split('id="p-price"')[1], re.S)[:2]
    for drawing in drawings:
        box = re.search(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawing)
        line = re.search(r'class="trace bold" d="([^"]*)"', drawing)
        assert box is not None and line is not None
        top, tall = float(box[1]), float(box[2])
        downs = [y for _, y in places(line[1])]
        # The axis leaves a twentieth of the range free above and below.
        assert min(downs) == pytest.approx(top + tall * 0.05 / 1.1, abs=0.2)
        assert max(downs) == pytest.approx(top + tall * 1.05 / 1.1, abs=0.2)
        assert len(downs) < 2_000
    assert re.search(r'"\$[\d.,]+ – \$[\d.,]+"', html), "its interval beside the pointer"


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    trace = crash_day()
    measures = measure(trace)
    verdict = judge(measures, trace.scenario.limits.as_mapping(), trace)
    file = tmp_path_factory.mktemp("page") / "report.html"
    visit = Visit(browser, write(trace, measures, verdict, file), 1280)
    yield visit
    assert visit.said == []
    visit.close()


def place_of(visit: Visit, figure: str, second: float) -> tuple[float, float]:
    """Where (px in the window) a figure shows this time of the crash day's 70 s."""
    visit.page.locator(f"#p-{figure} svg.wide").scroll_into_view_if_needed()
    left, top, width, height = visit.page.evaluate(
        f"""(() => {{
            const svg = document.querySelector('#p-{figure} svg.wide');
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            const rect = svg.querySelector('clipPath rect'), at = svg.getBoundingClientRect();
            const names = ['x', 'y', 'width', 'height'];
            const [x, y, w, h] = names.map((name) => rect.getAttribute(name) * scale);
            return [at.left + x, at.top + y, w, h];
        }})()"""
    )
    return left + width * second / 70, top + height / 2


def ticks(visit: Visit, figure: str) -> list[str]:
    texts = f"[...document.querySelectorAll('#p-{figure} svg.wide .ticks text')]"
    found: list[str] = visit.page.evaluate(f"{texts}.map((text) => text.textContent)")
    return found


@needs_chromium
def test_values_are_shown_beside_the_pointer_and_by_the_arrow_keys(desk: Visit) -> None:
    desk.page.mouse.move(*place_of(desk, "lag", 30))
    assert re.search(r"node \d+ \(\S+\)", desk.page.inner_text(".readout"))
    desk.page.mouse.move(*place_of(desk, "price", 30))
    shown = desk.page.inner_text(".readout")
    assert shown.startswith("30.0 – 30.5 s") and "outside price" in shown and "$" in shown
    desk.page.mouse.move(5, 5)
    assert desk.page.locator(".readout").count() == 0
    desk.page.focus("#p-throughput .picture")
    for _ in range(3):
        desk.page.keyboard.press("ArrowRight")
    assert desk.page.inner_text(".readout").startswith("1.5 – 2.0 s")
    desk.page.keyboard.press("Escape")
    assert desk.page.locator(".readout").count() == 0


@needs_chromium
def test_zooming_one_figure_zooms_the_others(desk: Visit) -> None:
    whole = ticks(desk, "lag")
    begin, end = place_of(desk, "price", 20), place_of(desk, "price", 30)
    desk.page.mouse.move(*begin)
    desk.page.mouse.down()
    desk.page.mouse.move(*end)
    desk.page.mouse.up()
    assert ticks(desk, "price")[0] in ("20", "21") and ticks(desk, "price")[-1] in ("29", "30")
    assert ticks(desk, "lag") == ticks(desk, "price")
    desk.page.click("text=Show the whole run")
    assert ticks(desk, "lag") == whole


@needs_chromium
def test_an_entry_of_the_key_hides_its_series(desk: Visit) -> None:
    entry = desk.page.locator("#p-throughput .keys button").first
    line = desk.page.locator("#p-throughput svg.wide .series").first
    assert line.is_visible()
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false" and not line.is_visible()
    entry.click()
    assert line.is_visible()


@needs_chromium
def test_without_javascript_every_figure_is_there(browser: Browser, tmp_path: Path) -> None:
    trace = crash_day()
    measures = measure(trace)
    file = write(trace, measures, judge(measures, {}, trace), tmp_path / "report.html")
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("svg.wide:visible").count() == page.locator("figure").count() > 10
    assert page.locator("button:visible").count() == 0, "what a script does is not offered"
    context.close()


def test_each_perpetual_has_a_panel_in_its_own_ticks() -> None:
    path_of_price = {"path": {"kind": "follows", "start_usd": 3000.0}}
    further = {"name": "ETH", "tick_usd": 0.01, "price": path_of_price}
    market = {"name": "BTC", "tick_usd": 0.1, "perpetuals": [further]}
    rows = [
        {"time_ns": k * SECOND, "kind": MarketKind.INDEX, "price": 600_000 + k, "market": 0}
        for k in range(5)
    ]
    rows += [{**row, "price": 300_000 - row["price"] % 10, "market": 1} for row in rows]
    trace = make_trace(
        {"messages": [executed(1, 0, 5)], "market": sorted(rows, key=lambda row: row["time_ns"])},
        scenario={"market": market},
        end_ns=5 * SECOND,
    )
    figure = html_of(trace).split('id="p-price"')[1].split("</figure>")[0]
    wide = re.findall(r"<svg.*?</svg>", figure, re.S)[0]
    assert "price of BTC, USD" in wide and "price of ETH, USD" in wide
    assert wide.count('class="trace bold"') == 2
    dollars = {float(text.replace(",", "")) for text in re.findall(r"\$([\d,.]+)<", wide)}
    tick_usd = trace.stats.tick_usd
    first, second = (600_000 * tick_usd, 600_005 * tick_usd), (2_999.9, 3_000.1)
    for low, high in (first, second):
        assert any(low <= value <= high for value in dollars), dollars
    assert all(any(a <= value <= b for a, b in (first, second)) for value in dollars), dollars
