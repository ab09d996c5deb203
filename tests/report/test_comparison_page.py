"""The page of a comparison in a real browser: keys, changes in their order, both runs drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from accessible import faint_words, touching_words, violations
from chromium import Visit, needs_chromium
from surgetank.compare import Comparison, compare_runs
from surgetank.compare.sides import JudgedRun, judged
from surgetank.console.comparisons import show_comparison
from surgetank.number_format import NBSP
from surgetank.report.comparison import render_comparison
from surgetank.report.comparison.wording import sentence
from surgetank.report.shell import save
from surgetank.testing import executed, make_trace, unfinished
from surgetank.trace import Trace
from surgetank.verdict import Status, Verdict

MS, SECOND = 1_000_000, 1_000_000_000
LIMITS = {"limits": {"delay_p99_ms_max": 30.0}}


def made(seed: int, delay_ms: int, *, refused: int = 0, **scenario: object) -> Trace:
    """600 messages in 10 s, some of them refused; every seventh is slower."""
    rows = [
        executed(i, i * 10 * SECOND // 600, (delay_ms + seed % 3 + 5 * (i * 7 % 11)) * MS)
        for i in range(600 - refused)
    ]
    rows += [unfinished(600 - i, 9 * SECOND + i * MS, 2) for i in range(1, refused + 1)]
    return make_trace({"messages": rows}, seed=seed, scenario={**LIMITS, **scenario})


def pair(a: Trace, b: Trace) -> tuple[Comparison, tuple[Trace, Trace]]:
    return compare_runs([judged(a)], [judged(b)]), (a, b)


def two() -> tuple[Comparison, tuple[Trace, Trace]]:
    """Slower, with refusals, and another key; a tape on one side."""
    tape = {"tape_hash": "ab" * 20, "tape_options": ["--tape", "bars.csv", "--speed", "60"]}
    other = {"network": {"nodes": 9}, **tape}
    return pair(made(1, 10), made(1, 25, refused=30, **other))


def several() -> tuple[Comparison, tuple[Trace, Trace]]:
    """Five seeds of either scenario."""
    sides = [[made(seed, delay) for seed in range(1, 6)] for delay in (10, 20)]
    found = compare_runs(*[[judged(trace) for trace in side] for side in sides])
    return found, (sides[0][0], sides[1][0])


def invalid() -> tuple[Comparison, tuple[Trace, Trace]]:
    """One of two runs failed its own checks."""
    a, b = made(1, 10), made(1, 25)
    bad: JudgedRun = replace(judged(b), verdict=Verdict(Status.INVALID, ()))
    return compare_runs([judged(a)], [bad]), (a, b)


PAGES: dict[str, Callable[[], tuple[Comparison, tuple[Trace, Trace]]]] = {
    "two": two,
    "several": several,
    "invalid": invalid,
    "identical": lambda: pair(made(1, 10), made(1, 10)),
    "empty": lambda: pair(make_trace(), make_trace(seed=2)),
}


@needs_chromium
@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("two", 1280, "light"),
        ("two", 390, "dark"),
        ("several", 390, "light"),
        ("invalid", 1280, "dark"),
        ("identical", 390, "light"),
        ("empty", 390, "light"),
    ],
)
def test_page_loads_nothing_and_can_be_read(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    page = render_comparison(*PAGES[name](), ("runs/before", "runs/after"))
    assert len(page.encode()) < 400_000
    visit = Visit(browser, save(page, tmp_path / "page.html"), width, scheme)
    assert visit.said == [] and visit.loaded() == []
    assert visit.overflow() <= 0
    assert visit.cut_words() == [] and touching_words(visit) == [] and faint_words(visit) == []
    assert violations(visit) == []
    words = set(visit.page.inner_text("main").split())
    assert not {"None", "nan", "inf"} & words
    visit.close()


@needs_chromium
def test_keys_come_first_and_changes_by_significance(browser: Browser, tmp_path: Path) -> None:
    found, traces = two()
    visit = Visit(browser, save(render_comparison(found, traces), tmp_path / "page.html"), 1280)
    heads = visit.page.evaluate("[...document.querySelectorAll('main h2')].map((h) => h.id)")
    assert heads == ["h-runs", "h-keys", "h-changed", "h-charts"]
    rows = visit.page.evaluate(
        """[...document.querySelectorAll('section > table.compared')][0].querySelectorAll(
            'tbody tr').values().map((r) => r.querySelector('code').textContent).toArray()"""
    )
    clear = [one.name for one in found.ranked if one.exceeds_noise]
    assert rows == clear[:20] and "delay_p50_ms" in rows
    p = [one.p or 0.0 for one in found.ranked if one.exceeds_noise]
    assert p == sorted(p)
    text = visit.page.inner_text("main").replace(NBSP, " ")
    assert "network.nodes\t" in text and "--speed 60" in text
    assert "One run of each shows no significant change." in text
    figures = visit.page.evaluate("[...document.querySelectorAll('figure')].map((f) => f.id)")
    assert figures == ["p-ratios", "p-delay", "p-load", "p-budget"]
    visit.close()


@needs_chromium
def test_without_scripts_everything_is_there(browser: Browser, tmp_path: Path) -> None:
    file = save(render_comparison(*two()), tmp_path / "page.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("figure svg.wide path.trace").count() > 8
    assert page.locator("table.compared").first.is_visible()
    context.close()


def test_an_invalid_run_shows_nothing_as_better_or_worse() -> None:
    page = render_comparison(*invalid())
    assert "✓ better" not in page and "✕ worse" not in page
    assert "A run is INVALID" in page
    whole = render_comparison(*pair(made(1, 10), made(1, 25)))
    assert "✕ worse" in whole


def test_of_several_seeds_changes_are_significant() -> None:
    page = render_comparison(*several())
    assert "Over 5 seeds, " in page and "changed significantly" in page
    assert "Figures over time are of seed 1 of both" in page


def test_runs_of_two_scenarios_are_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    """First, on page and terminal; and not where only keys or seeds differ."""
    found, traces = two()
    assert "Runs of two scenarios" not in render_comparison(found, traces)
    run = replace(found.b.runs[0], run=replace(found.b.run, name="calm"))
    other = replace(found, b=replace(found.b, runs=(run,)))
    said = f"Runs of two scenarios, {found.a.run.name} and calm, which differ in "
    assert said in sentence(other) and said in render_comparison(other, traces)
    show_comparison(Console(width=200), other)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(said)


def test_identical_runs() -> None:
    page = render_comparison(*PAGES["identical"]())
    assert "identical, byte for byte" in page and "The runs have one name" in page
