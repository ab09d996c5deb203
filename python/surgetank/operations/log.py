"""What has happened between two readings, for the venue's log.

Many things of one kind between two readings are one event with their number, so that a flood of
connections or requests does not become a flood of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from surgetank.operations.readings import VenueReading

__all__ = ["FOR_PERSONS", "happened"]

#: Events that are shown to a person too.
FOR_PERSONS: Final = frozenset({"state", "disk", "disk-failed"})
_SPACE: Final = {
    "ample": "there is room on the disk",
    "reserve": "no further segment can be allocated: only what reduces risk is accepted",
    "full": "the disk is full: nothing is accepted until there is room",
}


def happened(before: VenueReading, now: VenueReading) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events by their names, each with its content and a text for persons."""
    if before.health.state != now.health.state:
        state = now.health.state
        yield "state", {"state": state, "text": f"The venue is {state}"}
    if before.health.disk != now.health.disk:
        space = now.health.disk
        text = f"Disk: {_SPACE[space]}"
        yield "disk", {"space": space, "free_bytes": now.free_bytes, "text": text}
    if failed := _more(before.disk["failed"], now.disk["failed"]):
        yield "disk-failed", {"effects": failed, "text": f"The disk has failed: {_listed(failed)}"}
    if now.disk["snapshots"] > before.disk["snapshots"]:
        yield "snapshot", _snapshot(now.disk["last_snapshot"])
    lost = now.connections["lost"] - before.connections["lost"]
    cut = _more(before.connections["cut"], now.connections["cut"])
    if lost or cut:
        text = f"Connections ended: {_listed(cut | ({'lost': lost} if lost else {}))}"
        yield "connections-ended", {"cut": cut, "lost": lost, "text": text}
    refused = _more(_refused(before), _refused(now))
    if refused:
        text = f"Requests refused: {_listed(refused)}"
        yield "requests-refused", {"refused": refused, "text": text}


def _snapshot(last: Mapping[str, Any]) -> dict[str, Any]:
    took_s, pause_s = last["took_ns"] / 1e9, last["pause_ns"] / 1e9
    return {
        "record": last["record"],
        "bytes": last["bytes"],
        "took_s": took_s,
        "pause_s": pause_s,
        "text": f"Snapshot at record {last['record']}, {last['bytes']:,} bytes, {took_s:.3f} s",
    }


def _refused(reading: VenueReading) -> Mapping[str, int]:
    refused: dict[str, int] = reading.venue["intake"]["tally"]["refused"] if reading.venue else {}
    return refused


def _more(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """By how much each number has grown; those that have not are left out."""
    grown = {name: count - before.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in grown.items() if count > 0}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
