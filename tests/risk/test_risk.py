"""Bad debt with known answers: certain, impossible, and with an exact distribution."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import surgetank as st
from crashes import crash, falling, jumping
from stations import fresh_seeds
from surgetank.errors import SurgetankError
from surgetank.measure.bad_debt import debts, exhausted
from surgetank.report.risk import render_risk
from surgetank.risk import RUNS, Risk, risk
from surgetank.risk.changes import candidates
from surgetank.risk.estimates import estimates_of, shortfall_runs
from surgetank.risk.limits import judged
from surgetank.risk.losses import Losses, losses_of, observe
from surgetank.risk.paired import differences
from surgetank.scenario.recording import ONE_RECORDING
from surgetank.search.probe import Task
from surgetank.simulate import simulate
from surgetank.testing import make_trace
from surgetank.trace import Bearer, MarketKind
from surgetank.verdict import Status


def closed_form(scenario: st.Scenario, seed: int, fall: float, leverage: float) -> float:
    """Σ q·(S₀·(1 − 1/L) − S): the loss beyond collateral, of the quantities closed in the run."""
    trace = simulate(scenario, seed=seed)
    rows = trace["market"]
    lots = -int(rows.filter(rows["kind"] == MarketKind.LIQUIDATED)["qty"].sum())
    assert lots > 0
    return lots * trace.stats.lot * 100.0 * (fall - 1 / leverage)


@pytest.mark.parametrize("leverage", [5.0, 20.0, 50.0])
def test_certain_bad_debt_is_the_closed_form(leverage: float) -> None:
    """One fall of 30 %: every account is bankrupt, and its loss is known to the rounding of its
    collateral (one quantum of 1e-5 USD each)."""
    scenario = crash(falling(0.7), leverage=leverage)
    outcome = observe(Task(scenario, 0.0, 1))
    theory = closed_form(scenario, 1, 0.3, leverage)
    assert outcome.value("bad_debt_usd") == pytest.approx(theory, abs=1e-3)
    assert outcome.value("bad_debt_usd.insurance") == outcome.value("bad_debt_usd")
    found = risk(scenario, runs=30, workers=1)
    assert found["bad_debt_probability"].value == 1.0
    low = found["bad_debt_probability"].low
    assert low is not None and low == pytest.approx(0.025 ** (1 / 30))


def test_impossible_bad_debt() -> None:
    """Accounts without leverage have no bad debt however far the price falls: 0, and an upper end
    of its probability."""
    found = risk(crash(falling(0.1), leverage=1.0), runs=40, workers=1)
    assert found.losses.total.tolist() == [0.0] * 40
    assert found["bad_debt_probability"].value == 0.0
    assert found["bad_debt_probability"].high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert found["bad_debt_mean_usd"].high is None
    assert "No bad debt in 40 runs" in found.sentence and "at most 8.8" in found.sentence


def test_probability_is_that_of_the_jump() -> None:
    """Jumps of −10 %, Poisson with mean 0.7 a run, and 5 % of margin: P(bad debt) = 1 − e^(−0.7).
    400 fresh seeds miss it by 5 standard errors once in a million."""
    runs, theory = 400, 1 - math.exp(-0.7)
    first = fresh_seeds()[0]
    found = risk(crash(jumping(0.7, math.log(0.9))), runs=runs, seed=first, workers=1)
    value = found["bad_debt_probability"].value
    assert value is not None
    assert abs(value - theory) < 5 * math.sqrt(theory * (1 - theory) / runs)


def test_distribution_is_that_of_the_jump() -> None:
    """Of one account, loss over notional is (S₀ − S)/S₀ − 1/L where the price, at its first jump
    below maintenance, has fallen by more than 1/L. With normal log jumps, few enough that a second
    one is rare: the losses follow N(μ, σ²) cut at ln(1 − 1/L) (Kolmogorov–Smirnov at 1e-6)."""
    mean, sd, leverage = -0.08, 0.03, 20.0
    scenario = crash(jumping(0.2, mean, sd), accounts=1, leverage=leverage)
    shares = []
    first = fresh_seeds()[0]
    for seed in range(first, first + 700):
        trace = simulate(scenario, seed=seed)
        usd = int(debts(trace)["amount"].sum()) * trace.stats.quantum_usd
        if usd:
            rows = trace["market"]
            lots = -int(rows.filter(rows["kind"] == MarketKind.LIQUIDATED)["qty"].sum())
            shares.append(usd / (lots * trace.stats.lot * 100.0))
    assert len(shares) > 40
    # A fall of x: the log jump is ln(1 − x).
    law = stats.norm(mean, sd)
    cut = math.log(1 - 1 / leverage)

    def share_at_most(x: np.ndarray) -> np.ndarray:
        return np.asarray(1 - law.cdf(np.log(1 - 1 / leverage - x)) / law.cdf(cut))

    assert stats.kstest(shares, share_at_most).pvalue > 1e-6


def test_parts_sum_to_the_total() -> None:
    """Bearers, and what is not yet booked, in a scenario with several of them."""
    scenario = st.load("black-thursday").with_values(
        {"duration_s": 35.0, "drain_s": 0.5, "market.margin.insurance_usd": 2_000.0}
    )
    found = losses_of([observe(Task(scenario, 0.0, seed)) for seed in (1, 2)])
    borne = {name for name, usd in found.bearers.items() if usd.any()}
    assert {"insurance", "deleveraged", "unbooked"} <= borne
    parts = np.sum(list(found.bearers.values()), axis=0)
    assert parts.tolist() == pytest.approx(found.total.tolist())
    assert found.beyond.tolist() == pytest.approx(
        (found.total - found.bearers["insurance"]).tolist()
    )


def test_a_fund_that_cannot_pay_is_exhausted() -> None:
    """By the venue's deficit, by its last quantum, or by a loss of winners above its balance; a
    deleveraging that it could have paid does not count."""

    def rows(*cells: tuple[MarketKind, int | None, int]) -> bool:
        market = [
            {"time_ns": i, "kind": kind, "code": code, "amount": amount, "account": 1}
            for i, (kind, code, amount) in enumerate(cells)
        ]
        margin = {"insurance_usd": 1e-3}
        return exhausted(make_trace({"market": market}, scenario={"market": {"margin": margin}}))

    fund, debt = MarketKind.INSURANCE, MarketKind.BAD_DEBT
    assert not rows()
    assert not rows((debt, Bearer.INSURANCE, 400), (fund, None, 600))
    assert rows((debt, Bearer.INSURANCE, 1_000), (fund, None, 0))
    assert rows((debt, Bearer.VENUE, 1))
    # The fund of 1e-3 USD is 1,000 quanta of 1e-6 USD.
    assert not rows((debt, Bearer.DELEVERAGED, 999))
    assert rows((debt, Bearer.DELEVERAGED, 1_001))
    assert rows((fund, None, 5), (debt, Bearer.DELEVERAGED, 6))


def test_interventions_move_as_theory_says() -> None:
    """A lower leverage reduces bad debt, a larger fund changes what is beyond it and not the bad
    debt, keepers that were fast enough already change nothing. All paired, all with intervals."""
    scenario = crash(jumping(1.0, math.log(0.85)))
    scenario = scenario.with_values({"market.margin.insurance_usd": 1_000.0})
    tries: dict[str, dict[str, object]] = {
        "leverage": {
            "market.positions.leverage_max": 10.0,
            "market.positions.leverage_min": 10.0,
        },
        "fund": {"market.margin.insurance_usd": 1e9},
        "keepers": {"flow.keepers.count": 2},
    }
    found = risk(scenario, runs=60, seed=fresh_seeds()[0], workers=1, tries=tries)
    effect = {one.text: one.differences for one in found.effects}
    assert effect["leverage"]["mean"].reduces
    # Per account of notional N: 15 % − 5 % without, 15 % − 10 % with, in the runs with one jump.
    assert effect["fund"]["beyond"].reduces
    for nothing in (effect["fund"]["mean"], effect["keepers"]["mean"]):
        # Exactly: to the rounding of a sum of USD, every seed would agree on a difference.
        assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    assert found.effects[0].text == "leverage" and "leverage" in found.sentence
    assert {one.text for one in found.remedies} == {"leverage", "fund"}


def test_no_effect_is_no_remedy() -> None:
    """Other seeds in place of a change: over 40 such comparisons an interval that excludes zero is
    rare. At 5 % more than 9 of 40 happen once in 10,000 times."""
    draws = np.random.default_rng(fresh_seeds()[0])
    significant = 0
    for _ in range(40):
        before, after = (_lognormal(draws, 60) for _ in range(2))
        mean = differences(before, after)["mean"]
        significant += mean.reduces or mean.raises
    assert significant <= 9


def _lognormal(draws: np.random.Generator, runs: int) -> Losses:
    total = draws.lognormal(size=runs)
    zero = np.zeros(runs)
    bearers = {"insurance": total, "deleveraged": zero}
    return Losses(total, bearers, np.zeros(runs, dtype=bool), {})


def test_remedies_fit_the_scenario() -> None:
    """Every candidate of every shipped scenario with a market can be built, and changes it."""
    for name in st.names():
        scenario = st.load(name)
        if scenario.market is None:
            continue
        found = candidates(scenario)
        assert len(found) >= 8, name
        for change in found:
            try:
                assert change.applied(scenario).hash != scenario.hash, change.text
            except SurgetankError as error:
                # No message of its flow is executed, and its blocks come from a sequencer.
                assert (name, error.message) == (
                    "rollup-sequencer",
                    "it changes nothing in this scenario",
                )


def test_a_change_that_is_not_allowed_is_named() -> None:
    """It counts neither as tried nor in the intervals' correction, and says why."""
    scenario = crash(falling(0.7))
    tries: dict[str, dict[str, object]] = {
        "same": {"flow.keepers.count": 1},
        "half": {"market.positions.leverage_min": 2.0},
    }
    seen: list[tuple[int, int]] = []
    found = risk(scenario, runs=30, workers=1, tries=tries, progress=lambda *at: seen.append(at))
    assert seen[-1] == (60, 60)
    assert [(one.text, one.left_out) for one in found.effects] == [("half", False), ("same", True)]
    assert "changes nothing" in found.effects[1].why
    one = risk(scenario, runs=30, workers=1, tries={"half": tries["half"]})
    assert one.effects[0].differences == found.effects[0].differences


