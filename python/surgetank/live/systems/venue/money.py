"""A run with money: the scenario's actors trade on a real venue.

The venue opens with the scenario's market, accounts and positions, in a process of its own on this
machine. The actors are the simulator's, on a real clock: background and panicking traders, market
makers, oracles and keepers send when they would, over sockets, and hear what the venue has
published when it arrives. The market's table is made after the run from the venue's journal and
the outside prices, by the simulator's own recorder.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil

from surgetank.errors import SurgetankError
from surgetank.live.options import LiveOptions
from surgetank.live.target import TargetError
from surgetank.native import build, compiled, stale_core_named
from surgetank.scenario import Scenario
from surgetank.simulate import Files
from surgetank.trace import LiveStats, Run, Stats, Trace
from surgetank.venue.genesis import of_scenario
from surgetank.venue.keys import VenueKey, write_keys
from surgetank.venue.serving import ServedVenue, serve

__all__ = ["is_venue", "play"]

Progress = Callable[[float, int, int], bool]

_URL: Final = "venue:"
#: Time from the writing of the genesis to the start of the run: the venue starts meanwhile, s.
_AHEAD_S: Final = 3.0
_PERMISSIONS: Final = ("trade", "keeper", "price", "on-behalf")
#: Rules of order that have no parameters.
_ORDERS: Final = ("fifo", "fee", "class", "hash")


def is_venue(url: str) -> bool:
    """Whether the target is a venue of `surgetank serve`."""
    return url.partition(":")[0] == "venue"


def play(
    scenario: Scenario,
    *,
    url: str = _URL,
    seed: int | None = None,
    options: LiveOptions | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Plays the scenario with its actors against a venue that is started for it.

    Raises:
        SurgetankError: the scenario cannot be played there.
        TargetError: the venue does not start, or is lost.
    """
    if url != _URL:
        hint = "Write `--target venue:`; the venue is started with the scenario's accounts"
        raise SurgetankError("a running venue cannot be used yet", place=url, hint=hint)
    if scenario.faults:
        hint = "Take [[faults]] out; other targets have them (docs/faults.md)"
        raise SurgetankError("faults are not played on it yet", place=url, hint=hint)
    chosen = scenario.seed if seed is None else seed
    chosen_options = options or LiveOptions()
    with tempfile.TemporaryDirectory(prefix="surgetank-venue-") as folder:
        key = VenueKey.new("rig", 0, *_PERMISSIONS)
        start_ns = time.time_ns() + int(_AHEAD_S * 1e9)
        venue = _prepared(Path(folder), scenario, chosen, (key, start_ns))
        try:
            with venue:
                return _play(venue, scenario, chosen, (key, start_ns), chosen_options, progress)
        except SurgetankError as error:
            raise TargetError(error.message, place=error.place or url, hint=error.hint) from None


def _prepared(
    folder: Path, scenario: Scenario, seed: int, opening: tuple[VenueKey, int]
) -> ServedVenue:
    key, start_ns = opening
    genesis = of_scenario(scenario, seed, scenario.name) | {"start_ns": start_ns}
    (folder / "genesis.json").write_text(json.dumps(genesis), encoding="utf-8")
    write_keys(folder / "keys.toml", [key])
    rule = scenario.layer.queue.rule
    order = rule if rule in _ORDERS else "fifo"
    lines = ['genesis = "genesis.json"', 'keys = "keys.toml"', f'order = "{order}"']
    # Nothing of the run is forgotten while it lasts.
    lines += ["[journal]", "snapshot_s = 1e6", "snapshot_requests = 2_000_000_000"]
    lines += ["[connections]", "outbound_bytes_max = 1_000_000_000"]
    (folder / "venue.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return serve(folder / "venue.toml", data=folder / "data")


def _play(
    venue: ServedVenue,
    scenario: Scenario,
    seed: int,
    opening: tuple[VenueKey, int],
    options: LiveOptions,
    progress: Progress | None,
) -> Trace:
    key, start_ns = opening
    address = {"address": venue.address, "key": key.name, "hmac": key.hmac, "start_ns": start_ns}
    process = psutil.Process(venue.pid)
    before = (time.monotonic(), time.process_time(), _cpu_s(process))
    with stale_core_named():
        try:
            out: dict[str, Any] = compiled().run_venue(
                scenario.to_core(), seed, address, *Files.of(scenario), progress
            )
        except (ValueError, ConnectionError) as error:
            raise SurgetankError(str(error), place=scenario.name) from None
    after = (time.monotonic(), time.process_time(), _cpu_s(process))
    wall_s, own_s, venue_s = (late - early for late, early in zip(after, before, strict=True))
    live = json.loads(out["live"])
    if live["failed"]:
        raise TargetError(live["failed"], place=_URL)
    _agreed(venue, live["state_hash"])
    version = f"surgetank venue {build()}"
    stats = Stats.parse(json.loads(out["stats"]))
    stats = replace(stats, live=_live(live, options, version, (own_s / wall_s, venue_s / wall_s)))
    stats = replace(stats, live=replace(stats.live, start_unix_ns=start_ns))
    return Trace.from_tables(
        out["tables"],
        run=Run(scenario.name, seed, scenario.hash, f"{build()} on {version}"),
        stats=stats,
        complete=out["complete"],
        scenario=scenario,
    )


def _agreed(venue: ServedVenue, state_hash: str) -> None:
    """Checks that the trace's executions are the venue's: both end in the same state."""
    ended = venue.stop()
    if ended is None:
        raise TargetError("did not end when it was asked to", place=_URL)
    if ended["state_hash"] != state_hash:
        what = "the venue's state is not that of its published journal"
        raise TargetError(what, place=_URL, hint="This is a defect; please report it")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _live(
    live: dict[str, Any], options: LiveOptions, version: str, cores: tuple[float, float]
) -> LiveStats:
    own, venue = cores
    return LiveStats(
        target=_URL,
        version=version,
        ack="disk",
        acks=("memory", "disk"),
        ordered=True,
        durable=True,
        workers=1,
        scheduled=live["scheduled"],
        sent=live["sent"],
        not_sent=live["scheduled"] - live["sent"],
        lateness_p50_ns=live["lateness_p50_ns"],
        lateness_p99_ns=live["lateness_p99_ns"],
        lateness_max_ns=live["lateness_max_ns"],
        lateness_p99_max_ns=options.lateness_p99_ms * 1e6,
        cpu_share={"rig": own},
        cpu_share_max=options.cpu_share_max,
        server_cores=venue,
        refusals=live["refusals"],
        foreign=live["foreign"],
    )
