"""What a live run tells other programs: scraped and collected by real clients over HTTP."""

from __future__ import annotations

import errno
import logging
import socket

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as hs
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collecting import at, collector, said, scrape
from surgetank.errors import SurgetankError
from surgetank.live.export.otel import Exported, export
from surgetank.live.export.prometheus import Prometheus
from surgetank.live.export.traces import sampled, trace_id, traceparent
from surgetank.live.payload import encode, traceparent_of
from surgetank.live.registry import parse
from surgetank.live.snapshot import ClassDelays, Snapshot
from surgetank.trace import SCHEMA, MessageClass, Outcome, OutcomeReason
from surgetank.trace.schema import check_table

SEEN = Snapshot(
    2.5,
    10.0,
    "redis://me:secret@127.0.0.1:6379",
    "calm",
    due=1000,
    sent=999,
    accepted=990,
    refused=5,
    lost=4,
    delivered=980,
    duplicates=2,
    lateness_p99_ms=0.5,
    by_class={"cancel": ClassDelays(300, 1.5, 20.0), "order": ClassDelays(680, 2.0, float("inf"))},
    faults=("stall of node 0", 'a "quoted\\ one'),
)


def test_prometheus_scrapes_the_newest_reading() -> None:
    """Counts, delays in seconds, faults; the labels name the run and no password."""
    with Prometheus(0) as exporter:
        assert scrape(exporter.url) == {}
        assert exporter(SEEN)
        samples = scrape(exporter.url)
        of = {"target": "redis://127.0.0.1:6379", "scenario": "calm"}
        counted = {"due": 1000, "sent": 999, "accepted": 990, "refused": 5, "lost": 4}
        counted |= {"delivered": 980, "duplicates": 2}
        for name, value in counted.items():
            assert samples[at(f"surgetank_{name}_total", **of)] == value
        assert samples[at("surgetank_backlog", **of)] == 10
        assert samples[at("surgetank_running", **of)] == 1
        assert samples[at("surgetank_lateness_seconds", **of, quantile="0.99")] == 0.0005
        delay = "surgetank_delay_seconds"
        assert samples[at(delay, **of, class_="cancel", quantile="0.99")] == 0.02
        assert samples[at(delay, **of, class_="order", quantile="0.99")] == float("inf")
        assert samples[at("surgetank_delivered_by_class_total", **of, class_="order")] == 680
        assert samples[at("surgetank_fault", **of, fault='a "quoted\\ one')] == 1
        assert "secret" not in str(samples)
        exporter(Snapshot(10.0, 10.0, "nats:", "calm", due=2000, done=True))
        after = scrape(exporter.url)
        of = {"target": "nats:", "scenario": "calm"}
        assert after[at("surgetank_due_total", **of)] == 2000
        assert after[at("surgetank_running", **of)] == 0
        assert not [name for name, _ in after if name == "surgetank_fault"]


def test_the_port_is_free_again() -> None:
    """Also after an exception in mid-run."""
    with pytest.raises(ZeroDivisionError), Prometheus(0) as exporter:
        raise ZeroDivisionError
    with Prometheus(exporter.port) as again:
        assert scrape(again.url) == {}


