"""The report in a real browser: it loads nothing, says its verdict, fits, and draws every chart."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from crash_day import crash_day
from surgetank import number_format as w
from surgetank.catalogue import title_of
from surgetank.measure import measure
from surgetank.report import render, write
from surgetank.report.scenario_text import toml
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import MarketKind, Outcome, Trace
from surgetank.verdict import Reason, Status, judge

SECOND = 1_000_000_000
BYTES_MAX = 400_000
ALL_CHARTS = {
    *("throughput", "delay", "stages", "stages-class", "waits", "queues", "lag", "budget"),
    *("propagation", "price", "due", "debt", "liquidations"),
}


#: Limits that anything keeps.
LOOSE = {"delay_p99_ms_max": 1e12, "bad_debt_usd_max": 1e12}


def report(trace: Trace, folder: Path) -> Path:
    measures = measure(trace)
    limits = trace.scenario.limits.as_mapping()
    verdict = judge(measures, limits, trace)
    return write(trace, measures, verdict, folder / "report.html")


def html_of(trace: Trace) -> str:
    measures = measure(trace)
    return render(trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(crash_day(), tmp_path_factory.mktemp("report"))


def charts(visit: Visit) -> dict[str, int]:
    """Chart → shapes drawn with data in the drawing that is shown."""
    found: dict[str, int] = visit.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('figure')].map((f) => [
            f.id.slice(2),
            [...f.querySelectorAll('svg :is(.trace, .area, .part, .marks, .cells, rect.lag-0)')]
                .filter((x) => x.getBoundingClientRect().width > 0).length]))"""
    )
    return found


@pytest.fixture(scope="module")
def desk(browser: Browser, whole: Path) -> Iterator[Visit]:
    visit = Visit(browser, whole, 1280)
    yield visit
    visit.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, whole: Path) -> Iterator[Visit]:
    visit = Visit(browser, whole, 390, "dark")
    yield visit
    visit.close()


@needs_chromium
@pytest.mark.parametrize("device", ["desk", "phone"])
def test_page_loads_nothing_fits_and_draws_every_chart(
    device: str, request: pytest.FixtureRequest
) -> None:
    visit: Visit = request.getfixturevalue(device)
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    word = visit.page.locator("#verdict-word")
    box = word.bounding_box()
    assert word.inner_text() == "FAIL" and box is not None and box["y"] + box["height"] < 844
    assert visit.cut_words() == []
    found = charts(visit)
    assert set(found) == ALL_CHARTS
    assert all(found.values()), found
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert visit.overflow() <= 0


