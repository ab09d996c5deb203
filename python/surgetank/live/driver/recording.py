"""The recordings that the processes of a run share: arrays in a folder, mapped into memory.

Every cell has one writer, the process that sends the message, so no process waits for another, and
written cells survive even if the writer is killed.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from surgetank.live.payload import Numbers
from surgetank.live.target import Sink

if TYPE_CHECKING:
    from surgetank.live.driver.schedule import Schedule

__all__ = ["DELIVERY", "Deliveries", "Recording", "Sending", "Sent", "State", "now_ns"]


class State(enum.IntEnum):
    """The state of a message on the sender's side."""

    WAITING = 0
    """Not due yet, or the process ended before it was due."""
    SENT = 1
    """Handed to the target, which has not answered."""
    ACKNOWLEDGED = 2
    REFUSED = 3
    DISCONNECTED = 4
    """The connection ended before an answer."""
    NOT_SENT = 5
    """There was no room in flight when it was due."""


#: A delivery as the subscriber writes it: times from `time.monotonic_ns()`, −1 for none.
DELIVERY: Final = np.dtype(
    [
        ("number", "<i8"),
        ("time_ns", "<i8"),
        ("decided_ns", "<i8"),
        ("height", "<i8"),
        ("node", "<i8"),
    ]
)
_SCHEDULED: Final = ("due_ns", "class_number", "account", "size_bytes")
_WRITTEN: Final = {"sent_ns": np.int64, "answered_ns": np.int64, "state": np.uint8}


class Recording:
    """The sender's side of a run's folder: due times and outcomes."""

    def __init__(self, folder: Path, mode: Any = "r+") -> None:
        self.folder = folder
        self.due_ns, self.class_number, self.account, self.size_bytes = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in _SCHEDULED
        )
        self.sent_ns: npt.NDArray[np.int64] = np.load(folder / "sent_ns.npy", mmap_mode=mode)
        self.answered_ns: npt.NDArray[np.int64] = np.load(
            folder / "answered_ns.npy", mmap_mode=mode
        )
        self.state: npt.NDArray[np.uint8] = np.load(folder / "state.npy", mmap_mode=mode)

    @classmethod
    def create(cls, folder: Path, schedule: Schedule) -> Recording:
        """Lays out the arrays of a run in a folder."""
        for name in _SCHEDULED:
            np.save(folder / f"{name}.npy", getattr(schedule, name))
        for name, dtype in _WRITTEN.items():
            fill = 0 if name == "state" else -1
            np.save(folder / f"{name}.npy", np.full(len(schedule), fill, dtype=dtype))
        return cls(folder)

    def counts(self) -> dict[State, int]:
        """Number of messages in each state now."""
        found = np.bincount(self.state, minlength=len(State)).tolist()
        return {state: found[state] for state in State}

    def copied(self) -> Sending:
        """Copies that outlive the folder."""
        return Sending(
            np.array(self.sent_ns), np.array(self.answered_ns), np.array(self.state, dtype=np.int64)
        )


@dataclass(frozen=True)
class Sending:
    """The sender's side of a run; shape (n,) each."""

    sent_ns: npt.NDArray[np.int64]
    """Send times by `time.monotonic_ns()`; −1 for never."""
    answered_ns: npt.NDArray[np.int64]
    """Times of the acknowledgements on the same clock; −1 for never."""
    state: npt.NDArray[np.int64]
    """Values of `State`."""

    def since(self, start_ns: int) -> Sending:
        """The recording with times since the start of the run."""
        return Sending(
            np.where(self.sent_ns >= 0, self.sent_ns - start_ns, -1),
            np.where(self.answered_ns >= 0, self.answered_ns - start_ns, -1),
            self.state,
        )


