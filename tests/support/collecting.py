"""Small stand-ins for Prometheus and for an OpenTelemetry collector, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families


def at(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Where a sample stands: its name and labels, whose order means nothing."""
    return name, frozenset((label.rstrip("_"), value) for label, value in labels.items())


def scrape(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples as Prometheus' own parser reads them."""
    answer = httpx.get(url)
    assert answer.status_code == 200
    return {
        at(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


class Collected(ThreadingHTTPServer):
    """A collector of traces that keeps what it got."""

    daemon_threads = True

    def __init__(self, answer: int) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.answer = answer
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []

    @property
    def url(self) -> str:
        """Without OTLP's path."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Span]:
        """Of all requests."""
        return [
            span
            for _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Taking(BaseHTTPRequestHandler):
    server: Collected

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        self.server.requests.append((self.path, request))
        self.send_response(self.server.answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Writes no log of requests."""


@contextmanager
def collector(answer: int = 200) -> Iterator[Collected]:
    """Listens on a port of its own."""
    with Collected(answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def said(span: Span) -> dict[str, object]:
    """A span's attributes."""
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}
