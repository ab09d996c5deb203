"""The metrics of a venue for Prometheus, each declared once; docs/operations.md lists them, and
`dashboard.py` draws them.

Nothing is counted here: counters are the venue's own, and start from 0 with its process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from surgetank.operations.readings import VenueReading

__all__ = ["METRICS", "STATES", "VenueMetric", "families"]

STATES: Final = ("serving", "recovering", "draining", "stopped", "stalled", "disk-full")
Kind = Literal["counter", "gauge", "histogram"]
#: Values of a metric's labels, and the value: a number, or a distribution of the core.
Sample = tuple[tuple[str, ...], Any]


@dataclass(frozen=True)
class VenueMetric:
    """A metric of a venue."""

    name: str
    what: str
    kind: Kind
    read: Callable[[VenueReading], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    scale: float = 1.0
    """Of a distribution: what one of its units is in the metric's unit."""
    powers: tuple[int, ...] = ()
    """Of a distribution: the powers of two that are its bounds."""
    panel: str = ""
    """Title of the panel of the dashboard that draws it."""

    @property
    def family(self) -> str:
        """Its name in Prometheus, without the ending of a counter's samples."""
        return f"surgetank_venue_{self.name}"


def _at(reading: VenueReading, path: str) -> Any:
    """A value of a reading by its place: `disk.snapshots`."""
    value: Any = getattr(reading, path.partition(".")[0])
    for name in path.split(".")[1:]:
        if value is None:
            return None
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def _one(path: str) -> Callable[[VenueReading], Iterator[Sample]]:
    def read(reading: VenueReading) -> Iterator[Sample]:
        if (value := _at(reading, path)) is not None:
            yield (), value

    return read


def _each(path: str) -> Callable[[VenueReading], Iterator[Sample]]:
    def read(reading: VenueReading) -> Iterator[Sample]:
        named: Mapping[str, int] = _at(reading, path) or {}
        for name, value in sorted(named.items()):
            yield (str(name),), value

    return read


def _usd(name: str) -> Callable[[VenueReading], Iterator[Sample]]:
    def read(reading: VenueReading) -> Iterator[Sample]:
        if reading.venue is not None and (markets := reading.venue["markets"]):
            # A tick times a lot is the same money in all markets.
            yield (), reading.venue[name] * markets[0]["tick_usd"] * markets[0]["lot"]

    return read


def _market(path: str, unit: str | None = None) -> Callable[[VenueReading], Iterator[Sample]]:
    def read(reading: VenueReading) -> Iterator[Sample]:
        for market in (reading.venue or {}).get("markets", ()):
            value: Any = market
            for name in path.split("."):
                value = value[name]
            yield (market["name"],), value * (market[unit] if unit else 1)

    return read


def _states(reading: VenueReading) -> Iterator[Sample]:
    for state in STATES:
        yield (state,), float(reading.health.state == state)


def _outbound(reading: VenueReading) -> Iterator[Sample]:
    if reading.venue is not None:
        yield (), max(reading.venue["outbound_bytes"].values(), default=0)


def _snapshot(name: str, scale: float = 1.0) -> Callable[[VenueReading], Iterator[Sample]]:
    def read(reading: VenueReading) -> Iterator[Sample]:
        last = reading.disk["last_snapshot"]
        if last is not None:
            yield (), last[name] * scale

    return read


def _counter(name: str, what: str, path: str) -> VenueMetric:
    return VenueMetric(name, what, "counter", _one(path))


def _counters(name: str, what: str, path: str, label: str) -> VenueMetric:
    return VenueMetric(name, what, "counter", _each(path), (label,))


def _gauge(name: str, what: str, path: str) -> VenueMetric:
    return VenueMetric(name, what, "gauge", _one(path))


def _times(name: str, what: str, path: str) -> VenueMetric:
    """From 16 microseconds to 17 seconds."""
    powers = tuple(range(14, 35))
    return VenueMetric(name, what, "histogram", _one(path), scale=1e-9, powers=powers)


def _of_market(name: str, what: str, path: str, kind: Kind, unit: str | None = None) -> VenueMetric:
    return VenueMetric(name, what, kind, _market(path, unit), ("market",))


def _panel(title: str, *metrics: VenueMetric) -> Iterator[VenueMetric]:
    """Those that a panel of the dashboard draws; all in one unit."""
    return (replace(metric, panel=title) for metric in metrics)


