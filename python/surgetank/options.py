"""Options: value and sensitivities, computed by the same core that marks them in a run."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from surgetank.errors import SurgetankError
from surgetank.simulate import compiled

__all__ = ["black76"]


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
    price is what the option would pay now.

    Returns one row per option, in row-major order of the broadcast shape: the arguments, and
    price (currency), delta (∂/∂F), gamma (∂²/∂F²), vega (∂/∂σ per 1.00), theta (∂/∂t per year,
    forward standing still), rho (∂/∂r per 1.00, of the discount only, forward standing still).

    Raises:
        SurgetankError: if shapes do not fit, or a number is not finite or has the wrong sign.
    """
    named = {"forward": forward, "strike": strike, "vol": vol, "years": years}
    try:
        arrays = [np.asarray(values, dtype=np.float64) for values in named.values()]
        *floats, calls = np.broadcast_arrays(*arrays, np.asarray(call, dtype=np.bool_))
    except ValueError as error:
        raise SurgetankError(str(error), place="options.black76") from None
    for name, values in zip(named, floats, strict=True):
        least = "positive" if name in ("forward", "strike") else "not negative"
        good = values > 0 if least == "positive" else values >= 0
        if not (np.isfinite(values) & good).all():
            raise SurgetankError(f"`{name}` must be finite and {least}", place="options.black76")
    lists = [np.ravel(values).tolist() for values in floats]
    columns = dict(zip(named, lists, strict=True)) | {"call": np.ravel(calls).tolist()}
    return pl.DataFrame(columns | compiled().black76(*columns.values()))
