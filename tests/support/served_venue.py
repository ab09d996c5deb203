"""A venue in a process of its own, for tests of its clients."""

from __future__ import annotations

import re
from pathlib import Path

import surgetank as st
from surgetank.client import Gap, StreamEvent, Subscription
from surgetank.client.streams import JournalBatch
from surgetank.journal import Journal
from surgetank.venue import ServedVenue
from surgetank.venue.keys import write_keys
from surgetank.venue.starter import STARTER, starter_keys

__all__ = ["cl_ord_ids", "journal_of", "until", "venue_in"]


def venue_in(folder: Path, **changed: int) -> ServedVenue:
    """The venue that `surgetank init --venue` writes, with some numbers changed."""
    text = STARTER.replace("NAME", "demo")
    for name, number in changed.items():
        text = re.sub(rf"^{name} = \d+", f"{name} = {number}", text, flags=re.MULTILINE)
    (folder / "demo.toml").write_text(text)
    write_keys(folder / "demo.keys.toml", starter_keys())
    return st.serve(folder / "demo.toml", data=folder / "data")


def until(events: Subscription, sequence: int, count: int = 1) -> list[StreamEvent]:
    """So many events at least, up to one of this place in the journal. No gap is among them."""
    read: list[StreamEvent] = []
    while len(read) < count or read[-1].sequence < sequence:
        item = events.get(timeout_s=20)
        assert not isinstance(item, Gap), item
        read.append(item)
    return read


def journal_of(events: list[StreamEvent], path: Path) -> Journal:
    """The journal out of the events of its stream."""
    frames = [event.event.frame for event in events if isinstance(event.event, JournalBatch)]
    path.write_bytes(b"".join(frames))
    return Journal(path)


def cl_ord_ids(journal: Journal) -> list[int]:
    """ClOrdIDs of its orders, by their place in the encoding (docs/venue-protocol.md)."""
    messages = journal.published()["message"]
    orders = [bytes(message) for message in messages if message[:3] == b"\x00\x01\x04"]
    return [int.from_bytes(message[19:27], "little") for message in orders]