def test_higher_margins_are_those_of_all_perpetuals_and_tiers() -> None:
    """Losses in the second perpetual only, which has rates of its own: each margin remedy changes
    them too, and higher margins reduce the losses by what they add to the collateral."""
    tier = {"above_usd": 5_000.0, "initial": 0.05, "maintenance": 0.04}
    rates = {"initial": 0.02, "maintenance": 0.01, "tiers": [tier]}
    other = {"name": "ALT", "tick_usd": 0.01, "price": {"path": falling(0.9)}, "margin": rates}
    scenario = crash(falling(0.999), accounts=40, leverage=50.0)
    scenario = scenario.with_values({"market.perpetuals": [other]})
    higher, earlier = candidates(scenario)[:2]
    assert "tiers, ALT" in higher.text and "tiers, ALT" in earlier.text
    new = higher.applied(scenario).market
    assert new is not None and new.perpetuals[0].margin is not None
    assert new.margin.initial == pytest.approx(0.03)
    assert new.perpetuals[0].margin.initial == pytest.approx(0.03)
    assert new.perpetuals[0].margin.tiers[0].initial == pytest.approx(0.075)
    later = earlier.applied(scenario).market
    assert later is not None and later.perpetuals[0].margin is not None
    assert later.perpetuals[0].margin.maintenance == pytest.approx(0.015)
    assert later.perpetuals[0].margin.tiers[0].maintenance == pytest.approx(0.045)
    found = risk(scenario, runs=30, workers=1, tries={higher.text: higher.values})
    assert found.effects[0].differences["mean"].reduces


