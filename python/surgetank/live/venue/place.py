"""Where a run with money takes place: a venue that is started for it, or one that runs already."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from surgetank.errors import SurgetankError
from surgetank.live.faults import Disks, disks_for, needs_proxy
from surgetank.live.options import LiveOptions
from surgetank.live.proxy import Link, Proxy
from surgetank.live.safety import owned
from surgetank.live.target import TargetError, Where
from surgetank.live.url_options import check_options
from surgetank.live.venue.playable import order_of
from surgetank.live.venue.server import VenueServer
from surgetank.scenario import Scenario
from surgetank.scenario.faults import DiskFull
from surgetank.venue.genesis import of_scenario, read_genesis
from surgetank.venue.keys import VenueKey, read_keys, write_keys

__all__ = ["OWN", "Place", "place"]

#: The URL of a venue that is started for the run.
OWN: Final = "venue:"
#: Time for the logons, before time 0 of a run on a venue that serves, s.
_LEAD_S: Final = 1.0
_PERMISSIONS: Final = ("trade", "keeper", "price", "on-behalf")
_OPTIONS: Final = ("genesis", "key", "keys")
_KEYS_VARIABLE: Final = "SURGETANK_VENUE_KEYS"


@dataclass(frozen=True)
class Place:
    """A venue that serves, with what stands between it and the run."""

    url: str
    address: tuple[str, int]
    """Where the actors connect: the link proxy's, if there is one."""
    direct: tuple[str, int]
    """The venue's own address."""
    key: VenueKey
    opened_ns: int
    """Time of the venue's opening, since 1970."""
    start_ns: int
    """Time 0 of the run, since 1970."""
    venue: VenueServer | None = None
    """None where it was not started for the run."""
    proxy: Proxy | None = None
    disks: Disks | None = None

    def to_core(self) -> dict[str, Any]:
        """What the core connects with."""
        host, port = self.address
        where = {"address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
        times = {"opened_ns": self.opened_ns, "start_ns": self.start_ns}
        return where | times | {"key": self.key.name, "hmac": self.key.hmac}


@contextlib.contextmanager
def place(scenario: Scenario, seed: int, url: str, options: LiveOptions) -> Iterator[Place]:
    """The venue of a URL, while the run lasts; what was started for it ends afterwards.

    Raises:
        SurgetankError: the URL is none, or the venue is not the scenario's.
        TargetError: the venue does not start.
    """
    with contextlib.ExitStack() as stack:
        proxy = None
        if needs_proxy(scenario.faults):
            proxy = stack.enter_context(Proxy([]))
        if url == OWN:
            yield _own(stack, scenario, seed, proxy)
        else:
            yield _running(url, scenario, seed, (proxy, options))


def _own(stack: contextlib.ExitStack, scenario: Scenario, seed: int, proxy: Proxy | None) -> Place:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="surgetank-venue-")))
    (folder / "server").mkdir()
    key = VenueKey.new("rig", 0, *_PERMISSIONS)
    opened_ns = time.time_ns()
    venue = _prepared(folder / "server", scenario, seed, (key, opened_ns))
    disks = disks_for(scenario.faults)
    stack.callback(disks.unmount)
    stack.callback(venue.stop)
    disks.mount(venue, folder / "disks")
    venue.start()
    direct = ("127.0.0.1", venue.port)
    through = _through(proxy, direct)
    start_ns = time.time_ns() + int(_LEAD_S * 1e9)
    return Place(OWN, through, direct, key, opened_ns, start_ns, venue, proxy, disks)


