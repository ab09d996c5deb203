"""Portfolio margin against an independent computation with QuantLib, and what must hold of it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Literal, NamedTuple

import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as hy

from surgetank.errors import SurgetankError
from surgetank.options import Requirement, black76, portfolio_margin

Rule = Literal["deribit-pm", "derive-pmrm"]
RULES = hy.sampled_from(["deribit-pm", "derive-pmrm"])
SPOT = 50_000.0


class Leg(NamedTuple):
    """One option held."""

    strike: float
    vol: float
    years: float
    call: bool
    qty: float


DAYS = [0.2, 2.0, 7.0, 30.0, 45.0, 400.0]
LEG = hy.builds(
    Leg,
    hy.sampled_from([0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 2.0]).map(lambda m: m * SPOT),
    hy.floats(0.1, 2.0),
    hy.sampled_from(DAYS).map(lambda days: days / 365),
    hy.booleans(),
    hy.floats(-20, 20),
)
LEGS = hy.lists(LEG, max_size=8)
PERPETUAL = hy.floats(-10, 10)


def asked(rule: Any, perpetual: float, legs: list[Leg]) -> Requirement:
    """What the core says."""
    columns = dict(zip(Leg._fields, zip(*legs, strict=True), strict=True)) if legs else {}
    return portfolio_margin(rule, spot=SPOT, perpetual=perpetual, **columns)


def value(leg: Leg, move: float, vol: float) -> float:
    """QuantLib's price of one option after a relative move of spot."""
    kind = ql.Option.Call if leg.call else ql.Option.Put
    spread = max(vol, 0.0) * math.sqrt(leg.years)
    return float(ql.blackFormula(kind, leg.strike, SPOT * (1 + move), spread))


def deribit(perpetual: float, legs: list[Leg]) -> Requirement:
    """Deribit's rule written down a second time."""

    def vols(leg: Leg) -> tuple[float, float, float]:
        days = leg.years * 365
        t = (30 / days) ** (0.3 if days < 30 else 0.13)
        return max(leg.vol * (1 + 0.5 * t), 0.5), leg.vol, max(leg.vol * (1 - 0.25 * t), 0)

    def profit(move: float, which: int) -> float:
        options = sum(x.qty * (value(x, move, vols(x)[which]) - value(x, 0, x.vol)) for x in legs)
        return perpetual * SPOT * move + options

    table = [profit(0.04 * k, which) for k in range(-4, 5) for which in range(3)]
    for move in (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0):
        table.append(profit(move, 0) * 0.16 / abs(move))
    return Requirement(-0.8 * min(table), -min(table))


def derive(perpetual: float, legs: list[Leg]) -> Requirement:
    """Derive's rule written down a second time."""
    expiries = defaultdict(list)
    strikes: dict[tuple[float, float], float] = defaultdict(float)
    for leg in legs:
        expiries[leg.years].append(leg)
        strikes[leg.years, leg.strike] += leg.qty

    def worth(years: float, move: float, which: str) -> float:
        days = years * 365
        m = (30 / max(days, 1)) ** (0.3 if days <= 30 else 0.13)
        factor = {"U": 1 + 0.6 * m, "N": 1.0, "D": max(0.0, 1 - 0.3 * m)}[which]
        return sum(leg.qty * value(leg, move, leg.vol * factor) for leg in expiries[years])

    def scenario(move: float, which: str) -> float:
        total = perpetual * SPOT * move
        for years in expiries:
            then = worth(years, move, which)
            kept = 0.95 * math.exp(-0.12 * years) if then > 0 else 1.0
            total += then * kept - worth(years, 0, "N")
        return total

    grid = [(0.01 * k, which) for k in range(-15, 20, 5) for which in "UND"]
    worst = min(scenario(*one) for one in [*grid, (0.2, "U"), (-0.2, "U")])
    basis = 0.0
    for years in expiries:
        losses = (worth(years, move, "N") - worth(years, 0, "N") for move in (0.05, -0.05))
        basis += min(0.0, *losses) * (1 + 1.2 * years)
    naked = sum(max(0.0, -net) for net in strikes.values())
    maintenance = SPOT * (0.03 * abs(perpetual) + 0.02 * naked) - min(worst, basis)
    return Requirement(maintenance, 1.25 * maintenance)


