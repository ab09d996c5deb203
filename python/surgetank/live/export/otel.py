"""Traces of sampled messages for an OpenTelemetry collector, made from a run's facts.

Spans are made after the run with the times that were measured, so that exporting costs the run
nothing. Two a message, in the trace that its payload and headers carried (`traces.traceparent`), so
that spans of the target's own programs join them:

- `publish`: intended send time to acknowledgement; event `sent` when it really left. An error where
  the message was refused or lost; without an acknowledgement it ends when the message left.
- `process`: intended send time to delivery, which is the delay that the run is judged by; event
  `decided` when the target had put it in order. Only where it was delivered.

Attributes follow OpenTelemetry's semantic conventions for messaging.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import polars as pl
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from surgetank.live.export.traces import sampled, span_id, trace_id
from surgetank.live.target import Where
from surgetank.trace import CLASSES, Outcome, OutcomeReason

__all__ = ["Exported", "export", "spans"]

#: Spans of one request: well under a megabyte.
BATCH: Final = 512
TIMEOUT_S: Final = 3.0

_REFUSED, _LOST = Outcome.REFUSED, Outcome.LOST
_SCOPE: Final = InstrumentationScope("surgetank")


@dataclass(frozen=True)
class Exported:
    """Number of spans exported, and the failure if there was one."""

    spans: int
    """Number of spans that the collector accepted."""
    failed: int
    """Number of spans not accepted: after the first failure no more are sent."""
    why: str = ""
    """The failure in one line; empty if there was none."""


def export(
    messages: pl.DataFrame,
    run: int,
    start_unix_ns: int,
    endpoint: str,
    share: float,
    where: Where | None = None,
) -> Exported:
    """Sends the spans of a share of a run's messages to a collector by OTLP over HTTP.

    Args:
        messages: a live trace's table `messages`, whole: row i is message i on the wire. run:
        number of the run on the wire (`Played.run`). start_unix_ns: wall-clock time of the trace's
        time 0. endpoint: the collector; without a path, OTLP's own (`/v1/traces`) is taken. share:
        sampled share of the messages, 0 to 1. where: the target, for the attributes.

    Returns:
        Counts; a collector that does not answer is counted there and never raised.
    """
    parts = urlsplit(endpoint)
    if parts.path in ("", "/"):
        endpoint = urlunsplit(parts._replace(path="/v1/traces"))
    exporter = OTLPSpanExporter(endpoint, timeout=TIMEOUT_S)
    taken = failed = 0
    with _Complaints() as complaints:
        pending = spans(messages, run, start_unix_ns, share, where)
        while batch := tuple(islice(pending, BATCH)):
            if failed or exporter.export(batch) is not SpanExportResult.SUCCESS:
                failed += len(batch)
            else:
                taken += len(batch)
        exporter.shutdown()  # type: ignore[no-untyped-call]
    return Exported(taken, failed, f"{endpoint}: {complaints.last}" if failed else "")


class _Complaints(logging.Handler):
    """Collects what the exporter would log, to report it once at the end."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "not taken"
        self._logger = logging.getLogger("opentelemetry")

    def emit(self, record: logging.LogRecord) -> None:
        """The first record of a batch has the cause; the later ones say that the exporter gave
        up."""
        if self.last == "not taken":
            text = record.getMessage().splitlines()[0]
            cause = re.search(r"\[Errno -?\d+\] [^'\")]+", text)
            self.last = cause[0] if cause else text[:200]

    def __enter__(self) -> _Complaints:
        self._propagate, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagate


def spans(
    messages: pl.DataFrame,
    run: int,
    start_unix_ns: int,
    share: float,
    where: Where | None = None,
) -> Iterator[ReadableSpan]:
    """Spans of the sampled messages, by message; arguments as in `export`."""
    chosen = sampled(run, messages.height, share)
    making = _Spans(run, start_unix_ns, where)
    rows = messages[chosen].with_columns(number=pl.Series(chosen, dtype=pl.Int64))
    for row in rows.iter_rows(named=True):
        yield from making.of(row)


class _Spans:
    """Makes the spans of one run's messages."""

    def __init__(self, run: int, start_unix_ns: int, where: Where | None) -> None:
        self.run = run
        self.start_unix_ns = start_unix_ns
        self.destination = where.name if where else ""
        self.resource = Resource.create({"service.name": "surgetank"})
        self.about: dict[str, str | int] = {"messaging.system": _system(where)}
        if self.destination:
            self.about["messaging.destination.name"] = self.destination
        if where and where.host:
            self.about |= {"server.address": where.host, "server.port": where.port}

    def of(self, row: Mapping[str, Any]) -> Iterator[ReadableSpan]:
        """The spans of one message."""
        publish = self._context(row["number"], "publish")
        refused, lost = row["outcome"] == _REFUSED, row["outcome"] == _LOST
        status = Status(StatusCode.UNSET)
        error: dict[str, str] = {}
        if refused or lost:
            name = Outcome(row["outcome"]).label
            reason = OutcomeReason(row["reason"]).label if row["reason"] else ""
            status = Status(StatusCode.ERROR, reason or name)
            error = {"error.type": name}
        ends = row["confirmed_ns"] or row["gateway_ns"] or row["created_ns"]
        yield self._span(
            row,
            publish,
            ("publish", "send", SpanKind.PRODUCER),
            ends_ns=ends,
            event=("sent", row["gateway_ns"]),
            status=status,
            error=error,
        )
        if row["executed_ns"] is not None:
            # A target that does not say when it put messages in order has the delivery there.
            decided = row["decided_ns"]
            yield self._span(
                row,
                self._context(row["number"], "process"),
                ("process", "process", SpanKind.CONSUMER),
                ends_ns=row["executed_ns"],
                event=("decided", decided if decided != row["executed_ns"] else None),
                parent=publish,
            )

    def _context(self, number: int, span: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        ids = trace_id(self.run, number), span_id(self.run, number, span)
        return SpanContext(*ids, is_remote=False, trace_flags=flags)

    def _span(
        self,
        row: Mapping[str, Any],
        context: SpanContext,
        operation: tuple[str, str, SpanKind],
        *,
        ends_ns: int,
        event: tuple[str, int | None],
        parent: SpanContext | None = None,
        status: Status | None = None,
        error: Mapping[str, str] | None = None,
    ) -> ReadableSpan:
        name, kind_of_operation, kind = operation
        event_name, event_ns = event
        at = self.start_unix_ns
        events = [Event(event_name, timestamp=at + event_ns)] if event_ns is not None else []
        return ReadableSpan(
            f"{name} {self.destination}".rstrip(),
            context=context,
            parent=parent,
            resource=self.resource,
            attributes={
                **self.about,
                "messaging.operation.name": name,
                "messaging.operation.type": kind_of_operation,
                "messaging.message.id": f"{self.run:08x}-{row['number']:08x}",
                "messaging.message.body.size": row["size_bytes"],
                "surgetank.class": CLASSES[row["class"]],
                "surgetank.account": row["account"],
                "surgetank.number": row["number"],
                "surgetank.outcome": Outcome(row["outcome"]).label,
                **(error or {}),
            },
            events=events,
            kind=kind,
            instrumentation_scope=_SCOPE,
            status=status or Status(StatusCode.UNSET),
            start_time=at + row["created_ns"],
            end_time=at + max(ends_ns, row["created_ns"]),
        )


def _system(where: Where | None) -> str:
    """The attribute `messaging.system`: the product, not surgetank's name for one of its modes."""
    if where is None:
        return "surgetank"
    return where.product or where.scheme.rpartition(":")[2].lower()