def partial_traces() -> dict[str, Trace]:
    ordered = {"layer": {"consensus": {"kind": "none"}}}
    messages = [executed(i, i * SECOND // 10, 20_000_000) for i in range(50)]
    gossip = [
        unfinished(i, i * SECOND, gateway_ns=i * SECOND, admitted_ns=i * SECOND + 1)
        for i in range(9)
    ]
    spread = [
        {"message": i, "node": k, "time_ns": i * SECOND + k * 9_000_000}
        for i in range(9)
        for k in range(3)
    ]
    return {
        "stopped, no market": dataclasses.replace(crash_day(market=False), complete=False),
        "no faults": crash_day(faults=False),
        "messages only": make_trace({"messages": messages}),
        "half lost": make_trace(
            {
                "messages": [
                    executed(i, i * SECOND // 20, 20_000_000)
                    if i % 2
                    else unfinished(i, i * SECOND // 20, outcome=Outcome.LOST)
                    for i in range(200)
                ]
            }
        ),
        "nothing executed": make_trace({"messages": [unfinished(i, i) for i in range(20)]}),
        "spread only": make_trace({"messages": gossip, "receipts": spread}, scenario=ordered),
        "nothing at all": make_trace(),
    }


@needs_chromium
@pytest.mark.parametrize("name", list(partial_traces()))
def test_partial_data_is_reported(browser: Browser, tmp_path: Path, name: str) -> None:
    visit = Visit(browser, report(partial_traces()[name], tmp_path), 390)
    assert visit.said == []
    assert visit.overflow() <= 0
    found = charts(visit)
    assert all(found.values()), found
    text = visit.page.inner_text("main")
    assert "None" not in text and "nan" not in text.lower().split()
    expected = {
        "stopped, no market": lambda: "price" not in found and "Incomplete run" in text,
        "no faults": lambda: "Faults, asked" not in text and "lag" in found,
        "messages only": lambda: "delay" in found and "lag" not in found,
        "half lost": lambda: "No bin has a finite p99" in text,
        "nothing executed": lambda: "No message was executed." in text,
        "spread only": lambda: set(found) == {"throughput", "budget", "propagation"},
        "nothing at all": lambda: not found and "No client message was sent" in text,
    }
    assert expected[name](), text[:2000]
    visit.close()


def test_file_is_small_and_links_to_nothing(whole: Path) -> None:
    html = whole.read_text(encoding="utf-8")
    assert len(html.encode()) < BYTES_MAX
    assert html.count("<script>") == 1
    own = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert re.findall(r"\b(?:src|href)=(?![\"']?(?:data:|#))[^\s>]*", own) == []
    assert "@import" not in own and not re.findall(r"url\((?!#)", own)
    assert "default-src 'none'" in own


def test_names_from_a_scenario_are_escaped() -> None:
    evil = "</script><script>alert(1)</script>"
    fault = {"kind": "slow", "quantity": evil, "until_ns": 5 * SECOND}
    trace = make_trace(
        {"messages": [executed(1, 0, 5)], "faults": [fault]},
        name=evil,
        scenario={"title": evil},
    )
    assert "<script>alert" not in html_of(trace)


def test_timeline_counts_episodes_and_a_surge_decays() -> None:
    """Node 1 lacks the only block for 3 s, beyond the 1 s that the scenario allows."""
    ran = [{"node": n, "height": 1, "executed_ns": t * SECOND} for n, t in ((0, 1), (1, 4))]
    profile = {"kind": "spike", "at_s": 1.0, "factor": 6.0, "decay_s": 1.0}
    trace = make_trace(
        {"messages": [executed(1, 0, 5)], "executions": ran},
        scenario={"limits": {"lag_max_ms": 1000.0}, "flow": {"profile": profile}},
        nodes=2,
    )
    html = html_of(trace).replace(w.NBSP, " ")
    assert "in all 2 s, in 1 episode<" in html
    assert "background load × 6, decaying" in html


def test_commands_in_text_are_marked_as_code() -> None:
    html = html_of(crash_day())
    visible = html.split("<main")[1].split("<script")[0]
    assert "<code>surgetank explain FOLDER</code>" in visible
    assert "`" not in visible and "&lt;code" not in visible


def test_a_run_without_limits_is_named_so() -> None:
    assert "No limits are set: only the run" in html_of(
        make_trace({"messages": [executed(1, 0, 5)]})
    )


def test_sentence_names_delay_nodes_lateness_and_money() -> None:
    html = html_of(crash_day()).replace(w.NBSP, " ")
    sentence = html.split('class="sentence">')[1].split("</p>")[0]
    assert "6 of 21 nodes fell out of step" in sentence
    assert re.search(r"accounts became due for liquidation: \d+ liquidated late", sentence)
    assert "of bad debt, insurance exhausted at" in sentence


def test_sentence_counts_late_in_time_recovered_and_never_liquidated_apart() -> None:
    """Late after 100 ms: two accounts closed after 200 and 400 ms (one by deleveraging), one after
    50 ms; one recovered; two never closed, one of them due 40 ms before the end."""
    ms = 1_000_000
    facts = [
        *((100, "due", {"account": n}) for n in range(1, 6)),
        (150, "liquidated", {"account": 1, "ref_ns": 100 * ms, "qty": -5}),
        (300, "liquidated", {"account": 2, "ref_ns": 100 * ms, "qty": -5}),
        (350, "recovered", {"account": 3}),
        (500, "deleveraged", {"account": 4, "other": 9, "price": 10_000, "qty": 5}),
        (960, "due", {"account": 6}),
    ]
    rows = [{"time_ns": t * ms, "kind": MarketKind.named(kind), **c} for t, kind, c in facts]
    trace = make_trace(
        {"messages": [executed(1, 0, 5)], "market": rows},
        scenario={"market": {"margin": {"late_after_ms": 100.0}}},
        end_ns=1000 * ms,
    )
    html = html_of(trace).replace(w.NBSP, " ")
    assert (
        "6 accounts became due for liquidation: 2 liquidated late (half of them more than 300 ms "
        "after becoming due), 1 liquidated in time, 1 recovered before that, 2 never liquidated;"
    ) in html


def test_numbers_on_either_side_of_a_limit_look_different() -> None:
    assert w.apart(2_000.4, 2_000, "ms") == (f"2,000.4{w.NBSP}ms", f"2,000{w.NBSP}ms")
    assert w.apart(0.99899, 0.999, "share") == (f"99.899{w.NBSP}%", f"99.9{w.NBSP}%")
    assert w.apart(None, 3, "count") == ("not measured", "3")
    assert w.apart(3, 3, "count") == ("3", "3")


def test_an_invalid_run_judges_no_limit() -> None:
    """What was measured stands there, and neither "met" nor "not met" beside it."""
    trace = crash_day()
    trace = dataclasses.replace(trace, scenario=trace.scenario.with_values({"limits": LOOSE}))
    measures = measure(trace)
    verdict = judge(measures, LOOSE, trace)
    assert "✓ met" in render(trace, measures, verdict)
    bad = Reason("money_conserved", None, None, Status.INVALID, "one quantum is missing")
    broken = dataclasses.replace(verdict, status=Status.INVALID, reasons=(bad, *verdict.reasons))
    html = render(trace, measures, broken)
    limits = html.split('class="stack reasons"')[1].split("</table>")[0]
    tiles = html.split('class="tiles"')[1].split("</dl>")[0]
    assert "not judged: the run is INVALID" in limits
    assert "met<" not in limits + tiles and "met <" not in limits + tiles
    assert ", not judged</text>" in html and '<li class="good">' not in html


def _luminance(colour: str) -> float:
    """Of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("ink", ["ink", "soft", "muted"])
def test_text_can_be_read(theme: int, ink: str) -> None:
    """At least 4.5 : 1 on every ground that text stands on (WCAG 2.2, 1.4.3)."""
    style = resources.files("surgetank.report").joinpath("style.css").read_text("utf-8")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", style.split(":root")[1 + theme]))
    for ground in ("page", "surface", "good-tint", "bad-tint", "odd-tint", "open-tint"):
        pair = sorted((_luminance(colours[ink]), _luminance(colours[ground])))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, ground


def test_scenario_survives_as_toml() -> None:
    scenario = {
        "name": 'a "quoted" \\ name\u007f',
        "text": "two\nlines with ''' inside",
        "plain": "two\nlines",
        "none": None,
        "flag": True,
        "flow": {"rate": 1e-9, "many": [1, 2.5], "empty": [], "odd key": "x"},
        "faults": [{"at_s": 1.0, "what": {"kind": "loss"}}, {"at_s": 2.0}],
    }
    wanted = {k: v for k, v in scenario.items() if v is not None}
    assert tomllib.loads(toml(scenario)) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (w.milliseconds(0.0004), "< 1 µs"),
        (w.milliseconds(0.25), "250 µs"),
        (w.milliseconds(3.14), "3.1 ms"),
        (w.milliseconds(340.2), "340 ms"),
        (w.milliseconds(999.7), "1 s"),
        (w.milliseconds(8123), "8.1 s"),
        (w.milliseconds(125_000), "2 min 5 s"),
        (w.milliseconds(math.inf), "never"),
        (w.usd(0), "$0"),
        (w.usd(950), "$950"),
        (w.usd(12_400), "$12.4 k"),
        (w.usd(-1_234_567), "−$1.2 M"),
        (w.usd(999_999), "$1 M"),
        (w.usd(-math.inf), "−∞"),
        (w.usd(math.nan), "not known"),
        (w.share(0.286), "28.6 %"),
        (w.share(0.0001234), "0.012 %"),
        (w.value(math.inf, "ms"), "∞"),
        (w.value(None, "ms"), "not measured"),
        (w.value(1234.5, "1/s"), "1,234 /s"),
    ],
)
def test_numbers_are_said_as_people_say_them(said: str, wanted: str) -> None:
    assert said.replace(w.NBSP, " ") == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("delay_p99_ms", "p99 latency"),
        ("delay_p99_ms.cancel", "p99 latency of cancels"),
        ("stage_mean_ms.client_link", "Mean stage time · client link"),
        ("desynchronised_share_max", "Nodes out of step at once"),
        ("makers_edge_usd", "Makers' trades against the outside price"),
    ],
)
def test_titles(name: str, wanted: str) -> None:
    assert title_of(name) == wanted
