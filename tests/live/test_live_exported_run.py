"""A whole run, reported to Prometheus while it goes on and to a collector afterwards."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from collecting import at, collector, said, scrape
from live_command import Command
from surgetank.live.export.traces import sampled, traceparent
from surgetank.trace import Trace

pytestmark = pytest.mark.live


def test_a_run_is_exported(tmp_path: Path) -> None:
    """Scraped in its middle; the spans are those of the messages that carried the headers."""
    options = ["--prometheus", "0", "--otel-sample", "0.1", "--otel-endpoint"]
    with collector() as got:
        command = Command(tmp_path, "memory:", *options, got.url, seconds=4.0)
        command.in_the_middle()
        url = re.search(r"http://127\.0\.0\.1:\d+/metrics", "".join(command.said))
        assert url is not None
        delivered = at("surgetank_delivered_total", target="memory:", scenario="small")
        samples = scrape(url[0])
        until = time.monotonic() + 20
        while samples.get(delivered, 0) <= 100:  # Reported to the terminal first.
            assert time.monotonic() < until
            time.sleep(0.02)
            samples = scrape(url[0])
        code, out, errors = command.end()
    of = {"target": "memory:", "scenario": "small"}
    assert samples[delivered] > 100
    assert samples[at("surgetank_running", **of)] == 1
    assert code in (0, 3), out + errors
    trace = Trace.load(command.out)
    live, messages = trace.live, trace["messages"]
    numbers = sampled(live.run, messages.height, 0.1).tolist()
    published = [span for span in got.spans if span.name.startswith("publish")]
    assert [said(span)["surgetank.number"] for span in published] == numbers
    for span, number in zip(published, numbers, strict=True):
        _, trace_id, span_id, _ = traceparent(live.run, number).split("-")
        assert (span.trace_id.hex(), span.span_id.hex()) == (trace_id, span_id)
        created = live.start_unix_ns + messages["created_ns"][number]
        assert span.start_time_unix_nano == created
    assert f"Sent {len(got.spans)} spans" in errors
    assert len(got.spans) == 2 * len(numbers), "all were delivered"
