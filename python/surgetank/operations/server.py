"""HTTP for operators: the page, its changes, metrics and health. GET and HEAD only.

# Rules
1. Nothing can be changed over it.
2. It listens on loopback unless the venue's file permits more. A page in a browser elsewhere can
   make a name of its own resolve to this machine (DNS rebinding), so requests under a host name
   that is neither an IP address, `localhost` nor listed in `http_hosts` are refused.
3. Connections and followers are bounded; one that is too many is closed, or refused with 503.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from surgetank.errors import SurgetankError
from surgetank.operations.metrics import families
from surgetank.operations.page import page, parts
from surgetank.operations.readings import Readings
from surgetank.venue.config import VenueConfig
from surgetank.venue.http_address import http_address

__all__ = ["OperationsServer", "serve_operations"]

#: Connections at once, and of these, those that follow `/events`.
CONNECTIONS_MAX: Final = 32
FOLLOWERS_MAX: Final = 16
#: Time after which a follower hears that the connection is still there, s.
_QUIET_S: Final = 10.0
_HTML: Final = "text/html; charset=utf-8"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LOG = logging.getLogger(__name__)


class OperationsServer(ThreadingHTTPServer):
    """Serves while it is open: `with` starts its thread and ends it."""

    daemon_threads = True

    def __init__(self, readings: Readings, address: tuple[str, int], hosts: list[str]) -> None:
        self.readings = readings
        self.hosts = frozenset({"localhost", *(host.lower() for host in hosts)})
        self.closing = threading.Event()
        self.followers = threading.BoundedSemaphore(FOLLOWERS_MAX)
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._rendering = threading.Lock()
        self._rendered: tuple[int, dict[str, str]] = (-1, {})
        self.registry = CollectorRegistry()
        self.registry.register(_Families(readings))
        if ipaddress.ip_address(address[0]).version == 6:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    @property
    def address(self) -> str:
        """The address of the page."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def parts(self, sample: int) -> dict[str, str]:
        """The page's parts after a sample; made once for all who follow."""
        with self._rendering:
            if self._rendered[0] != sample:
                content = parts(self.readings.now(), self.readings.history())
                self._rendered = sample, {name: str(html) for name, html in content.items()}
            return self._rendered[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers on a thread of its own, if there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers, and gives the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no error of the venue."""
        _LOG.debug("request of %s failed", client_address, exc_info=True)

    def __enter__(self) -> Self:
        """Begins to listen, on a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, name="operations", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stops listening; the port is free when it returns."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Families(Collector):
    """The newest reading as families of metrics."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> list[Any]:
        """Nothing: what is registered needs no reading."""
        return []

    def collect(self) -> Any:
        """Called for every scrape, on the thread of its connection."""
        return families(self._readings.now())


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: OperationsServer
    server_version = "surgetank"
    sys_version = ""
    #: A client that sends or takes nothing is left after this time, s.
    timeout = 30

    def do_GET(self) -> None:
        """Answers by path."""
        path = urlsplit(self.path).path
        if not self._is_named():
            self._send(HTTPStatus.FORBIDDEN, "text/plain", b"Ask by this machine's address.\n")
        elif path == "/health":
            self._health()
        elif path == "/metrics":
            raw = generate_latest(self.server.registry)
            self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, raw)
        elif path == "/":
            readings = self.server.readings
            html = page(readings.now(), readings.history(), readings.venue.address)
            self._send(HTTPStatus.OK, _HTML, html.encode())
        elif path == "/events":
            self._follow()
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"/ /events /metrics /health\n")

    do_HEAD = do_GET

    def _health(self) -> None:
        health = self.server.readings.health()
        content = {
            "state": health.state,
            "disk": health.disk,
            "silent_s": round(health.silent_s, 3),
        }
        status = HTTPStatus.OK if health.serves else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(status, "application/json", json.dumps(content).encode() + b"\n")

    def _follow(self) -> None:
        """Sends the parts of the page that have changed, with every sample."""
        server = self.server
        if self.command != "GET" or not server.followers.acquire(blocking=False):
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"Too many follow.\n")
            return
        try:
            self._begin(HTTPStatus.OK, "text/event-stream; charset=utf-8")
            self.end_headers()
            sent: dict[str, str] = {}
            sample = server.readings.wait(-1, 0.0)
            while not server.closing.is_set():
                new = {k: v for k, v in server.parts(sample).items() if sent.get(k) != v}
                sent |= new
                self.wfile.write(f"data: {json.dumps(new)}\n\n".encode() if new else b":\n\n")
                self.wfile.flush()
                sample = server.readings.wait(sample, _QUIET_S)
        except OSError:
            pass  # The browser has gone.
        finally:
            server.followers.release()

    def _begin(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        for name, text in {"Content-Type": kind, **_HEADERS}.items():
            self.send_header(name, text)

    def _send(self, status: HTTPStatus, kind: str, raw: bytes) -> None:
        self._begin(status, kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(raw)

    def _is_named(self) -> bool:
        """Whether the request names this machine, and not a name that anybody can have."""
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return host in self.server.hosts
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Logs a request, at level debug."""
        _LOG.debug(format, *args)


def serve_operations(readings: Readings, config: VenueConfig) -> OperationsServer | None:
    """The server that a venue's file asks for; None: it asks for none.

    Raises:
        SurgetankError: the address is taken, or not one of this machine's.
    """
    address = http_address(config.listen_http)
    if address is None:
        return None
    try:
        return OperationsServer(readings, address, config.http_hosts)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is in use" if taken else (error.strerror or "cannot be used").lower()
        hint = "Give another --listen-http; port 0 takes a free one, `off` none"
        place = f"listen_http {config.listen_http}"
        raise SurgetankError(why, place=place, hint=hint) from None