def _prepared(
    folder: Path, scenario: Scenario, seed: int, opening: tuple[VenueKey, int]
) -> VenueServer:
    key, opened_ns = opening
    genesis = of_scenario(scenario, seed, scenario.name) | {"start_ns": opened_ns}
    (folder / "genesis.json").write_text(json.dumps(genesis), encoding="utf-8")
    write_keys(folder / "keys.toml", [key])
    lines = ['genesis = "genesis.json"', 'keys = "keys.toml"', f'order = "{order_of(scenario)}"']
    # Nothing of the run is forgotten while it lasts.
    lines += ["[journal]", "snapshot_s = 1e6", "snapshot_requests = 2_000_000_000"]
    if any(isinstance(fault, DiskFull) for fault in scenario.faults):
        # The journal asks for space within seconds, not for the first time after 128 MB.
        lines += [f"segment_bytes = {1 << 20}", "segments_ahead = 1"]
    lines += ["[connections]", "outbound_bytes_max = 1_000_000_000"]
    lines += ["history_bytes_max = 1_000_000_000"]
    (folder / "venue.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return VenueServer(folder, Where("venue"))


def _through(proxy: Proxy | None, address: tuple[str, int]) -> tuple[str, int]:
    """The address at which clients reach the venue."""
    if proxy is None:
        return address
    proxy.add([Link("clients-0", -1, 0, address)])
    return proxy.address("clients-0")


def _running(
    url: str, scenario: Scenario, seed: int, beside: tuple[Proxy | None, LiveOptions]
) -> Place:
    proxy, options = beside
    where = owned(_where(url), own_system=options.own_system)
    check_options(where, _OPTIONS)
    key = _key(where, url)
    opened_ns = _opened_ns(where, url, scenario, seed)
    start_ns = time.time_ns() + int(_LEAD_S * 1e9)
    if start_ns < opened_ns:
        raise TargetError("it opens later than now", place=url, hint="Set this machine's clock")
    direct = (where.host, where.port)
    shown = f"venue://{where.host}:{where.port}"
    return Place(shown, _through(proxy, direct), direct, key, opened_ns, start_ns, proxy=proxy)


def _where(url: str) -> Where:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or 0
    except ValueError as error:
        raise SurgetankError(str(error), place=url, hint="Give venue://HOST:PORT") from None
    if not (host and port) or parts.path.strip("/"):
        hint = f"Give {OWN} for a venue of the run's own, or venue://HOST:PORT?keys=FILE"
        raise SurgetankError("names no venue", place=url, hint=hint)
    named = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Where("venue", host, port, options=named, addresses=((host, port),))


def _key(where: Where, url: str) -> VenueKey:
    """The key with which the run logs on."""
    file = where.options.get("keys") or os.environ.get(_KEYS_VARIABLE)
    if not file:
        hint = f"Add ?keys=FILE, the venue's file of keys or a copy, or set {_KEYS_VARIABLE}"
        raise SurgetankError("it needs a key", place=url, hint=hint)
    keys: dict[str, dict[str, Any]] = json.loads(read_keys(Path(file)))
    name = where.options.get("key")
    able = [
        each
        for each, entry in keys.items()
        if name in (None, each)
        and "hmac" in entry
        and not entry.get("sign-requests")
        and set(_PERMISSIONS) <= set(entry.get("permissions", ()))
    ]
    if not able:
        asked = ", ".join(_PERMISSIONS)
        hint = f"One needs the permissions {asked}, `hmac`, and no `sign-requests`"
        what = "no key can play a scenario" if name is None else f"key {name} cannot"
        raise SurgetankError(what, place=file, hint=hint)
    entry = keys[able[0]]
    return VenueKey(able[0], entry["account"], tuple(entry["permissions"]), entry["hmac"])


def _opened_ns(where: Where, url: str, scenario: Scenario, seed: int) -> int:
    """When the venue opened; what it opened with must be the scenario's opening."""
    file = where.options.get("genesis")
    if not file:
        hint = "Add ?genesis=FILE, the genesis.json of its data folder or a copy"
        raise SurgetankError("its opening is not known", place=url, hint=hint)
    opened = read_genesis(Path(file))
    if opened != of_scenario(scenario, seed, scenario.name) | {"start_ns": opened["start_ns"]}:
        hint = (
            f'Serve a venue.toml with scenario = "{scenario.name}" and seed = {seed}, '
            "with the same --set as here written into the scenario's file"
        )
        raise SurgetankError("opened with other accounts or rules", place=file, hint=hint)
    return int(opened["start_ns"])
