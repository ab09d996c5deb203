"""A venue in this process: what `surgetank serve` runs."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from surgetank.errors import EXIT_BROKE, EXIT_MACHINE, SurgetankError
from surgetank.native import compiled
from surgetank.venue.check import Damage
from surgetank.venue.config import VenueConfig, read_config
from surgetank.venue.genesis import genesis_of, opened
from surgetank.venue.keys import read_keys
from surgetank.venue.tls import read_tls

__all__ = ["EXIT_DAMAGED", "Ended", "RunningVenue", "start"]

#: The journal is damaged, or that of another venue; nothing was changed.
EXIT_DAMAGED: Final = 1

_STOPS: Final = {
    "drained": (0, "drained"),
    "damaged": (EXIT_DAMAGED, "the journal is damaged; nothing was changed"),
    "other-genesis": (EXIT_DAMAGED, "the journal is that of a venue with other rules"),
    "unknown-record": (EXIT_DAMAGED, "the journal has a record of a later version"),
    "storage-failed": (EXIT_MACHINE, "the disk has failed; nothing more is answered"),
    "record-too-large": (EXIT_BROKE, "a record does not fit into a segment"),
    "not-conserved": (EXIT_BROKE, "a batch has made or lost money"),
    "defect": (EXIT_BROKE, "a thread has ended"),
}
#: Of ends before anything was served.
_REMEDIES: Final = {
    "damaged": "`surgetank check` on the folder names every place; docs/check.md says what to do",
    "other-genesis": "Restore the folder's genesis.json from a backup, or give the venue's own",
    "unknown-record": "Start it with the version that wrote it, or a later one",
}


@dataclass(frozen=True)
class Ended:
    """The end of a service: the reason's name, and what the core says of it."""

    why: str
    content: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """The exit code of `surgetank serve`."""
        return _STOPS[self.why][0]

    @property
    def text(self) -> str:
        """The reason for a person, with the first place of damage."""
        text = _STOPS[self.why][1]
        detail = self.content.get("detail")
        found = detail.get("damage", ()) if isinstance(detail, dict) else ()
        places = [Damage(**entry) for entry in found if entry["refuses"]]
        if not places:
            return text
        more = f" and {len(places) - 1} more" if places[1:] else ""
        return f"{text}. {places[0].file}: {places[0].text}{more}"

    @property
    def hint(self) -> str:
        """What to do about it; empty if there is nothing."""
        return _REMEDIES.get(self.why, "")

    @property
    def has_served(self) -> bool:
        """Whether its journal was read and taken."""
        return self.why not in _REMEDIES


class RunningVenue:
    """A venue on threads of this process. `serve` starts one in a process of its own."""

    def __init__(self, config: VenueConfig, base: Path, keys: Path, data: Path, core: Any) -> None:
        self.config = config
        self._base = base
        self.keys = keys
        self.data = data
        self._core = core

    @property
    def address(self) -> str:
        """Address of the binary protocol, HOST:PORT."""
        return str(self._core.address)

    @property
    def ws_address(self) -> str | None:
        """Address of JSON-RPC over WebSocket, HOST:PORT; None: it is not spoken."""
        address: str | None = self._core.ws_address
        return address

    def wait_started(self, seconds: float) -> bool:
        """Waits at most so long for the start to be complete or to fail: whether it is so."""
        return bool(self._core.wait_started(seconds))

    @property
    def recovery(self) -> dict[str, Any] | None:
        """What the start has found: record, sequence, epoch, term, files, damage, state_hash."""
        return _read(self._core.recovery())

    @property
    def status(self) -> dict[str, Any] | None:
        """Stage, progress, number of connections; None once it has ended."""
        return _read(self._core.status())

    @property
    def state_hash(self) -> str | None:
        """Hash of the state after the last record; None once it has ended. Clients wait while it
        is computed."""
        found: str | None = self._core.state_hash()
        return found

    def health(self) -> dict[str, Any]:
        """Stage, room on the disk, silence of its thread; known at once."""
        content: dict[str, Any] = json.loads(self._core.health())
        return content

    def overview(self, seconds: float) -> dict[str, Any]:
        """What operators see; waits at most so long for the venue's thread."""
        content: dict[str, Any] = json.loads(self._core.overview(seconds))
        return content

    def wait(self, seconds: float) -> Ended | None:
        """Waits at most so long for the end of the service; None: it goes on."""
        content = _read(self._core.wait(seconds))
        return None if content is None else Ended(content["why"], content)

    def reload_keys(self) -> None:
        """Reads the keys again. Connections whose key was removed or changed are ended.

        Raises:
            SurgetankError: the file is wrong; the keys stay as they were.
        """
        try:
            self._core.reload(read_keys(self.keys))
        except ValueError as error:
            raise SurgetankError(str(error), place=str(self.keys)) from None

    def reload_tls(self) -> bool:
        """Reads the certificate again, for new connections; whether there is one.

        Raises:
            SurgetankError: a file is wrong; the certificate stays as it was.
        """
        content = read_tls(self.config, self._base)
        if content is None or self.config.tls is None:
            return False
        try:
            self._core.reload_tls(**content)
        except ValueError as error:
            raise SurgetankError(str(error), place=self.config.tls.certificate) from None
        return True

    def drain(self) -> None:
        """Begins the end: what waits is answered and made durable."""
        self._core.drain()


def start(
    file: Path,
    *,
    data: Path | None = None,
    listen: str | None = None,
    listen_ws: str | None = None,
    listen_http: str | None = None,
) -> RunningVenue:
    """Starts the venue of a file in this process. It serves once it has read its journal.

    Raises:
        SurgetankError: the system is Windows, a file is wrong, the address is taken, or another
            process has the data.
    """
    if sys.platform == "win32":
        hint = "Run it there, or in WSL"
        raise SurgetankError("a venue needs Linux or macOS", place=str(file), hint=hint)
    given = {"listen": listen, "listen_ws": listen_ws, "listen_http": listen_http}
    config, base = read_config(file, **given), file.parent
    folder = base / config.data if data is None else data
    if folder.exists() and not folder.is_dir():
        hint = "Give the folder of the venue's journal, or a new one, by --data"
        raise SurgetankError("is a file", place=str(folder), hint=hint)
    is_new = not folder.exists()
    keys = base / config.keys
    keys_json, tls = read_keys(keys), read_tls(config, base)
    genesis = opened(genesis_of(config, base), folder)
    try:
        core = compiled().Venue(config.process(tls), json.dumps(genesis), keys_json, folder)
    except ValueError as error:
        raise SurgetankError(str(error), place=str(file)) from None
    except BlockingIOError as error:
        hint = "Stop that one, or give another --data"
        raise SurgetankError(str(error), place=str(folder), hint=hint) from None
    except OSError as error:
        if is_new:
            # Nothing was begun in it.
            shutil.rmtree(folder, ignore_errors=True)
        found = SurgetankError.of_machine(error)
        if error.errno == errno.EADDRINUSE:
            found.hint = "Stop what listens there, or give another --listen"
        raise found from None
    return RunningVenue(config, base, keys, folder, core)


def _read(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    content: dict[str, Any] = json.loads(text)
    return content
