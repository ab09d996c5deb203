"""Parts of the page around the charts: verdict, reasons, key figures, faults, glossary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from surgetank.catalogue import Limit, title_of
from surgetank.catalogue.families import GROUP
from surgetank.measure import Measure
from surgetank.measure.ledger import COLUMNS, ledger
from surgetank.number_format import NBSP, apart, milliseconds, number, usd
from surgetank.report.measure_text import interval, measure_text
from surgetank.report.run_view import RunView
from surgetank.trace.frames import groups_of
from surgetank.verdict import Reason, Status

__all__ = [
    "FaultRow",
    "LedgerRow",
    "ReasonRow",
    "Tile",
    "faults",
    "figures",
    "glossary",
    "limitations",
    "money",
    "reasons",
]


@dataclass(frozen=True)
class ReasonRow:
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
    """A quantity of a fault: requested, measured and allowed."""

    letter: str
    kind: str
    span: str
    nodes: str
    quantity: str
    asked: str
    allowed: str
    measured: str
    samples: str


def reasons(view: RunView) -> tuple[list[ReasonRow], list[ReasonRow]]:
    """The limits judged, those not met first, and the checks of the run itself."""
    limits, checks = [], []
    for reason in (*view.verdict.reasons, *view.verdict.left_out):
        if reason.bound is not None:
            limits.append(_limit(view, reason, reason.bound))
        else:
            checks.append(_check(reason))
    return sorted(limits, key=_gravity), sorted(checks, key=_gravity)


def _gravity(row: ReasonRow) -> int:
    return ["INVALID", "FAIL", "UNKNOWN", "PASS"].index(row.status)


def _limit(view: RunView, reason: Reason, bound: Limit) -> ReasonRow:
    measure = view.measures.get(bound.measure)
    measured = apart(reason.measured, reason.limit, reason.unit)[0]
    status = reason.status
    note = measure.note if measure else ""
    if status is Status.UNKNOWN:
        note = reason.why or reason.text
    if view.verdict.status is Status.INVALID:
        # The run was not what the scenario asks for: it is no evidence about the layer.
        status, note = Status.UNKNOWN, "not judged: the run is INVALID"
    elif status is not Status.UNKNOWN and reason.inside:
        note = "the limit lies inside the interval"
        if status is Status.FAIL:
            note += ": another seed or a longer run may meet it"
    return ReasonRow(
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
    return f"{bound.side.phrase} {apart(reason.limit, reason.measured, reason.unit)[0]}"


def _check(reason: Reason) -> ReasonRow:
    return ReasonRow(reason.title, reason.name, "", "", "", str(reason.status), reason.text)


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


#: Most nodes of a fault that are named.
_NAMED: Final = 8


def figures(view: RunView) -> list[Tile]:
    """Key figures that were measured."""
    judged = {r.bound.measure: r for r in view.verdict.reasons if r.bound is not None}
    if "late_share" in judged:
        judged["late_liquidations"] = judged["late_share"]
    return [
        _tile(view, view.measures[name], judged.get(name))
        for name in _TILES
        if name in view.measures and view.measures[name].value is not None
    ]


def _tile(view: RunView, measure: Measure, reason: Reason | None) -> Tile:
    text, detail, status = measure_text(measure), "", ""
    if reason is not None and reason.bound is not None:
        detail = _allowed(reason, reason.bound).replace(" ", NBSP)
        if view.verdict.status is not Status.INVALID:
            status = {Status.FAIL: "fail", Status.PASS: "pass"}.get(reason.status, "")
    elif interval(measure):
        detail = f"95{NBSP}%: {interval(measure)}"
    head = title_of(measure.name)
    if measure.name == "desynchronised_share_max" and measure.value is not None:
        text = f"{view.synchrony.worst['nodes']} of {view.trace.nodes}"
    if measure.name == "late_liquidations" and measure.n:
        text = f"{text} of {measure.n:,}"
    return Tile(head, text, detail, status)


@dataclass(frozen=True)
class LedgerRow:
    """The gain or loss of a group, by its parts."""

    group: str
    who: str
    cells: list[str]


def money(view: RunView) -> list[LedgerRow]:
    """The ledger, in USD; groups without any change are left out."""
    rows = ledger(view.trace).iter_rows(named=True)
    return [
        LedgerRow(
            row["group"].capitalize(),
            GROUP.members[row["group"]],
            [usd(row[column] * view.quantum_usd) for column in COLUMNS],
        )
        for row in rows
        if any(row[column] for column in COLUMNS)
    ]


def _allowed_range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        least = "" if low is None else f"at least {number(low)}"
        return least or ("anything" if high is None else f"at most {number(high)}")
    return number(low) if low == high else f"{number(low)} – {number(high)}"


def faults(view: RunView) -> list[FaultRow]:
    """One row per quantity measured on a fault."""
    letters = {(s.kind, s.at_ns): s.letter for s in view.stresses}
    rows = []
    for row in view.trace["faults"].iter_rows(named=True):
        measured = row["measured"]
        rows.append(
            FaultRow(
                letters.get((row["kind"], row["at_ns"]), ""),
                row["kind"],
                f"{row['at_ns'] / 1e9:g} – {row['until_ns'] / 1e9:g} s",
                _nodes(view, row["nodes"]),
                row["quantity"],
                number(row["asked"]),
                _allowed_range(row["allowed_low"], row["allowed_high"]),
                "no sample" if measured is None or math.isnan(measured) else number(measured),
                f"{row['samples']:,}",
            )
        )
    return rows


def _nodes(view: RunView, cell: str) -> str:
    """The names of the nodes of a fault, groups of a partition apart; the first few of many."""
    return " | ".join(_group(view, group) for group in groups_of(cell)) or "all"


def _group(view: RunView, nodes: list[int]) -> str:
    names = ["clients" if node < 0 else view.node_name(node) for node in nodes[:_NAMED]]
    more = len(nodes) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "")


def glossary(view: RunView) -> list[dict[str, str]]:
    """Every measure with its value, interval, number of observations and meaning."""
    return [
        {
            "name": m.name,
            "title": title_of(m.name),
            "value": measure_text(m),
            "interval": interval(m),
            "n": f"{m.n:,}" if m.n else "",
            "what": m.what,
            "note": m.note,
        }
        for m in view.measures.values()
    ]


def limitations(view: RunView) -> list[str]:
    """Sentences on what the report does not show."""
    found = [
        "One run of one seed. An interval covers sampling inside this run; it does not say how "
        "much another seed would differ.",
        "Latency counts from the intended send time. Messages still in transit at the end "
        "count as longer than that (censored), refused and lost ones as infinite.",
        f"Curves over time are in bins of {milliseconds(view.step_ns / 1e6)}, by the time of "
        "sending; stage means cover executed messages only.",
        "Dense lines are thinned to the first, last, least and greatest value of equal intervals; "
        "no extreme value is left out.",
    ]
    if view.trace.stats.live is not None:
        found.append(
            "Generator and target share the machine unless the target is remote: processor time "
            "that one "
            "used was not available to the other. The market is not executed in a live run."
        )
    if view.market.height:
        found.append(
            "Prices, traders and liquidators follow the rules of the scenario above; a real market "
            "may react otherwise. A liquidation is due when the outside price crosses the "
            "account's liquidation price."
        )
    return found
