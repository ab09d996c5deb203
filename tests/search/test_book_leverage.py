"""Safe leverage of a position book, by tier and by market, where the answer is known.

Prices fall in one step and every liquidation fills at once. Capped at L, an account of more
leverage has 1/L of its notional as collateral: a fall by f leaves bad debt if L > 1/f.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import surgetank as st
from crashes import START_USD, crash, falling, jumping
from stations import fresh_seeds
from surgetank.search.answer import Answer, PartThreshold
from surgetank.search.book_parts import part_counts, parts_of
from surgetank.search.parameter import parameter
from surgetank.search.probe import Task, outcome_of
from surgetank.search.question import question_of

MAINTENANCE = 0.015


def book_of(folder: Path, *accounts: tuple[str, float, float]) -> st.PositionBook:
    """Long accounts: market, notional (USD) and leverage of each, at a mark of 100 USD."""
    rows = [
        f"a{i},{market},{usd / START_USD},{START_USD},{usd / leverage}"
        for i, (market, usd, leverage) in enumerate(accounts)
    ]
    path = folder / "book.csv"
    path.write_text("\n".join(["account,market,size,mark_price,equity", *rows]) + "\n")
    return st.read_positions(path)


def venue(book: st.PositionBook, path: dict[str, object] | None = None) -> st.Scenario:
    """BTC falls by 10 % or along the path, ALT by 20 %."""
    other = {"name": "ALT", "tick_usd": 0.01, "price": {"path": falling(0.8)}}
    scenario = crash(path or falling(0.9), leverage=50.0)
    scenario = scenario.with_values(
        {
            "market.name": "BTC",
            "market.margin.maintenance": MAINTENANCE,
            "market.perpetuals": [other],
        }
    )
    return scenario.with_positions(book)


def found(scenario: st.Scenario, **options: object) -> Answer:
    return st.search(scenario, "safe-leverage", workers=1, try_remedies=False, **options)  # type: ignore[arg-type]


def by_name(answer: Answer) -> dict[tuple[str, str], PartThreshold]:
    return {(one.division, one.member): one for one in answer.parts}


def covers(part: PartThreshold, known: float) -> bool:
    """Whether the interval has the known level. Below a sharp step it may end by the precision of 5
    %: how sharp a step is takes many runs to know, and the 5 % of runs lie below it."""
    assert part.ci_low is not None and part.ci_high is not None
    return part.ci_low <= 1.01 * known and part.ci_high >= 0.95 * known


@pytest.fixture
def book(tmp_path: Path) -> st.PositionBook:
    """Twelve small accounts in BTC, eight large ones in ALT, and three that no cap concerns: a fall
    takes a part of their equity."""
    return book_of(
        tmp_path,
        *[("ALT", 200_000.0, 40.0)] * 8,  # first, so that markets are not in the venue's order
        *[("BTC", 5_000.0, 40.0)] * 12,
        *[("ALT", 2_000_000.0, 1.5)] * 3,
    )


def test_a_cap_brings_accounts_to_it_and_leaves_the_others(book: st.PositionBook) -> None:
    """Of what an account has; positions, and accounts below the cap, are as before."""
    capped = book.capped(10.0)
    assert capped.leverage.tolist() == pytest.approx([10.0] * 20 + [1.5] * 3)
    assert capped.hash != book.hash and book.capped(40.0).hash == book.hash
    assert np.array_equal(capped.position_size, book.position_size)
    scenario = venue(book)
    level = parameter(scenario, "leverage")
    assert level.own == pytest.approx(40.0)
    at = level.at(scenario, 10.0)
    assert at.position_book is not None and at.position_book.hash == capped.hash
    assert at.market == scenario.market
    assert level.at(at, 5.0).hash == level.at(scenario, 5.0).hash != at.hash


def test_each_part_has_the_threshold_of_its_fall(book: st.PositionBook, tmp_path: Path) -> None:
    """BTC 10, ALT 5, the whole 5, since eight of 23 accounts are more than a tenth of them; of the
    accounts that no cap concerns there is a lower bound only."""
    answer = found(venue(book), budget=0.1, seed=fresh_seeds()[0], runs_max=90)
    assert answer.status == "FOUND" and answer.estimate == pytest.approx(5.0, rel=0.05)
    parts = by_name(answer)
    assert list(parts) == [
        ("tier", "up to $10 k"),
        ("tier", "$100 k to $1 M"),
        ("tier", "$1 M to $10 M"),
        ("market", "ALT"),
        ("market", "BTC"),
    ]
    assert covers(parts["tier", "up to $10 k"], 10.0) and covers(parts["market", "BTC"], 10.0)
    assert covers(parts["tier", "$100 k to $1 M"], 5.0) and covers(parts["market", "ALT"], 5.0)
    small, btc = parts["tier", "up to $10 k"], parts["market", "BTC"]  # the same accounts
    assert (small.ci_low, small.estimate, small.ci_high) == (btc.ci_low, btc.estimate, btc.ci_high)
    safe = parts["tier", "$1 M to $10 M"]
    assert safe.estimate is None and safe.ci_high is None
    assert safe.ci_low is not None and safe.ci_low > 10.0
    assert [one.accounts for one in parts.values()] == [12, 8, 3, 11, 12]
    answer.write(tmp_path / "search.json")
    assert Answer.read(tmp_path / "search.json").parts == answer.parts


def test_accounts_due_in_the_warm_up_count(tmp_path: Path) -> None:
    """Where warm-up ends changes what is measured, and not who leaves bad debt: accounts of a book
    may be due as the run begins."""
    book = book_of(tmp_path, *[("BTC", 5_000.0, 20.0)] * 10)
    for warmup_s in (0.0, 3.0):  # the price falls in between
        scenario = venue(book).with_values({"warmup_s": warmup_s})
        trace = st.simulate(scenario, seed=fresh_seeds()[0])
        assert part_counts(trace)["book_accounts_bad"] == 10.0
        for per in ("account", "run"):
            goal = question_of(scenario, "safe-leverage", per=per).goal
            assert goal.broke(outcome_of(Task(scenario, 20.0, 1), trace), 0.0), (per, warmup_s)


@pytest.mark.soak
def test_a_random_fall_may_exceed_the_budget_in_one_run_of_twenty(tmp_path: Path) -> None:
    """Jumps of random size. An account is bankrupt if a step takes the price past its bankruptcy
    price before it was below maintenance: the quantile over drawn paths is the answer."""
    per_run, mean, sd, seed = 1.0, -0.08, 0.03, fresh_seeds()[0]
    book = book_of(tmp_path, *[("BTC", 5_000.0, 40.0)] * 10)
    answer = found(venue(book, jumping(per_run, mean, sd)), seed=seed, runs_max=300)
    draws = np.random.default_rng(seed)
    jumps = draws.poisson(per_run / 40, (4_000, 40))
    logs = np.cumsum(jumps * mean + np.sqrt(jumps) * sd * draws.standard_normal(jumps.shape), 1)
    price = np.exp(logs)

    def share(level: float) -> float:
        return float(np.mean([_bad(path, level) for path in price]))

    assert answer.ci_low is not None and answer.ci_high is not None
    assert share(answer.ci_low) <= 0.05 * 1.3 and share(answer.ci_high) >= 0.05 / 1.3


def _bad(path: np.ndarray, level: float) -> bool:
    """Whether the account is bankrupt at the first step at which it is below maintenance."""
    due = np.flatnonzero(path * (1 - MAINTENANCE) < 1 - 1 / level)
    return bool(len(due)) and bool(path[due[0]] < 1 - 1 / level)


def test_a_book_without_leverage_has_no_threshold(tmp_path: Path) -> None:
    """No cap is too high: nothing is ever liquidated, and the answer says that it was not
    reached. One tier and one market are no parts."""
    answer = found(venue(book_of(tmp_path, *[("BTC", 5_000.0, 1.0)] * 10)), runs_max=20)
    assert answer.status == "UNKNOWN" and answer.bound is not None
    assert answer.bound.kind == "not-reached"
    assert answer.parts == ()


def test_tiers_are_those_of_the_margin(book: st.PositionBook) -> None:
    """Where the scenario has margin tiers their bounds divide the accounts."""
    tiers = [{"above_usd": 50_000.0, "initial": 0.1, "maintenance": 0.05}]
    scenario = venue(book).with_values({"market.margin.tiers": tiers})
    assert parts_of(scenario, book)["tier"] == [
        *["above $50 k"] * 8,
        *["up to $50 k"] * 12,
        *["above $50 k"] * 3,
    ]


def test_accounts_are_counted_once_in_the_part_that_they_belong_to(tmp_path: Path) -> None:
    """Of two positions of an account the larger decides its market; drawn accounts are in none."""
    rows = ["a,BTC,100,100,200", "a,ALT,10,100,", "b,ALT,100,100,400", "c,ALT,10,100,900"]
    path = tmp_path / "book.csv"
    path.write_text("\n".join(["account,market,size,mark_price,equity", *rows]) + "\n")
    scenario = venue(st.read_positions(path))
    counts = part_counts(st.simulate(scenario, seed=1))
    assert counts["book_accounts"] == 3 and counts["book_accounts_bad"] == 2
    assert counts["book_accounts.market.BTC"] == 1 == counts["book_accounts_bad.market.BTC"]
    assert counts["book_accounts.market.ALT"] == 2
    assert counts["book_accounts_bad.market.ALT"] == 1
    assert part_counts(st.simulate(crash(falling(0.9)), seed=1)) == {}


def test_the_unit_of_the_budget_follows_the_positions(book: st.PositionBook) -> None:
    drawn = crash(falling(0.9))
    assert question_of(drawn, "safe-leverage").goal.per == "liquidation"
    goal = question_of(venue(book), "safe-leverage", budget=0.2).goal
    assert (goal.per, goal.target, goal.budget) == ("account", 0.05, 0.2)
    with pytest.raises(st.SurgetankError, match="needs a position book"):
        question_of(drawn, "safe-leverage", per="account")
    with pytest.raises(st.SurgetankError, match="is for drawn positions"):
        question_of(venue(book), "safe-leverage", per="liquidation")


def test_markets_with_margins_of_their_own_keep_their_ratio_to_the_first() -> None:
    """Drawn positions: leverage of 20 and 10 becomes 40 and 20, and 2 and 1 at the bound."""
    margin = {"initial": 0.1, "maintenance": 0.06}
    tier = {"above_usd": 1e4, "initial": 0.2, "maintenance": 0.1}
    path = {"path": falling(0.8)}
    other = {"name": "ALT", "tick_usd": 0.01, "price": path, "margin": margin | {"tiers": [tier]}}
    scenario = crash(falling(0.9), leverage=20.0).with_values(
        {"market.perpetuals": [other, other | {"name": "LIKE", "margin": None}]}
    )
    level = parameter(scenario, "leverage")
    market = level.at(scenario, 40.0).market
    assert market is not None
    assert [rates.initial for rates in market.rates] == pytest.approx([0.025, 0.05, 0.025])
    assert market.rates[1].maintenance == pytest.approx(0.03)
    assert market.rates[1].tiers[0].initial == pytest.approx(0.1)
    market = level.at(scenario, 2.0).market
    assert market is not None
    assert [rates.initial for rates in market.rates] == pytest.approx([0.5, 1.0, 0.5])
    assert level.at(scenario, 20.0).market == scenario.market
