"""What the page says of the live target that a run was played against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surgetank.catalogue import short_of
from surgetank.report.number_format import milliseconds, number, said
from surgetank.report.run_view import Reading

__all__ = ["Aimed", "ClassRow", "aimed"]

#: Measures shown by class.
COLUMNS: Final = (
    *("delay_p50_ms", "delay_p99_ms", "refused_count", "timed_out_count", "disconnected_count"),
    *("not_sent_count", "acknowledged_lost_count", "duplicates_share", "reordered_share"),
)


@dataclass(frozen=True)
class ClassRow:
    """A class of messages, and what became of it."""

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Aimed:
    """The target and how it treated the messages."""

    facts: tuple[tuple[str, str], ...]
    heads: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    refusals: tuple[tuple[str, str], ...]
    """The target's own words, and how often."""


def aimed(reading: Reading) -> Aimed | None:
    """None for a simulated run."""
    live = reading.trace.stats.live
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
        ("Server", live.version + ("" if cores is None else f", kept {cores:.2g} cores busy")),
        ("Acknowledgement", live.ack),
        ("It promises", ", ".join(promises) or "nothing"),
        ("Sent", f"{live.sent:,} of {live.scheduled:,} scheduled"),
        ("The generator", sender),
    )
    rows = [ClassRow("all", _cells(reading, ""))]
    rows += [ClassRow(name, _cells(reading, f".{name}")) for name in live.classes]
    told = sorted(live.refusals.items(), key=lambda entry: -entry[1])
    refusals = tuple((text, number(count)) for text, count in told[:10])
    return Aimed(facts, tuple(short_of(name) for name in COLUMNS), tuple(rows), refusals)


def _cells(reading: Reading, suffix: str) -> tuple[str, ...]:
    found = []
    for name in COLUMNS:
        measure = reading.measures.get(name + suffix)
        found.append("–" if measure is None or measure.value is None else said(measure))
    return tuple(found)
