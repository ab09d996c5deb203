"""The page of a risk answer in a real browser: it loads nothing, fits, and says its numbers."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from crashes import crash, falling, jumping
from surgetank.number_format import NBSP, usd
from surgetank.report.risk import render_risk
from surgetank.report.shell import save
from surgetank.risk import Risk, risk
from surgetank.risk.answer import InvalidRun

TRIES: dict[str, dict[str, float]] = {
    "half the leverage, in words that are too long for a narrow column of a figure": {
        "market.positions.leverage_max": 25.0
    },
    "keepers": {"flow.keepers.count": 2},
}
CAUSES = ["causes-leverage", "causes-size"]


@pytest.fixture(scope="module")
def found() -> Risk:
    """Losses of several groups, two limits, and two changes of which one helps."""
    scenario = crash(jumping(0.9, math.log(0.9)), accounts=60, leverage=50.0)
    scenario = scenario.with_values(
        {"market.positions.leverage_min": 2.0, "market.margin.insurance_usd": 3_000.0}
    )
    limits = {"bad_debt_mean_usd_max": 10.0, "bad_debt_es95_usd_max": 1e9}
    return risk(scenario, runs=60, workers=1, tries=TRIES, limits=limits)


@pytest.fixture(scope="module")
def answers(found: Risk) -> dict[str, tuple[Risk, list[str]]]:
    """Answers by name, and the figures of each."""
    nothing = risk(crash(falling(0.999)), runs=30, workers=1)
    seeds = tuple(InvalidRun(seed, "money_conserved: violated") for seed in (3, 9))
    invalid = dataclasses.replace(found, invalid=seeds, estimates=(), reasons=())
    changes = ["changes-mean", "changes-beyond"]
    return {
        "found": (found, ["exceedance", *CAUSES, *changes]),
        "nothing": (nothing, []),
        "invalid": (invalid, []),
    }


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", ["found", "nothing", "invalid"])
def test_page_loads_nothing_fits_and_draws_its_figures(
    browser: Browser,
    tmp_path: Path,
    answers: dict[str, tuple[Risk, list[str]]],
    name: str,
    width: int,
    scheme: str,
) -> None:
    answer, pictures = answers[name]
    visit = Visit(browser, save(render_risk(answer), tmp_path / "a.html"), width, scheme)
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    ids = "() => [...document.querySelectorAll('figure')].map((f) => f.id.slice(2))"
    assert visit.page.evaluate(ids) == pictures
    assert visit.cut_words() == []
    assert visit.page.locator("#verdict-word").inner_text() == answer.verdict.status
    text = visit.page.inner_text("main")
    assert not {"None", "nan", "inf"} & set(text.split())
    visit.close()


def test_numbers_are_the_answer_s(found: Risk) -> None:
    """Mean with its interval, UNKNOWN with the number of runs it needs, causes, and changes."""
    page = render_risk(found).replace(NBSP, " ")
    mean = found["bad_debt_mean_usd"]
    assert mean.value is not None and mean.low is not None and mean.high is not None
    ends = f"{usd(mean.low)} to {usd(mean.high)}".replace(NBSP, " ")
    assert usd(mean.value).replace(NBSP, " ") in page and ends in page
    assert "needs 2,000 runs" in page and "20× to 50×" in page
    half, keepers = found.effects
    assert half.differences["mean"].reduces and "no effect shown" in page
    assert usd(half.differences["mean"].value).replace(NBSP, " ") in page
    assert keepers.differences["mean"].value == 0
    assert len(page) < 400_000
