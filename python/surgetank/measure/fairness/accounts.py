"""Fairness between accounts: mean latencies, and shares of block space."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import Floats, Interval
from surgetank.trace import CLASSES, MessageClass

__all__ = ["between_accounts", "gini"]

_Z: Final = NormalDist().inv_cdf(0.975)
_JACKKNIFE_MIN: Final = 10


def gini(values: Floats) -> Interval:
    """Gini coefficient of non-negative values, with a jackknife interval from 10 values on.

    G = 2 Σ i x₍ᵢ₎ / (n Σ x) − (n + 1)/n. The variance is over the coefficients with one value left
    out each (Karagiannis and Kovacevic, Oxford Bulletin of Economics and Statistics 62, 2000).
    """
    n = len(values)
    x = np.sort(values)
    total, weighted = float(x.sum()), float((np.arange(1, n + 1) * x).sum())
    if total <= 0:
        return Interval(0.0, None, None, n)
    value = 2 * weighted / (n * total) - (n + 1) / n
    if n < _JACKKNIFE_MIN:
        return Interval(value, None, None, n)
    # Without x₍ₖ₎ the values above it move down by a rank.
    above = total - np.cumsum(x)
    totals = total - x
    if totals.min() <= 0:
        return Interval(value, None, None, n)
    left_out = 2 * (weighted - np.arange(1, n + 1) * x - above) / ((n - 1) * totals) - n / (n - 1)
    half = _Z * math.sqrt((n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum()))
    return Interval(value, max(0.0, value - half), min(1.0, value + half), n)


def between_accounts(rows: pl.DataFrame) -> list[Measure]:
    """delay_gini, account_share_max and block_share.<class> of rows of `executed`.

    Price updates come from the venue's own oracles: they count for the classes' shares only.
    """
    none = "no message was executed in the window"
    clients = rows.filter(pl.col("class") != MessageClass.PRICE_UPDATE)
    if clients.is_empty():
        return [
            Measure("delay_gini", None, note=none),
            Measure("account_share_max", None, note=none),
            *_classes(rows),
        ]
    own = clients.group_by("account").agg(
        pl.col("delay_ns").mean().alias("delay"), pl.col("size_bytes").sum().alias("bytes")
    )
    found = gini(own["delay"].sort().to_numpy())
    top = own.sort(["bytes", "account"], descending=[True, False]).row(0, named=True)
    share = int(top["bytes"]) / max(1, int(own["bytes"].sum()))
    note = "executed messages only"
    return [
        Measure("delay_gini", found.value, found.low, found.high, found.n, note),
        Measure(
            "account_share_max",
            share,
            n=own.height,
            note=f"account {top['account']}, {share * own.height:.3g} times its even share",
        ),
        *_classes(rows),
    ]


def _classes(rows: pl.DataFrame) -> list[Measure]:
    sizes = rows.group_by("class").agg(pl.col("size_bytes").cast(pl.Int64).sum().alias("bytes"))
    whole = max(1, int(sizes["bytes"].sum() or 0))
    return [
        Measure(f"block_share.{CLASSES[number]}", size / whole, n=rows.height)
        for number, size in sizes.sort("class").iter_rows()
    ]