def test_equal_losses_decide_a_limit_and_say_how_sure_that_is() -> None:
    """No interval can be resampled from them; a greater loss is bounded in probability."""
    same = {one.name: one for one in estimates_of(np.full(40, 7.0))}
    bound = 1 - 0.025 ** (1 / 40)
    mean = same["bad_debt_mean_usd"]
    assert (mean.value, mean.low) == (7.0, None) and mean.above == pytest.approx(bound)
    assert {one.above for one in estimates_of(np.arange(40.0))} == {None}
    limits = {"bad_debt_mean_usd_max": 6.0}
    for number, status in ((6.0, Status.FAIL), (8.0, Status.PASS)):
        limits["bad_debt_mean_usd_max"] = number
        reason = judged(limits, list(same.values()))[0]
        assert reason.status is status and "at most 8.8 % of runs" in reason.text
    # An interval that could not be computed of losses that differ decides nothing.
    odd = {**same, "bad_debt_mean_usd": replace(mean, above=None)}
    assert judged(limits, list(odd.values()))[0].status is Status.UNKNOWN


def test_an_answer_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Its page is the same, figures included; what is no answer is refused."""
    scenario = crash(jumping(0.9, math.log(0.9)), accounts=20, leverage=50.0)
    tries: dict[str, dict[str, object]] = {
        "less": {"market.positions.leverage_max": 20.0, "market.positions.leverage_min": 20.0},
        "same": {"flow.keepers.count": 1},
    }
    limits = {"bad_debt_mean_usd_max": 10.0, "bad_debt_es95_usd_max": 1e9}
    found = risk(scenario, runs=40, workers=1, tries=tries, limits=limits)
    found.write(tmp_path / "risk.json")
    again = Risk.read(tmp_path)
    assert again.to_dict() == found.to_dict()
    assert render_risk(again) == render_risk(found)
    (tmp_path / "risk.json").write_text('{"runs_usd": 3}')
    with pytest.raises(SurgetankError, match="no risk answer"):
        Risk.read(tmp_path)


def test_without_limits_there_is_no_verdict_but_an_exit_code_of_zero() -> None:
    """NO LIMIT, on the page too: a PASS would be a statement about the venue."""
    found = risk(crash(falling(0.7)), runs=30, workers=1)
    assert found.verdict.status is Status.NO_LIMIT and found.verdict.exit_code == 0
    assert found.to_dict()["verdict"]["status"] == "NO LIMIT"
    page = render_risk(found)
    assert 'class="verdict no-limit"' in page and "PASS" not in page


def test_intervals_of_a_recording_are_said_to_be_those_of_one() -> None:
    """On the page of an answer, with the recording's name."""
    found = risk(crash(falling(0.7)), runs=30, workers=1)
    assert ONE_RECORDING not in render_risk(found)
    taped = replace(found, recording="bars.csv: 60 s from 0 s on")
    assert f"{ONE_RECORDING} bars.csv: 60 s" in render_risk(taped)