_TALLY: Final = "venue.intake.tally"
_SINCE: Final = "since the start, replayed batches included"
METRICS: Final = (
    *_panel(
        "State",
        VenueMetric("state", "1 for the state that the venue is in", "gauge", _states, ("state",)),
    ),
    *_panel(
        "Silence of the venue's thread",
        _gauge(
            "thread_silent_seconds",
            "Since the venue's thread looked at its clock",
            "health.silent_s",
        ),
    ),
    *_panel(
        "Requests",
        _counter("requests_received", "Requests of clients", f"{_TALLY}.received"),
        _counter("requests_sealed", "Answered with a place in the journal", f"{_TALLY}.sealed"),
        _counter("requests_duplicate", "Answered as copies", f"{_TALLY}.duplicates"),
    ),
    *_panel(
        "Refused and rejected",
        _counters("requests_refused", "Not accepted", f"{_TALLY}.refused", "reason"),
        _counters(
            "requests_rejected", "Sealed, refused by the market", f"{_TALLY}.rejected", "code"
        ),
    ),
    *_panel(
        "Requests that wait",
        VenueMetric(
            "requests_waiting",
            "Wait for their place in the journal",
            "gauge",
            _each("venue.intake.waiting"),
            ("class",),
        ),
    ),
    *_panel(
        "Size of requests that wait",
        _gauge("requests_waiting_bytes", "Size of those that wait", "venue.intake.waiting_bytes"),
    ),
    *_panel(
        "Requests executed, not durable",
        _gauge("requests_held", "Executed, not durable yet", "venue.intake.held"),
        _gauge(
            "account_unanswered_max",
            "Most unanswered requests of an account",
            "venue.intake.account_unanswered_max",
        ),
    ),
    *_panel(
        "Requests of a batch",
        VenueMetric(
            "batch_requests",
            "Requests of a batch: one sync makes them durable",
            "histogram",
            _one(f"{_TALLY}.batch_requests"),
            powers=tuple(range(0, 17, 2)),
        ),
    ),
    *_panel(
        "Receipt to durable",
        _times("durable_seconds", "From receipt to the end of the sync", f"{_TALLY}.durable_ns"),
    ),
    *_panel(
        "Journal",
        _gauge("journal_record", "Number of the last record", "venue.progress.record"),
        _gauge("journal_durable_record", "Last durable record", "venue.progress.durable"),
        _gauge("journal_sequence", "Last durable request", "venue.progress.sequence"),
    ),
    *_panel(
        "Written into the journal",
        _counter("journal_bytes", "Written into the journal", "disk.journal_bytes"),
    ),
    *_panel(
        "Syncs of the journal",
        _times("sync_seconds", "Of the journal", "disk.sync_ns"),
    ),
    *_panel(
        "Files",
        _counter("segments_allocated", "Segments of the journal", "disk.segments"),
        _counter("files_archived", "Moved into the archive", "disk.archived"),
        _counter("snapshots", "Snapshots written", "disk.snapshots"),
    ),
    *_panel(
        "Size of the newest snapshot",
        VenueMetric("snapshot_bytes", "Size of the newest", "gauge", _snapshot("bytes")),
    ),
    *_panel(
        "Times of the newest snapshot",
        VenueMetric(
            "snapshot_seconds",
            "Writing and syncing the newest",
            "gauge",
            _snapshot("took_ns", 1e-9),
        ),
        VenueMetric(
            "snapshot_pause_seconds",
            "For how long clients waited for the newest",
            "gauge",
            _snapshot("pause_ns", 1e-9),
        ),
    ),
    *_panel(
        "Failures of the disk",
        _counters("disk_failures", "Effects on the disk that failed", "disk.failed", "effect"),
    ),
    *_panel(
        "Room on the disk",
        _gauge("disk_free_bytes", "Room on the filesystem of the data folder", "free_bytes"),
        _gauge("disk_total_bytes", "Size of that filesystem", "total_bytes"),
    ),
    *_panel(
        "Connections that begin and end",
        _counter("connections_opened", "Connections accepted", "connections.opened"),
        _counter("connections_lost", "Ended by client or network", "connections.lost"),
        _counters("connections_cut", "Ended by the venue", "connections.cut", "reason"),
    ),
    *_panel(
        "Connections",
        _gauge("connections_open", "Logged on or not", "connections.open"),
        _gauge("sessions", "Connections that are logged on", "venue.intake.connections"),
    ),
    *_panel(
        "Memory for readers",
        VenueMetric("outbound_bytes_max", "Most that waits for a client", "gauge", _outbound),
        _gauge("history_bytes", "Events kept for late readers", "venue.history_bytes"),
    ),
    *_panel(
        "Prices",
        _of_market("mark_price", "Mark price, USD", "mark", "gauge", "tick_usd"),
        _of_market("oracle_price", "Oracle price, USD", "oracle", "gauge", "tick_usd"),
    ),
    *_panel(
        "Open interest and orders",
        _of_market("open_interest", "Long positions, coins", "open_interest", "gauge", "lot"),
        _of_market("resting_orders", "Orders in the book", "orders", "gauge"),
    ),
    *_panel(
        "Trades and liquidations",
        _of_market("trades", f"Trades {_SINCE}", "happened.trades", "counter"),
        _of_market("traded", f"Coins traded {_SINCE}", "happened.traded", "counter", "lot"),
        _of_market("liquidations", f"Liquidations {_SINCE}", "happened.liquidations", "counter"),
        _of_market("margin_calls", f"Margin calls {_SINCE}", "happened.margin_calls", "counter"),
    ),
    *_panel(
        "Money",
        VenueMetric("insurance_usd", "The insurance fund", "gauge", _usd("insurance")),
        VenueMetric("bad_debt_usd", "All losses beyond collateral", "gauge", _usd("bad_debt")),
        VenueMetric("deficit_usd", "Bad debt that no party bears", "gauge", _usd("deficit")),
        VenueMetric("fees_usd", "Trading fees taken", "gauge", _usd("fees")),
    ),
)


def families(reading: VenueReading) -> Iterator[Metric]:
    """The metrics of a reading, as the families of Prometheus' own library."""
    for metric in METRICS:
        if metric.kind == "histogram":
            histogram = HistogramMetricFamily(metric.family, metric.what, labels=metric.labels)
            for labels, value in metric.read(reading):
                histogram.add_metric(labels, _buckets(metric, value), value["sum"] * metric.scale)
            yield histogram
            continue
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.family, metric.what, labels=metric.labels)
        for labels, value in metric.read(reading):
            family.add_metric(labels, value)
        yield family


def _buckets(metric: VenueMetric, value: dict[str, Any]) -> list[tuple[str, float]]:
    """Cumulative, by bound."""
    counts: list[int] = value["counts"]
    bounds = [(repr(2**p * metric.scale), float(sum(counts[: p + 1]))) for p in metric.powers]
    return [*bounds, ("+Inf", float(sum(counts)))]
