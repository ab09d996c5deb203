"""Options: value, sensitivities and portfolio margin, by the same core that values them in a run.

Everything is in one currency: forward, strike and price per unit of the underlying.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from surgetank.errors import SurgetankError
from surgetank.native import compiled

__all__ = ["Requirement", "black76", "portfolio_margin"]


class Requirement(NamedTuple):
    """The margin requirement of a portfolio, in the currency of spot."""

    maintenance: float
    initial: float


def black76(
    forward: ArrayLike,
    strike: ArrayLike,
    vol: ArrayLike,
    years: ArrayLike,
    call: ArrayLike = True,
) -> pl.DataFrame:
    """Undiscounted price and Greeks of European options on a forward.

    Black (1976), "The pricing of commodity contracts": with s = σ√T, d₁ = ln(F/K)/s + s/2 and
    d₂ = d₁ − s, call = F·N(d₁) − K·N(d₂), put = K·N(−d₂) − F·N(−d₁).

    Arguments are broadcast against each other: forward F and strike K in one currency, vol σ per
    √year (0.6 = 60 %), years T to expiry, call True or put False. Without time or volatility the
    price is the option's payoff now.

    Returns one row per option, in row-major order of the broadcast shape: the arguments, and
    price (currency), delta (∂/∂F), gamma (∂²/∂F²), vega (∂/∂σ per 1.00), theta (∂/∂t per year,
    forward unchanged), rho (∂/∂r per 1.00, of the discount only, forward unchanged).

    Raises:
        SurgetankError: if shapes do not fit, or a number is not finite or has the wrong sign.
    """
    columns = _columns(
        "options.black76",
        {"forward": forward, "strike": strike, "vol": vol, "years": years, "call": call},
    )
    return pl.DataFrame(columns | compiled().black76(*columns.values()))


def portfolio_margin(
    rule: Literal["deribit-pm", "derive-pmrm"],
    *,
    spot: float,
    perpetual: float = 0.0,
    strike: ArrayLike = (),
    vol: ArrayLike = (),
    years: ArrayLike = (),
    call: ArrayLike = (),
    qty: ArrayLike = (),
) -> Requirement:
    """Margin of a perpetual and options on it, by the worst of a grid of scenarios.

    `spot` in currency, `perpetual` and `qty` in units of the underlying, negative when sold; the
    rest as in `black76`, one entry per option, broadcast against each other. The forward of every
    option is the spot. `deribit-pm` is Deribit's portfolio margin, `derive-pmrm` Derive's PMRM
    (v2-core, `PMRMLib.sol`); their constants and what is left out stand in
    `crates/market/src/options/grid.rs`.

    An account is liquidatable iff `maintenance` exceeds its equity: cash, perpetual and options at
    their marks.

    Raises:
        SurgetankError: if the rule is unknown, shapes do not fit, or a number is not finite or has
            the wrong sign.
    """
    place = "options.portfolio_margin"
    if not (np.isfinite(spot) and spot > 0):
        raise SurgetankError("`spot` must be finite and positive", place=place)
    if not np.isfinite(perpetual):
        raise SurgetankError("`perpetual` must be finite", place=place)
    columns = _columns(
        place, {"strike": strike, "vol": vol, "years": years, "call": call, "qty": qty}
    )
    try:
        return Requirement(*compiled().portfolio_margin(rule, spot, perpetual, *columns.values()))
    except ValueError as error:
        raise SurgetankError(
            str(error), place=place, hint="Give `deribit-pm` or `derive-pmrm`"
        ) from None


def _columns(place: str, named: dict[str, ArrayLike]) -> dict[str, list[float]]:
    """Equally long lists of checked numbers (`call`: of truths)."""
    kinds = {name: np.bool_ if name == "call" else np.float64 for name in named}
    try:
        arrays: tuple[np.ndarray[Any, Any], ...] = np.broadcast_arrays(
            *(np.asarray(values, dtype=kinds[name]) for name, values in named.items())
        )
    except ValueError as error:
        raise SurgetankError(str(error), place=place) from None
    for name, values in zip(named, arrays, strict=True):
        if not np.isfinite(values).all():
            raise SurgetankError(f"`{name}` must be finite", place=place)
        if name in ("forward", "strike") and not (values > 0).all():
            raise SurgetankError(f"`{name}` must be positive", place=place)
        if name in ("vol", "years") and not (values >= 0).all():
            raise SurgetankError(f"`{name}` must not be negative", place=place)
    return {name: np.ravel(values).tolist() for name, values in zip(named, arrays, strict=True)}