def test_same_seeds_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    """Also when resumed from a journal that has a part of the runs."""
    scenario = crash(jumping(0.7, math.log(0.9)))
    options = {"runs": 40, "tries": {"half": {"market.positions.leverage_min": 2.0}}}
    journal = tmp_path / "runs.jsonl"
    one = risk(scenario, **options, workers=1, journal=journal)  # type: ignore[arg-type]
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:17]))
    again = risk(scenario, **options, workers=2, journal=journal)  # type: ignore[arg-type]
    texts = [json.dumps(found.to_dict(), sort_keys=True) for found in (one, again)]
    assert texts[0] == texts[1]
    assert len(journal.read_text().splitlines()) == 80


def test_precision_ends_early_and_says_how_many_runs_there_were() -> None:
    """A certain loss needs few runs; the numbers are those of the runs that were made."""
    scenario = crash(falling(0.7), accounts=200)
    found = risk(scenario, runs=400, precision=0.2, workers=1)
    assert len(found.seeds) == 50 == len(found.losses)
    mean = found["bad_debt_mean_usd"]
    assert mean.low is not None and mean.high is not None and mean.value is not None
    assert (mean.high - mean.low) / 2 <= 0.2 * mean.value


def test_an_invalid_run_makes_the_answer_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, named, and nothing is estimated or tried."""

    def spoilt(task: Task) -> object:
        outcome = observe(task)
        return (
            replace(outcome, invalid=("money_conserved: violated",)) if task.seed == 9 else outcome
        )

    monkeypatch.setattr(sys.modules["surgetank.risk"], "observe", spoilt)
    scenario = crash(falling(0.7))
    found = risk(scenario, runs=30, seed=1, workers=1, tries={"x": {"flow.keepers.count": 2}})
    assert found.verdict.status is Status.INVALID and found.verdict.exit_code == 3
    assert [one.seed for one in found.invalid] == [9]
    assert not found.estimates and not found.effects
    assert "1 of 30 runs" in found.sentence


@pytest.mark.parametrize(
    ("limit", "number", "status"),
    [
        ("bad_debt_probability_max", 1.0, Status.PASS),
        ("bad_debt_probability_max", 0.5, Status.FAIL),
        ("bad_debt_mean_usd_max", 1e12, Status.PASS),
        ("bad_debt_mean_usd_max", 1.0, Status.FAIL),
        ("bad_debt_mean_usd_max.vault", 0.0, Status.PASS),
        ("bad_debt_p99_usd_max", 1e12, Status.UNKNOWN),
        ("bad_debt_es99_usd_max", 1.0, Status.FAIL),
        ("insurance_exhausted_probability_max", 0.01, Status.UNKNOWN),
        ("insurance_exhausted_probability_max", 0.2, Status.PASS),
    ],
)
def test_limits_are_decided_by_the_interval(limit: str, number: float, status: Status) -> None:
    """With 30 runs, each with bad debt paid by the fund: too few runs decide only what is beyond
    the lower end."""
    found = risk(crash(falling(0.7)), runs=30, workers=1, limits={limit: number})
    assert [reason.status for reason in found.reasons] == [status], found.reasons[0].text
    assert found.verdict.status is status


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runs": 5}, "must lie between 30"),
        ({"precision": 2.0}, "between 0 and 1"),
        ({"limits": {"bad_debt_es9_usd_max": 1.0}}, "Did you mean bad_debt_es"),
        ({"limits": {"bad_debt_es99_usd_max": math.nan}}, "no bound"),
        ({"tries": {"x": {"market.gone": 1}}}, "gone"),
    ],
)
def test_wrong_questions_are_refused(options: dict[str, object], said: str) -> None:
    """Naming the place and the remedy, before any run."""
    with pytest.raises(SurgetankError, match=said):
        risk(crash(falling(0.7)), **options)  # type: ignore[arg-type]


def test_a_scenario_without_a_market_is_refused() -> None:
    """No money can be lost there."""
    scenario = st.Scenario.build({"name": "no-market"})
    with pytest.raises(SurgetankError, match="needs a market"):
        risk(scenario)


def test_the_default_is_enough_for_a_shortfall() -> None:
    """At 95 %, by the number that docs/risk.md and `--help` give."""
    assert shortfall_runs(0.95) == RUNS
