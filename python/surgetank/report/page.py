"""What the page says around the charts: verdict, reasons, key figures, faults, glossary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from surgetank.catalogue import Limit, title_of
from surgetank.catalogue.families import GROUP
from surgetank.measure import Measure
from surgetank.measure.ledger import COLUMNS, ledger
from surgetank.report.number_format import (
    NBSP,
    interval,
    milliseconds,
    number,
    said,
    usd,
    value,
)
from surgetank.report.run_view import Reading
from surgetank.verdict import Reason, Status

__all__ = [
    "FaultRow",
    "Judged",
    "LedgerRow",
    "Tile",
    "faults",
    "figures",
    "glossary",
    "limitations",
    "money",
    "reasons",
]


@dataclass(frozen=True)
class Judged:
    """A reason of the verdict, for a reader."""

    title: str
    name: str
    measured: str
    interval: str
    limit: str
    status: str
    text: str


@dataclass(frozen=True)
class Tile:
    """A key figure."""

    title: str
    value: str
    detail: str
    status: str
    """`fail`, `pass`, or empty where no limit bounds it or the run is INVALID."""


@dataclass(frozen=True)
class FaultRow:
    """What a fault was asked to do and what was measured."""

    letter: str
    kind: str
    span: str
    nodes: str
    quantity: str
    asked: str
    allowed: str
    measured: str
    samples: str


def reasons(reading: Reading) -> tuple[list[Judged], list[Judged]]:
    """Limits judged, broken ones first; and checks of the run itself."""
    limits, checks = [], []
    for reason in (*reading.verdict.reasons, *reading.verdict.left_out):
        if reason.bound is not None:
            limits.append(_limit(reading, reason, reason.bound))
        else:
            checks.append(_check(reason))
    return sorted(limits, key=_gravity), sorted(checks, key=_gravity)


def _gravity(row: Judged) -> int:
    return ["INVALID", "FAIL", "UNKNOWN", "PASS"].index(row.status)


def _limit(reading: Reading, reason: Reason, bound: Limit) -> Judged:
    measure = reading.measures.get(bound.measure)
    measured = value(reason.measured, reason.unit)
    if measure is not None and reason.measured is not None:
        measured = said(measure)
    status = reason.status
    note = reason.text if status is Status.UNKNOWN else (measure.note if measure else "")
    if reading.verdict.status is Status.INVALID:
        # The run did not do what was asked: nothing of the layer was shown, good or bad.
        status, note = Status.UNKNOWN, "not judged: the run is INVALID"
    elif status is not Status.UNKNOWN and reason.inside:
        note = "the limit lies inside the interval"
    return Judged(
        reason.title,
        reason.name,
        measured,
        interval(measure) if measure else "",
        _allowed(reason, bound),
        str(status),
        note,
    )


def _allowed(reason: Reason, bound: Limit) -> str:
    if reason.limit is None:
        return ""
    return f"{bound.side.said} {value(reason.limit, reason.unit)}"


def _check(reason: Reason) -> Judged:
    return Judged(reason.title, reason.name, "", "", "", str(reason.status), reason.text)


_TILES: Final = (
    "delay_p99_ms",
    "goodput_ratio",
    "throughput_per_s",
    "jitter_p99_min_ms",
    "desynchronised_share_max",
    "propagation_p99_ms",
    "liquidation_delay_p99_ms",
    "late_liquidations",
    "bad_debt_usd",
    "insurance_drawn_usd",
    "attacker_gain_usd",
    "attacker_cost_usd",
)


def figures(reading: Reading) -> list[Tile]:
    """Key figures that were measured."""
    judged = {r.bound.measure: r for r in reading.verdict.reasons if r.bound is not None}
    if "late_share" in judged:
        judged["late_liquidations"] = judged["late_share"]
    return [
        _tile(reading, reading.measures[name], judged.get(name))
        for name in _TILES
        if name in reading.measures and reading.measures[name].value is not None
    ]


def _tile(reading: Reading, measure: Measure, reason: Reason | None) -> Tile:
    text, detail, status = said(measure), "", ""
    if reason is not None and reason.bound is not None:
        detail = _allowed(reason, reason.bound).replace(" ", NBSP)
        if reading.verdict.status is not Status.INVALID:
            status = {Status.FAIL: "fail", Status.PASS: "pass"}.get(reason.status, "")
    elif interval(measure):
        detail = f"95{NBSP}%: {interval(measure)}"
    head = title_of(measure.name)
    if measure.name == "desynchronised_share_max" and measure.value is not None:
        text = f"{round(measure.value * reading.trace.nodes)} of {reading.trace.nodes}"
    if measure.name == "late_liquidations" and measure.n:
        text = f"{text} of {measure.n:,}"
    if measure.name == "goodput_ratio":
        head = "Goodput"
    return Tile(head, text, detail, status)


@dataclass(frozen=True)
class LedgerRow:
    """What a group gained or lost, and by what."""

    group: str
    who: str
    cells: list[str]


def money(reading: Reading) -> list[LedgerRow]:
    """The ledger, in USD; groups that nothing happened to are left out."""
    rows = ledger(reading.trace).iter_rows(named=True)
    return [
        LedgerRow(
            row["group"].capitalize(),
            GROUP.members[row["group"]],
            [usd(row[column] * reading.quantum_usd) for column in COLUMNS],
        )
        for row in rows
        if any(row[column] for column in COLUMNS)
    ]


def _allowed_range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        least = "" if low is None else f"at least {number(low)}"
        return least or ("anything" if high is None else f"at most {number(high)}")
    return number(low) if low == high else f"{number(low)} – {number(high)}"


def faults(reading: Reading) -> list[FaultRow]:
    """One row per quantity measured on a fault."""
    letters = {(s.kind, s.at_ns): s.letter for s in reading.stresses}
    rows = []
    for row in reading.trace["faults"].iter_rows(named=True):
        measured = row["measured"]
        rows.append(
            FaultRow(
                letters.get((row["kind"], row["at_ns"]), ""),
                row["kind"],
                f"{row['at_ns'] / 1e9:g} – {row['until_ns'] / 1e9:g} s",
                row["nodes"].replace(",", ", ") or "all",
                row["quantity"],
                number(row["asked"]),
                _allowed_range(row["allowed_low"], row["allowed_high"]),
                "nothing sampled" if measured is None or math.isnan(measured) else number(measured),
                f"{row['samples']:,}",
            )
        )
    return rows


def glossary(reading: Reading) -> list[dict[str, str]]:
    """Every measure with its value, interval, number of observations and meaning."""
    return [
        {
            "name": m.name,
            "title": title_of(m.name),
            "value": said(m),
            "interval": interval(m),
            "n": f"{m.n:,}" if m.n else "",
            "what": m.what,
            "note": m.note,
        }
        for m in reading.measures.values()
    ]


def limitations(reading: Reading) -> list[str]:
    """What a reader must not take from this report."""
    found = [
        "One run of one seed. An interval is about sampling inside this run; it does not say how "
        "much another seed would differ.",
        "Delay counts from the time a client meant to send. Messages still under way at the end "
        "count as longer than that (censored), refused and lost ones as infinite.",
        f"Curves over time are in bins of {milliseconds(reading.step_ns / 1e6)}, by the time of "
        "sending; stage means cover executed messages only.",
        "Dense lines are thinned to first, last, least and greatest value of equal stretches; "
        "nothing that was measured is smoothed away.",
    ]
    if reading.trace.stats.live is not None:
        found.append(
            "Generator and target share the machine unless the target is elsewhere: what the one "
            "used, the other had not. The market is not executed in a live run."
        )
    if reading.market.height:
        found.append(
            "Prices, traders and liquidators follow the rules of the scenario above; a real market "
            "may react otherwise. A liquidation is due when the outside price crosses the "
            "account's liquidation price."
        )
    return found


def bands(reading: Reading) -> list[dict[str, Any]]:
    """The stresses as the script shades them."""
    return [
        {
            "letter": s.letter,
            "label": s.label,
            "from": s.at_ns / 1e9,
            "until": s.until_ns / 1e9,
            "kind": s.kind,
        }
        for s in reading.stresses
    ]
