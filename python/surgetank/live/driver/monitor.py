"""Readings of a run in progress: counts and delays, as snapshots for the `Watch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from surgetank.live.driver.recording import DELIVERY, Deliveries, Recording, State, now_ns
from surgetank.live.driver.schedule import Schedule
from surgetank.live.snapshot import ClassDelays, Snapshot, Watch
from surgetank.live.target import Capabilities
from surgetank.trace import CLASSES

__all__ = ["Monitor"]

_READING_NS: Final = 250_000_000
_HIGHEST_US: Final = 3_600_000_000
#: States after which nothing more is expected of a message.
_GIVEN_UP: Final = (State.REFUSED, State.DISCONNECTED, State.NOT_SENT)


class Monitor:
    """Reads the recordings of the processes while they are written."""

    def __init__(
        self,
        recording: Recording,
        schedule: Schedule,
        url: str,
        name: str,
        capabilities: Capabilities,
        watch: Watch | None,
    ) -> None:
        self._of, self._schedule, self._watch = recording, schedule, watch
        self._url, self._name = url, name
        self._acknowledges = capabilities.ack != "none"
        self._start_ns: int | None = None
        self._last_ns = 0
        self._rows: list[npt.NDArray[Any]] = []
        self._read = 0
        self._first_ns = np.full(len(schedule), -1, dtype=np.int64)
        self._delivered = 0
        self._copies = capabilities.copies
        self._received: dict[int, npt.NDArray[np.bool_]] = {}
        self._different = 0
        """Number of deliveries without duplicates: each message once at each node."""
        self._delays = {c: HdrHistogram(1, _HIGHEST_US, 3) for c in set(schedule.class_number)}
        self.faults: Callable[[int], tuple[str, ...]] = lambda now: ()
        """The descriptions of the faults in force at a time."""
        self.stopped = False
        """Whether the watch has asked to stop."""

    @property
    def deliveries(self) -> npt.NDArray[Any]:
        """All deliveries read so far, in the order in which they were written."""
        return np.concatenate(self._rows) if self._rows else np.empty(0, dtype=DELIVERY)

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected: everything was delivered or given up, and
        answered."""
        counts = self._of.counts()
        given_up = sum(counts[state] for state in _GIVEN_UP)
        open_ = counts[State.WAITING] + (counts[State.SENT] if self._acknowledges else 0)
        whole = self._different >= self._copies * self._delivered
        return whole and open_ == 0 and self._delivered + given_up >= len(self._schedule)

    def begin(self, start_ns: int) -> None:
        """Sets the run's time 0: messages can be due from then on."""
        self._start_ns = start_ns

    def preparing(self) -> bool:
        """Passes on a reading before the start; False if the run is to stop."""
        return self._show(Snapshot(-1.0, self._seconds, self._url, self._name))

    def tick(self) -> bool:
        """Passes on a reading if one is due; False if the run is to stop."""
        now = now_ns()
        if now - self._last_ns < _READING_NS:
            return not self.stopped
        self._last_ns = now
        self._take()
        return self._show(self._snapshot(now))

    def finish(self) -> None:
        """Passes on the last reading."""
        self._take()
        self._show(self._snapshot(now_ns(), done=True))

    @property
    def _seconds(self) -> float:
        return self._schedule.flow_end_ns / 1e9

    def _show(self, snapshot: Snapshot) -> bool:
        if self._watch is not None and not self._watch(snapshot):
            self.stopped = True
        return not self.stopped

    def _take(self) -> None:
        rows = Deliveries.read(self._of.folder, self._read)
        if not len(rows):
            return
        self._read += len(rows)
        known = rows[(rows["number"] >= 0) & (rows["number"] < len(self._schedule))]
        self._rows.append(known)
        for node in np.unique(known["node"]).tolist():
            received = self._received.setdefault(
                node, np.zeros(len(self._schedule), dtype=np.bool_)
            )
            numbers = np.unique(known["number"][known["node"] == node])
            self._different += int((~received[numbers]).sum())
            received[numbers] = True
        numbers, index = np.unique(known["number"], return_index=True)
        new = self._first_ns[numbers] < 0
        numbers, times = numbers[new], known["time_ns"][index[new]]
        self._first_ns[numbers] = times
        self._delivered += len(numbers)
        if self._start_ns is not None:
            delays_us = (times - self._start_ns - self._of.due_ns[numbers]) // 1_000
            self._record(self._of.class_number[numbers], np.maximum(delays_us, 1))

    def _record(self, classes: npt.NDArray[np.int64], delays_us: npt.NDArray[np.int64]) -> None:
        for c in np.unique(classes).tolist():
            values, counts = np.unique(delays_us[classes == c], return_counts=True)
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                self._delays[c].record_value(value, count)

    def _snapshot(self, now: int, *, done: bool = False) -> Snapshot:
        assert self._start_ns is not None
        since = now - self._start_ns
        counts = self._of.counts()
        taken = counts[State.ACKNOWLEDGED]
        if not self._acknowledges:
            taken += counts[State.SENT]
        due = int(np.searchsorted(self._of.due_ns, since, side="right"))
        return Snapshot(
            seconds=since / 1e9,
            duration_s=self._seconds,
            target=self._url,
            scenario=self._name,
            due=due,
            sent=len(self._schedule) - counts[State.WAITING] - counts[State.NOT_SENT],
            accepted=taken,
            refused=counts[State.REFUSED],
            lost=counts[State.DISCONNECTED] + counts[State.NOT_SENT],
            delivered=self._delivered,
            duplicates=sum(map(len, self._rows)) - self._different,
            lateness_p99_ms=self._lateness_ms(due),
            by_class=self._by_class(),
            faults=self.faults(now),
            done=done,
        )

    def _lateness_ms(self, due: int) -> float:
        """p99 lateness of the last thousand messages due, ms."""
        part = slice(max(0, due - 1_000), due)
        sent = self._of.sent_ns[part]
        late = (sent - (self._start_ns or 0) - self._of.due_ns[part])[sent >= 0]
        return float(np.quantile(late, 0.99)) / 1e6 if len(late) else 0.0

    def _by_class(self) -> dict[str, ClassDelays]:
        found = {}
        for c, delays in sorted(self._delays.items()):
            if delays.total_count:
                p50, p99 = (delays.get_value_at_percentile(q) / 1e3 for q in (50, 99))
                found[CLASSES[c]] = ClassDelays(delays.total_count, p50, p99)
        return found