class Sent(Sink):
    """The sink of a publishing process."""

    def __init__(self, recording: Recording, run: int) -> None:
        self.run = run
        self.reasons: dict[str, int] = {}
        """Number of refused messages by the target's reason."""
        self.open = 0
        """Messages sent and not answered."""
        self.error = ""
        """The first error in the target's own code, if any."""
        self.ended = False
        """Whether the run is over: connections that close from now on are closed by surgetank."""
        self._of = recording

    def sent(self, numbers: Numbers, at_ns: int) -> None:
        """Records that these are being handed to the target at a time."""
        self._of.sent_ns[numbers] = at_ns
        self._of.state[numbers] = State.SENT
        self.open += len(numbers)

    def not_sent(self, numbers: Numbers) -> None:
        """Records that these were due and are not sent, since the in-flight limit was reached."""
        self._of.state[numbers] = State.NOT_SENT

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """See `Sink`."""
        self._answer(numbers, at_ns, State.ACKNOWLEDGED)

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """See `Sink`."""
        count = self._answer(numbers, at_ns, State.REFUSED)
        if count or not len(numbers):
            _count(self.reasons, reason, count)

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """See `Sink`."""
        if not self.ended:
            self._answer(numbers, at_ns, State.DISCONNECTED)

    def _answer(self, numbers: Numbers | Sequence[int], at_ns: int, state: int) -> int:
        """The first answer counts; returns how many were first."""
        index = np.asarray(numbers, dtype=np.int64)
        first = index[self._of.state[index] == State.SENT]
        self._of.answered_ns[first] = at_ns
        self._of.state[first] = state
        self.open -= len(first)
        return len(first)


class Deliveries(Sink):
    """The sink of a subscribing process: appends to a file."""

    def __init__(self, folder: Path, run: int) -> None:
        self.run = run
        self.foreign = 0
        """Payloads that were not of this run."""
        self.reasons: dict[str, int] = {}
        """Errors that the target reported about no message (counts are 0)."""
        self.listening = asyncio.Event()
        self._file = (folder / "deliveries.bin").open("ab", buffering=0)
        self._rows: list[npt.NDArray[Any]] = []

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """Keeps the reason. Subscribing objects send nothing, so the refusal is of no message."""
        _count(self.reasons, reason, 0)

    def subscribed(self) -> None:
        """See `Sink`."""
        self.listening.set()

    def delivered(
        self,
        numbers: Numbers | Sequence[int],
        at_ns: int,
        *,
        node: int = 0,
        decided_ns: int | Numbers | None = None,
        height: int | None = None,
    ) -> None:
        """See `Sink`."""
        rows = np.empty(len(numbers), dtype=DELIVERY)
        rows["number"], rows["time_ns"], rows["node"] = numbers, at_ns, node
        rows["decided_ns"] = -1 if decided_ns is None else decided_ns
        rows["height"] = -1 if height is None else height
        self._rows.append(rows)
        if len(self._rows) >= 1_024:
            self.flush()

    def flush(self) -> None:
        """Writes the deliveries received so far; called many times a second."""
        if self._rows:
            rows, self._rows = self._rows, []
            self._file.write(np.concatenate(rows).tobytes())

    @staticmethod
    def read(folder: Path, offset: int = 0) -> npt.NDArray[Any]:
        """Deliveries from the `offset`-th on; a row being written is left for next time."""
        path = folder / "deliveries.bin"
        if not path.exists():
            return np.empty(0, dtype=DELIVERY)
        with path.open("rb") as file:
            file.seek(offset * DELIVERY.itemsize)
            raw = file.read()
        whole = len(raw) - len(raw) % DELIVERY.itemsize
        return np.frombuffer(raw[:whole], dtype=DELIVERY)


def _count(reasons: dict[str, int], reason: str, count: int) -> None:
    known = reason if reason in reasons or len(reasons) < 64 else "other"
    reasons[known] = reasons.get(known, 0) + count


def now_ns() -> int:
    """The clock of a run, `time.monotonic_ns()`: one for all processes of a machine."""
    return time.monotonic_ns()
