"""A venue in a process of its own, from Python."""

from __future__ import annotations

import atexit
import contextlib
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from surgetank.client import AsyncClient, Client, Credentials, units_of_genesis
from surgetank.errors import EXIT_USAGE, SurgetankError
from surgetank.venue.config import read_config
from surgetank.venue.genesis import FILE
from surgetank.venue.http_address import OFF

__all__ = ["ServedVenue", "arguments", "serve"]

#: Time in which a drained venue has ended, s.
_STOP_S: Final = 30.0
#: Events that are kept until somebody takes them.
_EVENTS_MAX: Final = 10_000
_ALL: Final[weakref.WeakSet[ServedVenue]] = weakref.WeakSet()


@dataclass(frozen=True)
class Addresses:
    """Where a venue listens, HOST:PORT each."""

    binary: str
    ws: str | None = None
    """Of JSON-RPC over WebSocket; None: the file's."""
    http: str = OFF
    """Of the page for operators."""


def arguments(file: Path, data: Path, addresses: Addresses) -> list[str]:
    """The command line of a venue that says what it does in JSON."""
    name = [sys.executable, "-m", "surgetank", "serve", str(file), "--listen", addresses.binary]
    websocket = [] if addresses.ws is None else ["--listen-ws", addresses.ws]
    page = ["--listen-http", addresses.http]
    return [*name, *websocket, *page, "--data", str(data), "--log", "json"]


class ServedVenue:
    """A venue in a process of its own; `with` ends it."""

    def __init__(self, file: Path, data: Path, addresses: Addresses) -> None:
        self.file = file
        self.data = data
        self.address = addresses.binary
        """Address of the binary protocol, HOST:PORT; the same after `restart`."""
        self.ws_address = addresses.ws
        """Address of JSON-RPC over WebSocket, HOST:PORT; None: it is not spoken."""
        self.page = ""
        """Address of its page for operators; empty if it has none."""
        self._listen_http = addresses.http
        self.recovery: dict[str, Any] = {}
        """What its last start has found: record, sequence, files, damage, state_hash."""
        self.ended: dict[str, Any] | None = None
        """What it has said at its end; None while it runs, or if it was killed."""
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        """What it says while it serves: docs/serve.md lists the events."""
        self._child: subprocess.Popen[str] | None = None
        self._said = threading.Condition()
        self._errors: list[str] = []

    def client(self, key: int | str, **settings: Any) -> Client:
        """A client of an account or a key of the venue's file of keys, for `with`; `settings` are
        those of `surgetank.client.Client`.

        Raises:
            SurgetankError: the file has no such key.
        """
        return Client(self.address, self._credentials(key), **self._with_units(settings))

    def async_client(self, key: int | str, **settings: Any) -> AsyncClient:
        """The same for `async with`."""
        return AsyncClient(self.address, self._credentials(key), **self._with_units(settings))

    def _credentials(self, key: int | str) -> Credentials:
        config = read_config(self.file)
        return Credentials.read(self.file.parent / config.keys, key)

    def _with_units(self, settings: dict[str, Any]) -> dict[str, Any]:
        genesis = json.loads((self.data / FILE).read_text(encoding="utf-8"))
        return {"units": units_of_genesis(genesis), **settings}

    @property
    def pid(self) -> int:
        """Its process id; 0 if it is down."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else 0

    def start(self) -> None:
        """Starts it; returns once it serves.

        Raises:
            SurgetankError: it did not start; the message is the venue's.
        """
        self.ended, self.recovery, self._errors = None, {}, []
        child = subprocess.Popen(
            arguments(
                self.file,
                self.data,
                Addresses(self.address, self.ws_address, self._listen_http),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._child = child
        _ALL.add(self)
        threading.Thread(target=self._listen, args=(child,), daemon=True).start()
        with self._said:
            self._said.wait_for(lambda: self.recovery or self._is_gone(child))
        if not self.recovery:
            why = self._errors[-1].removeprefix("error: ") if self._errors else "it said nothing"
            code = child.wait()
            raise SurgetankError(why, exit_code=code if code > 0 else EXIT_USAGE)

    def stop(self, seconds: float = _STOP_S) -> dict[str, Any] | None:
        """Asks it to drain and end, waits so long, then kills it; returns what it said at its
        end. Safe to call twice."""
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            self.resume()  # A paused process could not act on it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
            with self._said:
                self._said.wait_for(lambda: self._is_gone(child), timeout=1.0)
        self.kill()
        return self.ended

    def kill(self) -> None:
        """SIGKILL; returns when it has ended. Does nothing if it is down."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def pause(self) -> None:
        """SIGSTOP: it stops and keeps its connections."""
        if self._child is not None and sys.platform != "win32":
            self._child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on."""
        if self._child is not None and sys.platform != "win32":
            self._child.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stops it if it runs, and starts it on the same folder and address. Raises as `start`."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        if not self.pid:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _is_gone(self, child: subprocess.Popen[str]) -> bool:
        return child.stdout is None or child.stdout.closed

    def _listen(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            with self._said:
                self._note(line.strip())
                self._said.notify_all()
        child.wait()
        with self._said:
            child.stdout.close()
            self._said.notify_all()

    def _note(self, line: str) -> None:
        try:
            said = json.loads(line)
            event = said["event"]
        except (ValueError, TypeError, KeyError):
            self._errors.append(line)
            return
        if event == "serving":
            self.address, self.recovery = said["address"], said["recovery"]
            self.ws_address, self.page = said["ws_address"], said["page"] or ""
        elif event == "ended":
            self.ended = said
        elif self.events.qsize() < _EVENTS_MAX:
            self.events.put(said)


def serve(
    file: str | Path,
    *,
    data: str | Path | None = None,
    listen: str = "127.0.0.1:0",
    listen_ws: str | None = None,
    listen_http: str = OFF,
) -> ServedVenue:
    """A venue in a process of its own, which `with` starts and ends.

    `file` is a `venue.toml`; `data` is the folder of its journal, by default a temporary one that
    goes with the venue; `listen` the address of the binary protocol, by default any free port;
    `listen_ws` that of JSON-RPC over WebSocket, by default the file's; `listen_http` that of the
    page for operators, by default none (`127.0.0.1:0`: any free port).

    >>> with st.serve("venue.toml") as venue:  # doctest: +SKIP
    ...     venue.address
    """
    addresses = Addresses(listen, listen_ws, listen_http)
    if data is not None:
        return ServedVenue(Path(file), Path(data), addresses)
    folder = tempfile.TemporaryDirectory(prefix="surgetank-venue-", ignore_cleanup_errors=True)
    venue = ServedVenue(Path(file), Path(folder.name), addresses)
    weakref.finalize(venue, folder.cleanup)
    return venue


@atexit.register
def _end_all() -> None:
    for venue in list(_ALL):
        venue.kill()
