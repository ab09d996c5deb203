"""The metrics of a live run: name, kind, help, unit, labels, and how each is read from a snapshot.

`prometheus.py` serves them and `dashboard.py` draws them; neither knows one by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from surgetank.live.snapshot import Snapshot

__all__ = ["METRICS", "RUN_LABELS", "LiveMetric", "Reading"]

#: Labels of every sample: which run it is of.
RUN_LABELS: Final = ("target", "scenario")

#: A sample: the values of the metric's own labels, and the value.
Reading = tuple[tuple[str, ...], float]

Unit = Literal["messages", "s", "flag"]


@dataclass(frozen=True)
class LiveMetric:
    """A metric of a live run."""

    name: str
    what: str
    """Its help text."""
    panel: str
    """Title of the panel of the dashboard that draws it."""
    unit: Unit
    """`s` seconds, `flag` 1 or 0."""
    read: Callable[[Snapshot], Iterable[Reading]]
    labels: tuple[str, ...] = ()
    """Its own labels, beside those of the run."""
    counter: bool = False
    """Whether it only grows, from 0 in each run; else it is a gauge."""

    @property
    def family(self) -> str:
        """Its name in Prometheus, without the ending of a counter's samples."""
        return f"surgetank_{self.name}"

    @property
    def sample(self) -> str:
        """The name that a query uses."""
        return f"{self.family}_total" if self.counter else self.family


def _count(field: str, what: str, panel: str) -> LiveMetric:
    def read(snapshot: Snapshot) -> Iterator[Reading]:
        yield (), getattr(snapshot, field)

    return LiveMetric(field, what, panel, "messages", read, counter=True)


def _delays(snapshot: Snapshot) -> Iterator[Reading]:
    for name, delays in sorted(snapshot.by_class.items()):
        yield (name, "0.5"), delays.p50_ms / 1e3
        yield (name, "0.99"), delays.p99_ms / 1e3


def _delivered_by_class(snapshot: Snapshot) -> Iterator[Reading]:
    for name, delays in sorted(snapshot.by_class.items()):
        yield (name,), delays.delivered


#: In the order of the dashboard's panels.
METRICS: Final = (
    _count("due", "Messages that the schedule wanted sent by now", "Offered and taken"),
    _count("sent", "Messages sent", "Offered and taken"),
    _count("accepted", "Messages that the target acknowledged", "Offered and taken"),
    _count("delivered", "Different messages delivered", "Offered and taken"),
    _count("refused", "Messages that the target refused", "Not delivered once"),
    _count("lost", "Messages known not to have been taken", "Not delivered once"),
    _count("duplicates", "Messages delivered again", "Not delivered once"),
    LiveMetric(
        "delay_seconds",
        "Intended send to delivery since the start of the run",
        "Delay",
        "s",
        _delays,
        labels=("class", "quantile"),
    ),
    LiveMetric(
        "backlog",
        "Messages accepted and not delivered",
        "Backlog",
        "messages",
        lambda snapshot: [((), snapshot.backlog)],
    ),
    LiveMetric(
        "delivered_by_class",
        "Messages delivered",
        "Delivered by class",
        "messages",
        _delivered_by_class,
        labels=("class",),
        counter=True,
    ),
    LiveMetric(
        "lateness_seconds",
        "Of the generator itself: sending behind the schedule",
        "Lateness of the generator",
        "s",
        lambda snapshot: [(("0.99",), snapshot.lateness_p99_ms / 1e3)],
        labels=("quantile",),
    ),
    LiveMetric(
        "fault",
        "A fault in force",
        "Faults in force",
        "flag",
        lambda snapshot: [((name,), 1) for name in snapshot.faults],
        labels=("fault",),
    ),
    LiveMetric(
        "run_seconds",
        "Since the first message could be due",
        "Progress of the run",
        "s",
        lambda snapshot: [((), snapshot.seconds)],
    ),
    LiveMetric(
        "run_duration_seconds",
        "Length of the schedule",
        "Progress of the run",
        "s",
        lambda snapshot: [((), snapshot.duration_s)],
    ),
    LiveMetric(
        "running",
        "1 until the run is done",
        "Run in progress",
        "flag",
        lambda snapshot: [((), float(not snapshot.done))],
    ),
)
