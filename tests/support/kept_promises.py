"""What a venue has promised over its lives, compared with what its journal has.

`Promises` is filled by clients while they run. `broken` is pure: it compares them with the places
of a journal, and names everything that does not hold.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from segment_files import Placed

__all__ = ["Promises", "broken"]

#: Sender and ClOrdID: the name of a request.
Name = tuple[int, int]


@dataclass
class Promises:
    """What clients have sent and were answered; several threads fill it."""

    sent: dict[Name, bytes] = field(default_factory=dict)
    """The bytes of every request, as the journal has them."""
    answered: dict[Name, tuple[int, int]] = field(default_factory=dict)
    """Place in the journal, and FIX OrdRejReason."""
    contradictions: list[str] = field(default_factory=list)
    """Requests that were answered twice, differently."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sending(self, name: Name, request: bytes) -> None:
        """A request is about to be sent, for the first time or again."""
        with self._lock:
            self.sent[name] = request

    def answer(self, name: Name, sequence: int, reason: int) -> None:
        """It was answered."""
        with self._lock:
            before = self.answered.setdefault(name, (sequence, reason))
            if before != (sequence, reason):
                what = f"{name} was answered {before}, and then {(sequence, reason)}"
                self.contradictions.append(what)


def broken(promises: Promises, places: Sequence[Placed], before: Sequence[Placed] = ()) -> set[str]:
    """What does not hold, as texts that begin with its kind: `lost`, `moved`, `altered`, `twice`,
    `foreign`, `hole`, `changed` (a place that was read in an earlier life), `contradiction`."""
    found = {f"contradiction: {text}" for text in promises.contradictions}
    names: dict[Name, Placed] = {}
    for sequence, placed in enumerate(places, 1):
        name = (placed.sender, placed.cl_ord_id)
        if placed.sequence != sequence:
            found.add(f"hole: place {placed.sequence} stands where {sequence} should")
        if name in names:
            found.add(f"twice: {name} at {names[name].sequence} and {placed.sequence}")
        names.setdefault(name, placed)
        if name not in promises.sent:
            found.add(f"foreign: {name} at {placed.sequence} was not sent")
        elif promises.sent[name] != placed.request:
            found.add(f"altered: {name} at {placed.sequence} is not what was sent")
    for name, (sequence, _) in promises.answered.items():
        if name not in names:
            found.add(f"lost: {name} was answered with place {sequence}")
        elif names[name].sequence != sequence:
            found.add(f"moved: {name} was answered with {sequence}, is at {names[name].sequence}")
    for old, new in zip(before, places, strict=False):
        if old != new:
            found.add(f"changed: place {old.sequence} was another request")
    if len(places) < len(before):
        # What was read from the files of a living venue may not have been synced.
        gone = [old for old in before[len(places) :] if _answered(promises, old)]
        found |= {f"lost: {old.sender, old.cl_ord_id} at {old.sequence}" for old in gone}
    return found


def _answered(promises: Promises, placed: Placed) -> bool:
    return (placed.sender, placed.cl_ord_id) in promises.answered
