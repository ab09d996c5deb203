"""Option prices and Greeks against QuantLib, and against what must hold of any price."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import QuantLib as ql
from hypothesis import given, settings
from hypothesis import strategies as hy

from surgetank.errors import SurgetankError
from surgetank.options import black76

CONTRACT = hy.tuples(
    hy.floats(0.01, 1e6),  # forward
    hy.floats(0.05, 20.0),  # strike over forward
    hy.floats(0.01, 4.0),  # volatility
    hy.floats(1e-5, 3.0),  # years
    hy.booleans(),  # call
)
CHAINS = hy.lists(CONTRACT, min_size=20, max_size=60)


def priced(chain: list[tuple[float, float, float, float, bool]]) -> pl.DataFrame:
    """A chain as drawn, priced by the core."""
    forward, ratio, vol, years, call = (np.array(column) for column in zip(*chain, strict=True))
    return black76(forward, forward * ratio, vol, years, call)


def quantlib(row: dict[str, Any]) -> dict[str, float]:
    """The same option by QuantLib's BlackCalculator, discount 1."""
    kind = ql.Option.Call if row["call"] else ql.Option.Put
    spread = row["vol"] * math.sqrt(row["years"])
    reported = ql.BlackCalculator(
        ql.PlainVanillaPayoff(kind, row["strike"]), row["forward"], spread
    )
    return {
        "price": reported.value(),
        "delta": reported.deltaForward(),
        "gamma": reported.gammaForward(),
        "vega": reported.vega(row["years"]),
        "theta": reported.theta(row["forward"], row["years"]),
        "rho": -row["years"] * reported.value(),
    }


@settings(max_examples=100, deadline=None)
@given(CHAINS)
def test_agrees_with_quantlib(chain: list[Any]) -> None:
    """Prices to 1e-10 of the forward; Greeks as much, in units of what they multiply."""
    for row in priced(chain).iter_rows(named=True):
        oracle, forward = quantlib(row), row["forward"]
        for name, scale in (("price", forward), ("delta", 1.0), ("rho", forward * row["years"])):
            assert abs(row[name] - oracle[name]) <= 1e-10 * scale, name
        for name, scale in (("gamma", 1 / forward), ("vega", forward), ("theta", forward)):
            assert abs(row[name] - oracle[name]) <= 1e-10 * max(scale, abs(oracle[name])), name


@settings(max_examples=60, deadline=None)
@given(CHAINS)
def test_parity_and_bounds(chain: list[Any]) -> None:
    """call − put = F − K, and every price between intrinsic value and forward (strike)."""
    calls = priced([(*contract[:4], True) for contract in chain])
    puts = priced([(*contract[:4], False) for contract in chain])
    forward, strike = calls["forward"], calls["strike"]
    gap = (calls["price"] - puts["price"]) - (forward - strike)
    assert (gap.abs() <= 1e-12 * (forward + strike)).all()
    for frame, most, sign in ((calls, forward, 1.0), (puts, strike, -1.0)):
        intrinsic = ((forward - strike) * sign).clip(0.0, None)
        assert (frame["price"] >= intrinsic).all()
        assert (frame["price"] <= most * (1 + 1e-12)).all()
        assert (frame["gamma"] >= 0).all() and (frame["theta"] <= 0).all()
    assert ((calls["delta"] - puts["delta"] - 1).abs() <= 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(CONTRACT, hy.floats(1e-4, 0.3))
def test_rises_with_volatility_and_falls_with_the_strike(contract: Any, more: float) -> None:
    """Monotone in σ; a call falls and a put rises with the strike."""
    forward, ratio, vol, years, call = contract
    base, riskier = black76(forward, forward * ratio, [vol, vol + more], years, call)["price"]
    assert riskier >= base - 1e-12 * forward
    low, high = black76(forward, forward * np.array([ratio, ratio + more]), vol, years, call)[
        "price"
    ]
    assert (low - high) * (1 if call else -1) >= -1e-12 * forward


@pytest.mark.parametrize("vol, years", [(0.0, 1.0), (0.5, 0.0)])
def test_without_time_or_volatility_it_is_worth_what_it_pays(vol: float, years: float) -> None:
    """No NaN at the edges."""
    found = black76([90.0, 100.0, 110.0], 100.0, vol, years, [[True], [False]])
    assert found["price"].to_list() == [0.0, 0.0, 10.0, 10.0, 0.0, 0.0]
    assert found["delta"].to_list() == [0.0, 0.5, 1.0, -1.0, -0.5, 0.0]
    assert not found.select(pl.col(pl.Float64).is_nan().any()).row(0).count(True)


@pytest.mark.parametrize(
    "wrong", [{"forward": -1.0}, {"strike": math.nan}, {"vol": -0.1}, {"years": math.inf}]
)
def test_wrong_numbers_are_named(wrong: dict[str, float]) -> None:
    """One clear error."""
    good = {"forward": 100.0, "strike": 100.0, "vol": 0.5, "years": 0.1}
    with pytest.raises(SurgetankError, match=next(iter(wrong))):
        black76(**(good | wrong))


def test_shapes_that_do_not_fit_are_refused() -> None:
    """Not a traceback of numpy's."""
    with pytest.raises(SurgetankError, match="shape"):
        black76([1.0, 2.0], [1.0, 2.0, 3.0], 0.5, 1.0)
