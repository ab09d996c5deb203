"""Readings of a live run in progress for Prometheus: `/metrics` over HTTP.

Every scrape returns one consistent reading. Nothing is counted here: the counters are
the run's own, and start from 0 with each run, as Prometheus expects of a process that restarted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from surgetank.errors import SurgetankError
from surgetank.live.snapshot import Snapshot

__all__ = ["Prometheus"]

_COUNTERS: Final = {
    "due": "Messages that the schedule wanted sent by now",
    "sent": "Messages sent",
    "accepted": "Messages that the target acknowledged",
    "refused": "Messages that the target refused",
    "lost": "Messages known not to have been taken",
    "delivered": "Different messages delivered",
    "duplicates": "Messages delivered again",
}
_LABELS: Final = ("target", "scenario")


class _Readings(Collector):
    """The newest reading, as Prometheus' families of metrics."""

    def __init__(self) -> None:
        self.newest: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        """The metrics of the newest reading; called for every scrape, on the server's thread."""
        snapshot = self.newest
        if snapshot is None:
            return
        labels = (_without_password(snapshot.target), snapshot.scenario)
        for name, what in _COUNTERS.items():
            counter = CounterMetricFamily(f"surgetank_{name}", what, labels=_LABELS)
            counter.add_metric(labels, getattr(snapshot, name))
            yield counter
        for name, what, value in (
            ("backlog", "Messages accepted and not delivered", snapshot.backlog),
            ("running", "1 until the run is done", float(not snapshot.done)),
            ("run_seconds", "Since the first message could be due", snapshot.seconds),
            ("run_duration_seconds", "Length of the schedule", snapshot.duration_s),
        ):
            gauge = GaugeMetricFamily(f"surgetank_{name}", what, labels=_LABELS)
            gauge.add_metric(labels, value)
            yield gauge
        yield from _delays(snapshot, labels)


def _delays(snapshot: Snapshot, labels: tuple[str, str]) -> Iterator[Metric]:
    late = GaugeMetricFamily(
        "surgetank_lateness_seconds",
        "Of the generator itself: sending behind the schedule",
        labels=(*_LABELS, "quantile"),
    )
    late.add_metric((*labels, "0.99"), snapshot.lateness_p99_ms / 1e3)
    yield late
    delay = GaugeMetricFamily(
        "surgetank_delay_seconds",
        "Intended send to delivery since the start of the run",
        labels=(*_LABELS, "class", "quantile"),
    )
    by_class = CounterMetricFamily(
        "surgetank_delivered_by_class", "Messages delivered", labels=(*_LABELS, "class")
    )
    for name, delays in sorted(snapshot.by_class.items()):
        delay.add_metric((*labels, name, "0.5"), delays.p50_ms / 1e3)
        delay.add_metric((*labels, name, "0.99"), delays.p99_ms / 1e3)
        by_class.add_metric((*labels, name), delays.delivered)
    yield delay
    yield by_class
    fault = GaugeMetricFamily("surgetank_fault", "A fault in force", labels=(*_LABELS, "fault"))
    for name in snapshot.faults:
        fault.add_metric((*labels, name), 1)
    yield fault


def _without_password(target: str) -> str:
    """The URL without user and password: the page may be public."""
    return re.sub(r"//[^/@]*@", "//", target)


class Prometheus:
    """Serves readings on `/metrics` while it is open; call it with each new reading."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """`port` 0 takes a free one."""
        self.host = host
        self.port = port
        self._readings = _Readings()

    @property
    def url(self) -> str:
        """The URL for Prometheus to scrape."""
        return f"http://{self.host}:{self.port}/metrics"

    def __enter__(self) -> Self:
        """Listens.

        Raises:
            SurgetankError: the port is taken, or not one of this machine's.
        """
        registry = CollectorRegistry()
        registry.register(self._readings)
        try:
            self._server, self._thread = start_http_server(self.port, self.host, registry)
        except OSError as error:
            raise SurgetankError(
                f"cannot listen on {self.host}:{self.port} ({error.strerror or error})",
                place="--prometheus",
                hint="Give a free port, or 0",
            ) from None
        self.port = int(self._server.server_port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stops listening; the port is free when it returns."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __call__(self, snapshot: Snapshot) -> bool:
        """A `Watch` that never stops the run."""
        self._readings.newest = snapshot
        return True
