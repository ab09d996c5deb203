"""The HTTP server of `surgetank view`: loopback only, GET and HEAD, nothing is written.

A page in a browser elsewhere can make a name of its own resolve to 127.0.0.1 (DNS rebinding), so
requests under any other host name than this machine's are refused. Results are looked up by name
among those found in the folder: no path of a request is ever opened.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from surgetank.errors import SurgetankError
from surgetank.view.entries import Entry, entries_in
from surgetank.view.pages import Wanted, comparison_page, list_page, message_page, page_of

__all__ = ["ViewServer", "serve"]

_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
#: Pages kept, since they take seconds to make.
_KEPT: Final = 16
#: Pages have their own style and script inside and load nothing; a page found in a folder may be
#: anybody's, so it may not send anything either.
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LOG = logging.getLogger(__name__)


class ViewServer(ThreadingHTTPServer):
    """Serves the results of one folder."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._entries = entries_in(folder)
        self._pages: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._looking, self._making = threading.Lock(), threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """The address of the list."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def entries(self) -> dict[str, Entry]:
        """What lies in the folder now."""
        with self._looking:
            self._entries = entries_in(self.folder, self._entries)
            return self._entries

    def kept(self, key: tuple[object, ...], make: Callable[[], str]) -> str:
        """The page of this key, made once; one page is made at a time,
        and the list is served meanwhile."""
        with self._making:
            if key not in self._pages:
                self._pages[key] = make()
            self._pages.move_to_end(key)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
            return self._pages[key]


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: ViewServer
    server_version = "surgetank"
    sys_version = ""
    #: A client that sends nothing is left after this time, s.
    timeout = 30

    def do_GET(self) -> None:
        """Sends a page."""
        try:
            status, page = self._answer()
        except SurgetankError as error:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            page = message_page("This cannot be shown", str(error))
        raw = page.encode()
        self.send_response(status)
        for name, text in _HEADERS.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(raw)

    do_HEAD = do_GET

    def _answer(self) -> tuple[HTTPStatus, str]:
        if not _local(self.headers.get("Host", "")):
            text = f"Open {self.server.address} by that address."
            return HTTPStatus.FORBIDDEN, message_page("Under another host's name", text)
        address = urlsplit(self.path)
        asked = dict(parse_qsl(address.query))
        entries = self.server.entries()
        if address.path == "/":
            return HTTPStatus.OK, list_page(self.server.folder, entries, Wanted.of(asked))
        names = {"/page": ("of",), "/compare": ("a", "b")}.get(address.path)
        chosen = [entries.get(asked.get(name, "")) for name in names or ()]
        found = [entry for entry in chosen if entry is not None]
        if names is None or len(found) < len(chosen):
            title, text = "There is nothing here", "The list has what can be opened and compared."
            if address.path == "/compare":
                title, text = "Choose two runs", "The list has a column for either side."
            return HTTPStatus.NOT_FOUND, message_page(title, text)
        seeds = asked.get("seeds") == "all"
        key = (*((entry.id, entry.written) for entry in found), seeds and tuple(entries))

        def make() -> str:
            if len(found) == 1:
                return page_of(found[0], self.server.folder)
            return comparison_page(found[0], found[1], entries, seeds=seeds)

        return HTTPStatus.OK, self.server.kept(key, make)

    def log_message(self, format: str, *args: object) -> None:
        """Logs a request, at level debug."""
        _LOG.debug(format, *args)


def _local(host: str) -> bool:
    """Whether a request names this machine as its host."""
    try:
        return urlsplit(f"//{host}").hostname in _HOSTS
    except ValueError:
        return False


def serve(folder: Path, port: int) -> ViewServer:
    """A server of the results in a folder, on a port of the loopback interface (0: a free one);
    `serve_forever` runs it.

    Raises:
        SurgetankError: there is no such folder, or the port is not free.
    """
    try:
        return ViewServer(folder, port)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else (error.strerror or "").lower()
        hint = "Give another --port; --port 0 takes a free one"
        raise SurgetankError(why, place=f"--port {port}", hint=hint) from None