@settings(max_examples=300, deadline=None)
@given(PERPETUAL, LEGS)
def test_agrees_with_an_independent_computation(perpetual: float, legs: list[Leg]) -> None:
    """Both rules, on portfolios of up to eight options with and without a perpetual."""
    scale = SPOT * (1 + abs(perpetual) + sum(abs(leg.qty) for leg in legs))
    for rule, oracle in (("deribit-pm", deribit), ("derive-pmrm", derive)):
        for found, wanted in zip(
            asked(rule, perpetual, legs), oracle(perpetual, legs), strict=True
        ):
            assert abs(found - wanted) <= 1e-9 * scale, rule


@pytest.mark.parametrize("qty", [3.0, -3.0])
def test_a_perpetual_alone_has_the_closed_form(qty: float) -> None:
    """Deribit: 16 % of notional; Derive: 20 % + 3 %, a quarter more initially."""
    assert asked("deribit-pm", qty, []) == pytest.approx((0.128 * 3 * SPOT, 0.16 * 3 * SPOT))
    assert asked("derive-pmrm", qty, []) == pytest.approx((0.23 * 3 * SPOT, 0.2875 * 3 * SPOT))
    assert asked("deribit-pm", 0.0, []) == asked("derive-pmrm", 0.0, []) == (0.0, 0.0)


@settings(max_examples=100, deadline=None)
@given(RULES, PERPETUAL, LEGS)
def test_never_negative_and_twice_as_much_for_twice_as_much(
    rule: Rule, perpetual: float, legs: list[Leg]
) -> None:
    """The requirement is homogeneous of degree one."""
    once = asked(rule, perpetual, legs)
    twice = asked(rule, 2 * perpetual, [leg._replace(qty=2 * leg.qty) for leg in legs])
    assert 0 <= once.maintenance <= once.initial
    assert twice == pytest.approx((2 * once.maintenance, 2 * once.initial), rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(RULES, PERPETUAL, LEGS, LEG)
def test_a_bought_option_requires_no_more_than_its_premium(
    rule: Rule, perpetual: float, legs: list[Leg], bought: Leg
) -> None:
    """What is paid for it is all that it can lose.

    Derive multiplies the loss of its basis contingency by 1 + 1.2 T, so there up to that.
    """
    bought = bought._replace(qty=abs(bought.qty))
    premium = bought.qty * black76(SPOT, *bought[:4])["price"][0]
    most = premium * (1 + 1.2 * bought.years if rule == "derive-pmrm" else 1.0)
    before, after = (asked(rule, perpetual, held) for held in (legs, [*legs, bought]))
    assert after.maintenance <= before.maintenance + most + 1e-9 * SPOT * (1 + 20)


@settings(max_examples=100, deadline=None)
@given(PERPETUAL, LEGS, PERPETUAL, LEGS)
def test_deribit_two_portfolios_together_require_no_more_than_apart(
    one: float, left: list[Leg], other: float, right: list[Leg]
) -> None:
    """The worst of sums is no worse than the sum of the worst."""
    together = asked("deribit-pm", one + other, left + right).initial
    apart = asked("deribit-pm", one, left).initial + asked("deribit-pm", other, right).initial
    assert together <= apart + 1e-7


@settings(max_examples=60, deadline=None)
@given(RULES, PERPETUAL, hy.lists(LEG, min_size=2, max_size=6), hy.randoms(use_true_random=False))
def test_the_order_of_the_legs_does_not_matter(
    rule: Rule, perpetual: float, legs: list[Leg], random: Any
) -> None:
    """A portfolio is a set."""
    shuffled = random.sample(legs, len(legs))
    straight = asked(rule, perpetual, legs)
    assert asked(rule, perpetual, shuffled) == pytest.approx(straight, rel=1e-9, abs=1e-6)


def test_a_hedge_lowers_the_requirement() -> None:
    """A sold put hedged with a sold perpetual, a straddle bought against one sold."""
    put = Leg(SPOT, 0.6, 14 / 365, False, -1.0)
    for rule in ("deribit-pm", "derive-pmrm"):
        assert asked(rule, -0.4, [put]).maintenance < asked(rule, 0.0, [put]).maintenance
        flat = asked(rule, 0.0, [put, put._replace(qty=1.0)])
        assert flat.maintenance == pytest.approx(0.0, abs=1e-6)


def test_errors_name_what_is_wrong() -> None:
    """One clear error."""
    with pytest.raises(SurgetankError, match="no rule `span`"):
        portfolio_margin("span", spot=SPOT, perpetual=1.0)  # type: ignore[arg-type]
    with pytest.raises(SurgetankError, match="`qty` must be finite"):
        asked("deribit-pm", 0.0, [Leg(SPOT, 0.6, 0.1, True, math.nan)])
    with pytest.raises(SurgetankError, match="`spot`"):
        portfolio_margin("deribit-pm", spot=0.0)
