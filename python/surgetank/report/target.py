"""The page's section on the live target of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surgetank.catalogue import short_of
from surgetank.number_format import milliseconds, number
from surgetank.report.measure_text import measure_text
from surgetank.report.run_view import RunView

__all__ = ["ClassRow", "TargetSection", "target_section"]

#: Measures shown by class.
COLUMNS: Final = (
    *("delay_p50_ms", "delay_p99_ms", "refused_count", "timed_out_count", "disconnected_count"),
    *("not_sent_count", "acknowledged_lost_count", "duplicates_share", "reordered_share"),
)


@dataclass(frozen=True)
class ClassRow:
    """A row of the table: the target's handling of the messages of a class."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class TargetSection:
    """The target, its guarantees, and its handling of the messages."""

    facts: tuple[tuple[str, str], ...]
    heads: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    refusals: tuple[tuple[str, str], ...]
    """Reasons for refusals as the target worded them, and how often each occurred."""


def target_section(view: RunView) -> TargetSection | None:
    """None for a simulated run."""
    live = view.trace.stats.live
    if live is None:
        return None
    promises = [
        name
        for name, held in (
            ("keeps order", live.ordered),
            ("durable", live.durable),
            ("may deliver twice", live.redelivers),
        )
        if held
    ]
    late = milliseconds(live.lateness_p99_ns / 1e6)
    most = milliseconds(live.lateness_max_ns / 1e6)
    busiest = max(live.cpu_share.values(), default=0.0)
    workers = live.workers
    sender = f"{late} late at p99, {most} at most; {workers} sending "
    sender += f"process{'' if workers == 1 else 'es'}, the busiest at {busiest:.0%} of a core"
    cores = live.server_cores
    facts = (
        ("Target", live.target),
        ("Server", live.version + ("" if cores is None else f", used {cores:.2g} cores")),
        ("Acknowledgement", live.ack),
        ("Guarantees", ", ".join(promises) or "nothing"),
        ("Sent", f"{live.sent:,} of {live.scheduled:,} scheduled"),
        ("Load generator", sender),
    )
    rows = [ClassRow("all", _cells(view, ""))]
    rows += [ClassRow(name, _cells(view, f".{name}")) for name in live.classes]
    counts = sorted(live.refusals.items(), key=lambda entry: -entry[1])
    refusals = tuple((text, number(count)) for text, count in counts[:10])
    return TargetSection(facts, tuple(short_of(name) for name in COLUMNS), tuple(rows), refusals)


def _cells(view: RunView, suffix: str) -> tuple[str, ...]:
    found = []
    for name in COLUMNS:
        measure = view.measures.get(name + suffix)
        found.append("–" if measure is None or measure.value is None else measure_text(measure))
    return tuple(found)
