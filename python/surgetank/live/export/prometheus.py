"""Readings of a live run in progress for Prometheus: `/metrics` over HTTP.

Every scrape returns one consistent reading. Nothing is counted here: the counters are
the run's own, and start from 0 with each run, as Prometheus expects of a process that restarted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from surgetank.errors import SurgetankError
from surgetank.live.export.metrics import METRICS, RUN_LABELS
from surgetank.live.snapshot import Snapshot

__all__ = ["Prometheus"]


class _Readings(Collector):
    """The newest reading, as Prometheus' families of metrics."""

    def __init__(self) -> None:
        self.newest: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        """The metrics of the newest reading; called for every scrape, on the server's thread."""
        snapshot = self.newest
        if snapshot is None:
            return
        run = (_without_password(snapshot.target), snapshot.scenario)
        for metric in METRICS:
            kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
            family = kind(metric.family, metric.what, labels=(*RUN_LABELS, *metric.labels))
            for labels, value in metric.read(snapshot):
                family.add_metric((*run, *labels), value)
            yield family


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
