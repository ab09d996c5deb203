"""Quantities of the distribution of bad debt over runs: not measures of one run, but titled and
limited like them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from surgetank.catalogue.families import BEARER
from surgetank.catalogue.spec import Better, Limit, LimitSide, MeasureSpec

__all__ = ["RISKS", "RISK_LIMITS", "RISK_NAMES"]

_ORDER: Final = "order statistics; ends: Hahn and Meeker, Statistical Intervals, 1991, §5.2"
_MEAN: Final = "mean over runs; ends: bootstrap BCa (Efron, JASA 82, 1987)"
_SHORTFALL: Final = (
    "Acerbi and Tasche, Journal of Banking and Finance 26(7), 2002; ends: bootstrap BCa"
)
_EXACT: Final = "share of runs; ends: Clopper and Pearson, Biometrika 26, 1934"


def _of_debt(
    name: str, short: str, what: str, source: str, quantile: float | None = None
) -> MeasureSpec:
    return MeasureSpec(
        f"bad_debt_{name}_usd",
        "USD",
        Better.LESS,
        f"Bad debt, {short}",
        what,
        source,
        short=short,
        quantile=quantile,
        family=BEARER,
    )


_RISKS: Final = (
    MeasureSpec(
        "bad_debt_probability",
        "share",
        Better.LESS,
        "P(bad debt)",
        "share of runs with any bad debt",
        _EXACT,
    ),
    MeasureSpec(
        "insurance_exhausted_probability",
        "share",
        Better.LESS,
        "P(insurance exhausted)",
        "share of runs in which the insurance fund could not pay a debt in full",
        _EXACT,
    ),
    _of_debt("mean", "mean", "mean over runs of {of}", _MEAN),
    _of_debt("p50", "median", "median over runs of {of}", _ORDER, 0.5),
    _of_debt("p95", "95 % quantile", "95 % of runs have at most this of {of}", _ORDER, 0.95),
    _of_debt("p99", "99 % quantile", "99 % of runs have at most this of {of}", _ORDER, 0.99),
    _of_debt(
        "es95",
        "expected shortfall 95 %",
        "mean over the worst 5 % of runs of {of}",
        _SHORTFALL,
        0.95,
    ),
    _of_debt(
        "es99",
        "expected shortfall 99 %",
        "mean over the worst 1 % of runs of {of}",
        _SHORTFALL,
        0.99,
    ),
    _of_debt(
        "largest",
        "largest",
        "largest of the runs made of {of}; it grows with their number",
        "largest observation; no interval",
    ),
)

RISKS: Final[Mapping[str, MeasureSpec]] = {spec.name: spec for spec in _RISKS}
"""Entries by name, in the order in which a reader meets them."""

RISK_NAMES: Final[Mapping[str, tuple[MeasureSpec, str]]] = {
    spec.measure(member): (spec, member) for spec in _RISKS for member in spec.members()
}
"""Full name (`bad_debt_es95_usd.insurance`) → entry and member; the whole has an empty member."""

RISK_LIMITS: Final[Mapping[str, Limit]] = {
    limit.name: limit
    for spec, member in RISK_NAMES.values()
    for limit in (Limit(spec, LimitSide.MOST, member),)
}
"""Limits by name: each quantity with `_max`, before the dot of a bearer."""
