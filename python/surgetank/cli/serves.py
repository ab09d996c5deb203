"""The command `surgetank serve`."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from surgetank.cli.app import app, err
from surgetank.cli.app import out as out_
from surgetank.errors import SurgetankError

if TYPE_CHECKING:
    from surgetank.operations import Readings, VenueReading
    from surgetank.venue.process import Ended, RunningVenue

_EXAMPLES = """
Examples:

  surgetank init --venue my-venue && surgetank serve my-venue.toml

  surgetank serve my-venue.toml --data /var/lib/my-venue --listen 127.0.0.1:7400 --log json

SIGTERM and Ctrl-C drain: what waits is answered and synced. SIGHUP reads keys and certificate.

Exit codes: 0 drained · 1 the journal is damaged or another venue's · 2 usage · 74 the disk failed.
"""
#: Time between looks at signals, s.
_LOOK_S: Final = 0.2
#: Time between readings of the venue, s.
_SAMPLE_S: Final = 1.0


class Log(enum.StrEnum):
    """How the venue says what it does."""

    TEXT = "text"
    JSON = "json"


@app.command("serve", epilog=_EXAMPLES)
def serve_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A venue's file: docs/serve.md.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Journal and snapshots; by default the file's `data`."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Address of the binary protocol; port 0: any free one."
        ),
    ] = None,
    listen_ws: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of JSON-RPC over WebSocket; without it and the file's, none.",
        ),
    ] = None,
    listen_http: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of page, metrics and health for operators; `off`: none.",
        ),
    ] = None,
    log: Annotated[
        Log, typer.Option(metavar="text|json", help="Lines for a person, or a JSON object a line.")
    ] = Log.TEXT,
) -> None:
    """Run a venue: a market on sockets and a disk, durable and recoverable."""
    from surgetank.operations import Readings
    from surgetank.venue.process import start

    wanted = _Wanted()
    venue = start(file, data=data, listen=listen, listen_ws=listen_ws, listen_http=listen_http)
    readings = Readings(venue)
    with _page(readings) as page:
        while not venue.wait_started(_LOOK_S):
            pass
        if (recovery := venue.recovery) is not None:
            _say(log, "serving", _serving(venue, recovery, page))
            _notify("READY=1")
        ended = _until_end(venue, readings, wanted, log)
        if ended.has_served or log is Log.JSON:
            _say(log, "ended", ended.content | {"text": ended.text})
    if ended.exit_code:
        place, code = str(venue.data), ended.exit_code
        raise SurgetankError(ended.text, place=place, hint=ended.hint, exit_code=code)


@contextlib.contextmanager
def _page(readings: Readings) -> Iterator[str | None]:
    """Serves the page for operators, if the venue's file asks for one: its address."""
    from surgetank.operations import serve_operations

    venue = readings.venue
    try:
        server = serve_operations(readings, venue.config)
    except SurgetankError:
        venue.drain()
        while venue.wait(_LOOK_S) is None:
            pass
        raise
    if server is None:
        yield None
    else:
        with server:
            yield server.address


class _Wanted:
    """What signals ask for."""

    def __init__(self) -> None:
        self.end = False
        self.keys = False
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._keys)

    def _end(self, _: int, __: FrameType | None) -> None:
        self.end = True

    def _keys(self, _: int, __: FrameType | None) -> None:
        self.keys = True


def _until_end(venue: RunningVenue, readings: Readings, wanted: _Wanted, log: Log) -> Ended:
    is_draining = False
    before, sampled = readings.sample(), time.monotonic()
    while (ended := venue.wait(_LOOK_S)) is None:
        if time.monotonic() - sampled >= _SAMPLE_S:
            now, sampled = readings.sample(), time.monotonic()
            _say_what_happened(before, now, log)
            before = now
        if wanted.end and not is_draining:
            is_draining = True
            _notify("STOPPING=1")
            venue.drain()
        if wanted.keys:
            wanted.keys = False
            _reload(venue, log)
    _say_what_happened(before, readings.now(), log)
    return ended


def _say_what_happened(before: VenueReading, now: VenueReading, log: Log) -> None:
    from surgetank.operations.log import FOR_PERSONS, happened

    for event, content in happened(before, now):
        if log is Log.JSON or event in FOR_PERSONS:
            _say(log, event, content)


def _reload(venue: RunningVenue, log: Log) -> None:
    try:
        venue.reload_keys()
    except SurgetankError as error:
        _say(log, "keys-refused", {"text": f"The keys stay as they were. {error}"})
    else:
        _say(log, "keys-read", {"text": f"Keys read again from {venue.keys}"})
    try:
        if venue.reload_tls():
            _say(log, "tls-read", {"text": "Certificate read again, for new connections"})
    except SurgetankError as error:
        _say(log, "tls-refused", {"text": f"The certificate stays as it was. {error}"})


def _serving(venue: RunningVenue, recovery: dict[str, Any], page: str | None) -> dict[str, Any]:
    record = recovery["record"]
    place = f"record {record}, request {recovery['sequence']}"
    kinds = sorted({damage["kind"] for damage in recovery["damage"]})
    found = f"recovered, {', '.join(kinds)}" if kinds else "whole"
    journal = f"journal at {place}: {found}" if record else "a new journal"
    tls = ", TLS" if venue.config.tls is not None else ""
    websocket = f"{venue.ws_address} (WebSocket{tls})\n" if venue.ws_address else ""
    text = (
        f"Serving at {venue.address} (binary protocol{tls})\n{websocket}"
        + (f"Page for operators: {page}\n" if page else "")
        + f"Data in {venue.data}, {journal}\nCtrl-C drains and ends it"
    )
    content = {"address": venue.address, "ws_address": venue.ws_address, "page": page}
    return content | {"data": str(venue.data), "recovery": recovery, "text": text}


def _say(log: Log, event: str, content: dict[str, Any]) -> None:
    if log is Log.JSON:
        sys.stdout.write(json.dumps({"event": event, **content}) + "\n")
        sys.stdout.flush()
        return
    text = content["text"]
    if event == "ended":
        text = f"Ended at request {content['progress']['sequence']}: {text}"
    (out_ if event in ("serving", "keys-read", "tls-read", "ended") else err).print(
        text, soft_wrap=True, highlight=False
    )
    sys.stdout.flush()


def _notify(state: str) -> None:
    """Tells systemd, if it has started the process and waits for it (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or sys.platform == "win32":
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), f"\0{address[1:]}" if address[0] == "@" else address)
