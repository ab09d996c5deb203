"""The page of a comparison: in what two runs differ, what changed, and both over one time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surgetank.catalogue import title_of
from surgetank.compare import ChangeFinding, Comparison, Difference
from surgetank.number_format import NBSP
from surgetank.report.comparison.figures import BothRuns, change_chart, over_time
from surgetank.report.comparison.wording import (
    amount_text,
    basis,
    change_text,
    key_text,
    sentence,
)
from surgetank.report.measure_text import interval, measure_text
from surgetank.report.shell import in_script, render_template
from surgetank.trace import Trace

__all__ = ["render_comparison"]

_CHARACTERS: Final = 400
#: Measures that are not folded: those that changed by more than noise, those without an interval.
_CLEAR, _COUNTS = 20, 10
_BADGES: Final = {
    ChangeFinding.BETTER: ("pass", "✓ better"),
    ChangeFinding.WORSE: ("fail", "✕ worse"),
    ChangeFinding.CHANGED: ("found", "changed"),
    ChangeFinding.UNDECIDED: ("unknown", "undecided"),
    ChangeFinding.EQUAL: ("", "equal"),
    ChangeFinding.UNKNOWN: ("", ""),
}


@dataclass(frozen=True)
class _Row:
    """A measure in the tables."""

    title: str
    name: str
    a: str
    a_interval: str
    b: str
    b_interval: str
    change: str
    change_interval: str
    errors: str
    """The change over its standard error."""
    badge: tuple[str, str]
    limited: bool


def render_comparison(
    found: Comparison, traces: tuple[Trace, Trace], names: tuple[str, str] = ("", "")
) -> str:
    """The page of a comparison as HTML text. Figures over time are of `traces`, the first pair;
    `names` are what the two sides were called when they were given."""
    clear = [one for one in found.ranked if one.exceeds_noise]
    within = found.found(ChangeFinding.UNDECIDED)
    counts = [one for one in found.found(ChangeFinding.UNKNOWN) if one.sides or one.a or one.b]
    both = BothRuns(found, traces)
    charts = over_time(both)
    return render_template(
        "comparison.html.j2",
        scripts=("page.js",),
        found=found,
        names=names,
        status="INVALID" if found.invalid else "",
        sentence=sentence(found),
        basis=basis(found),
        keys=[
            (c.key, key_text(c.a, _CHARACTERS), key_text(c.b, _CHARACTERS)) for c in found.changes
        ],
        verdicts=[" ".join(sorted({str(s) for s in side.statuses})) for side in (found.a, found.b)],
        change_chart=change_chart(found),
        clear=[_row(found, one) for one in clear[:_CLEAR]],
        counts=[_row(found, one) for one in counts[:_COUNTS]],
        folded=[
            ("that changed by more than noise", [_row(found, one) for one in clear[_CLEAR:]]),
            ("without an interval", [_row(found, one) for one in counts[_COUNTS:]]),
            ("that noise explains", [_row(found, one) for one in within]),
        ],
        equal=len(found.found(ChangeFinding.EQUAL)),
        pictures=charts,
        data=in_script(
            {
                "step_s": both.step_ns / 1e9,
                "charts": {chart.name: chart.readout for chart in charts if chart.readout},
            }
        ),
    )


def _row(found: Comparison, one: Difference) -> _Row:
    sides = [(measure_text(m), interval(m)) if m is not None else ("–", "") for m in (one.a, one.b)]
    ends = [amount_text(end, one.unit) for end in (one.low, one.high) if end is not None]
    return _Row(
        title_of(one.name),
        one.name,
        *sides[0],
        *sides[1],
        change_text(one).replace(" ", NBSP),
        " to ".join(ends),
        "" if one.t is None else f"{one.t:.1f}" if one.t < 1e4 else "> 9,999",
        _BADGES[one.finding],
        one.name in found.limited,
    )
