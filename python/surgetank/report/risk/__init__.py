"""The page of a risk answer: the distribution of bad debt, its causes, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surgetank.catalogue import RISKS
from surgetank.catalogue.families import BEARER
from surgetank.number_format import usd, value
from surgetank.report.risk.figures import pictures
from surgetank.report.shell import render_template
from surgetank.risk import Risk, RiskEstimate
from surgetank.risk.paired import QUANTITIES, DebtDifference
from surgetank.scenario.recording import ONE_RECORDING

__all__ = ["render_risk"]

_TILES: Final = (
    "bad_debt_mean_usd",
    "bad_debt_p95_usd",
    "bad_debt_es95_usd",
    "bad_debt_es99_usd",
    "insurance_exhausted_probability",
    "bad_debt_largest_usd",
)


@dataclass(frozen=True)
class _Cell:
    title: str
    value: str
    detail: str


def render_risk(found: Risk) -> str:
    """The page of a risk answer as HTML text."""
    return render_template(
        "risk.html.j2",
        answer=found,
        status=str(found.verdict.status),
        reasons=found.reasons,
        one_recording=ONE_RECORDING if found.recording else "",
        tiles=[_cell(found[name]) for name in _TILES] if found.estimates else [],
        rows=[_cell(found[name]) for name in RISKS] if found.estimates else [],
        parts=_parts(found) if found.estimates else [],
        pictures=[] if found.invalid else pictures(found),
        quantities=QUANTITIES,
        effects=[(e, [_difference(d) for d in e.differences.values()]) for e in found.effects],
    )


def _cell(one: RiskEstimate) -> _Cell:
    unit, title = one.spec.unit, one.spec.short or one.spec.title
    title = title[:1].upper() + title[1:]
    if one.value is None:
        least = "" if not one.low else f"at least {value(one.low, unit)}; "
        return _Cell(title, "UNKNOWN", f"{least}needs {one.needed:,} runs")
    if one.low is None or one.high is None:
        return _Cell(title, value(one.value, unit), one.without_interval)
    ends = f"{value(one.low, unit)} to {value(one.high, unit)}"
    return _Cell(title, value(one.value, unit), ends)


def _parts(found: Risk) -> list[tuple[str, _Cell, _Cell]]:
    """Each bearer with a loss: its mean and its expected shortfall."""
    return [
        (
            BEARER.title(bearer),
            _cell(found[f"bad_debt_mean_usd.{bearer}"]),
            _cell(found[f"bad_debt_es95_usd.{bearer}"]),
        )
        for bearer, losses in found.losses.bearers.items()
        if losses.any()
    ]


def _difference(one: DebtDifference) -> _Cell:
    if one.low is None or one.high is None:
        return _Cell("", "UNKNOWN", "too few runs")
    shown = usd(one.value) if one.reduces or one.raises else "no effect shown"
    return _Cell("", shown, f"{usd(one.low)} to {usd(one.high)}")
