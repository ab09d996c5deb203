"""The page of the worst attack in a real browser: it loads nothing, fits, and says its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from attacked_sequencer import sequencer
from chromium import Visit, needs_chromium
from surgetank.adversary import AdversaryBudget, SearchEffort, WorstAttack, worst_attack
from surgetank.number_format import NBSP, value
from surgetank.report.adversary import render_adversary
from surgetank.report.shell import save

PICTURES = {"harm": ["tried", "parts", "defences"], "fork": ["tried"], "none": ["tried", "parts"]}


@pytest.fixture(scope="module")
def results() -> dict[str, WorstAttack]:
    """An attack that does harm with a long-named defence, one that forks the chain, and none."""
    single, voting = sequencer(), sequencer(layer__consensus__kind="tendermint")

    def found(scenario: object, identities: int, rate: float, **more: object) -> WorstAttack:
        budget = AdversaryBudget.of(
            scenario,  # type: ignore[arg-type]
            identities=identities,
            attack_s=4.0,
            rate_per_s=rate,
        )
        effort = SearchEffort(trials=14, fresh=3)
        return worst_attack(scenario, budget, effort=effort, workers=1, **more)  # type: ignore[arg-type]

    defence = {"layer.service.validation.liquidation_order_us": 1.0, "layer.consensus.node": 0}
    return {
        "harm": found(single, 1, 20.0, worst="delay_p50_ms", defences=[defence]),
        "fork": found(voting, 2, 20.0, worst="delay_p50_ms"),
        "none": found(single, 0, 1.0, worst="delay_p50_ms", tolerance=5.0),
    }


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", list(PICTURES))
def test_page_loads_nothing_fits_and_draws_its_figures(
    browser: Browser,
    tmp_path: Path,
    results: dict[str, WorstAttack],
    name: str,
    width: int,
    scheme: str,
) -> None:
    answer = results[name]
    visit = Visit(browser, save(render_adversary(answer), tmp_path / "a.html"), width, scheme)
    assert visit.said == []
    assert visit.loaded() == []
    assert visit.overflow() <= 0
    ids = "() => [...document.querySelectorAll('figure')].map((f) => f.id.slice(2))"
    assert visit.page.evaluate(ids) == PICTURES[name]
    assert visit.cut_words() == []
    assert visit.page.locator("#verdict-word").inner_text() == answer.status.value
    text = visit.page.inner_text("main")
    assert not {"None", "nan", "inf"} & set(text.split())
    visit.close()


def test_numbers_are_the_result_s(results: dict[str, WorstAttack]) -> None:
    """Damage with its interval, the attack in words, its budget and the defence."""
    harm = results["harm"]
    page = render_adversary(harm).replace(NBSP, " ")
    assert value(harm.damage.low, "ms").replace(NBSP, " ") in page
    assert "restarted after each pulse: node 2." in page and "layer.consensus.node = 0" in page
    assert "3 of 3 fresh runs" in render_adversary(results["fork"]).replace(NBSP, " ")
    assert "No attack was found" in render_adversary(results["none"])