def test_a_taken_port_is_said_in_one_line() -> None:
    """Never a traceback of the HTTP server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SurgetankError, match=f"cannot listen on 127.0.0.1:{port}") as error:
            Prometheus(port).__enter__()
    assert "\n" not in str(error.value)


@given(run=hs.integers(0, 2**32 - 1), number=hs.integers(0, 2**32 - 1))
def test_traceparent_is_w3c_and_fits_the_wire(run: int, number: int) -> None:
    """Version, 16 bytes, 8 bytes, flags, all in lower-case hex; found again in the payload."""
    parent = traceparent(run, number)
    version, trace, span, flags = parent.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert int(trace, 16) == trace_id(run, number) != 0
    assert int(span, 16) != 0
    assert parent == parent.lower()
    assert traceparent_of(encode(run, number, 128, parent)) == parent


def test_traces_are_different() -> None:
    """Of messages, of runs."""
    ids = {trace_id(run, number) for run in range(20) for number in range(200)}
    assert len(ids) == 4000


def test_sampling_is_the_rule_of_opentelemetry() -> None:
    """The lower 64 bits of the trace id below share · 2⁶⁴, so that a collector agrees."""
    share, run, messages = 0.01, 7, 150_000
    chosen = sampled(run, messages, share)
    bound = int(share * 2**64)
    low = [n for n in range(70_000) if trace_id(run, n) & (2**64 - 1) < bound]
    assert [n for n in chosen.tolist() if n < 70_000] == low
    # Binomial: 1,500 ± 6 standard deviations.
    assert abs(len(chosen) - 1_500) < 6 * 38.5
    assert set(chosen.tolist()) <= set(sampled(run, messages, 0.02).tolist())
    assert len(sampled(run, messages, 0.0)) == 0
    assert len(sampled(run, messages, 1.0)) == messages
    with pytest.raises(ValueError, match="within 0 and 1"):
        sampled(run, messages, 1.5)


def facts(rows: list[dict[str, object]]) -> pl.DataFrame:
    """A table of messages; what a row does not say is 0 or null."""
    columns = SCHEMA["messages"]
    whole = [
        {c: row.get(c, None if spec.nullable else 0) for c, spec in columns.items()} for row in rows
    ]
    schema = {c: spec.dtype for c, spec in columns.items()}
    return check_table("messages", pl.DataFrame(whole, schema=schema))


MESSAGES = facts(
    [
        {
            "message": 40,
            "class": MessageClass.CANCEL,
            "account": 17,
            "size_bytes": 128,
            "outcome": Outcome.EXECUTED,
            "created_ns": 1_000,
            "gateway_ns": 1_500,
            "confirmed_ns": 5_000,
            "decided_ns": 4_000,
            "executed_ns": 9_000,
        },
        {
            "message": 1,
            "class": MessageClass.ORDER,
            "outcome": Outcome.REFUSED,
            "reason": OutcomeReason.RATE_EXCEEDED,
            "created_ns": 2_000,
            "gateway_ns": 2_100,
        },
        {"message": 2, "outcome": Outcome.LOST, "created_ns": 3_000},
    ]
)
START = 1_700_000_000_000_000_000


def test_spans_arrive_at_a_collector() -> None:
    """Explicit times, the trace that the payload carried, the conventions' names."""
    where = parse("jetstream://127.0.0.1:4222/surgetank-1")
    with collector() as got:
        done = export(MESSAGES, 7, START, got.url, 1.0, where)
    assert done == Exported(4, 0)
    assert [path for path, _ in got.requests] == ["/v1/traces"]
    publish, process, refused, lost = got.spans
    version, trace, parent, _ = traceparent(7, 0).split("-")
    assert version == "00"
    assert (publish.trace_id.hex(), publish.span_id.hex()) == (trace, parent)
    assert publish.name == "publish surgetank-1"
    assert publish.kind == Span.SPAN_KIND_PRODUCER
    assert (publish.start_time_unix_nano, publish.end_time_unix_nano) == (
        START + 1_000,
        START + 5_000,
    )
    assert [(e.name, e.time_unix_nano) for e in publish.events] == [("sent", START + 1_500)]
    assert said(publish) == {
        "messaging.system": "nats",
        "messaging.destination.name": "surgetank-1",
        "server.address": "127.0.0.1",
        "server.port": 4222,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.message.id": "00000007-00000000",
        "messaging.message.body.size": 128,
        "surgetank.class": "cancel",
        "surgetank.account": 17,
        "surgetank.number": 0,
        "surgetank.outcome": "executed",
    }
    assert process.trace_id == publish.trace_id
    assert process.parent_span_id == publish.span_id != process.span_id
    assert process.kind == Span.SPAN_KIND_CONSUMER
    assert process.start_time_unix_nano == START + 1_000
    assert process.end_time_unix_nano == START + 9_000
    assert [(e.name, e.time_unix_nano) for e in process.events] == [("decided", START + 4_000)]
    assert refused.status.code == 2
    assert refused.status.message == "rate exceeded"
    assert said(refused)["error.type"] == "refused"
    assert lost.status.message == "lost"
    assert lost.start_time_unix_nano == lost.end_time_unix_nano == START + 3_000


def test_only_the_sampled_are_sent_and_in_pieces() -> None:
    """The same messages whose headers said so."""
    # The table's own numbers are those of the simulated run; what counts here is the row.
    many = facts([{"message": 5 * n, "created_ns": n, "executed_ns": n + 1} for n in range(3_000)])
    with collector() as got:
        done = export(many, 9, START, f"{got.url}/custom/path", 0.25)
    expected = sampled(9, 3_000, 0.25).tolist()
    assert done.spans == len(got.spans) == 2 * len(expected)
    assert [said(span)["surgetank.number"] for span in got.spans[::2]] == expected
    assert len(got.requests) > 1
    assert {path for path, _ in got.requests} == {"/custom/path"}
    assert export(many.clear(), 9, START, got.url, 1.0) == Exported(0, 0)


def test_a_dead_collector_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Never raised, never logged."""
    many = facts([{"message": n, "created_ns": n} for n in range(3_000)])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with caplog.at_level(logging.DEBUG):
        done = export(many, 9, START, endpoint, 1.0)
    assert (done.spans, done.failed) == (0, 3_000)
    assert done.why == f"{endpoint}/v1/traces: [Errno {errno.ECONNREFUSED}] Connection refused"
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_collector_that_refuses_is_said() -> None:
    """Its answer's status is in the line; and the other batches are not tried."""
    many = facts([{"message": n, "created_ns": n} for n in range(3_000)])
    with collector(answer=400) as got:
        done = export(many, 7, START, got.url, 1.0)
    assert done.failed == 3_000
    assert len(got.requests) == 1
    assert "400" in done.why
