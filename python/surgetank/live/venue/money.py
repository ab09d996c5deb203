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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from surgetank.errors import SurgetankError
from surgetank.live.faults import Faults
from surgetank.live.options import LiveOptions
from surgetank.live.target import TargetError, Where
from surgetank.live.venue.playable import check, order_of
from surgetank.live.venue.server import VenueServer
from surgetank.native import build, compiled, stale_core_named
from surgetank.scenario import Scenario
from surgetank.simulate import Files
from surgetank.trace import LiveStats, Run, Stats, Trace
from surgetank.trace.schema import empty_table
from surgetank.venue.genesis import of_scenario
from surgetank.venue.keys import VenueKey, write_keys

__all__ = ["play"]

Progress = Callable[[float, int, int], bool]

_URL: Final = "venue:"
#: Time from the writing of the genesis to the start of the run: the venue starts meanwhile, s.
_AHEAD_S: Final = 3.0
_PERMISSIONS: Final = ("trade", "keeper", "price", "on-behalf")


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
    check(scenario)
    chosen = scenario.seed if seed is None else seed
    chosen_options = options or LiveOptions()
    with tempfile.TemporaryDirectory(prefix="surgetank-venue-") as folder:
        key = VenueKey.new("rig", 0, *_PERMISSIONS)
        start_ns = time.time_ns() + int(_AHEAD_S * 1e9)
        venue = _prepared(Path(folder), scenario, chosen, (key, start_ns))
        try:
            with Faults(scenario.faults, venue, None) as faults:
                venue.start()
                faults.begin(time.monotonic_ns() + start_ns - time.time_ns())
                played = _Played(scenario, chosen, (key, start_ns), chosen_options, faults)
                return played.on(venue, progress)
        finally:
            venue.stop()


def _prepared(
    folder: Path, scenario: Scenario, seed: int, opening: tuple[VenueKey, int]
) -> VenueServer:
    key, start_ns = opening
    genesis = of_scenario(scenario, seed, scenario.name) | {"start_ns": start_ns}
    (folder / "genesis.json").write_text(json.dumps(genesis), encoding="utf-8")
    write_keys(folder / "keys.toml", [key])
    lines = ['genesis = "genesis.json"', 'keys = "keys.toml"', f'order = "{order_of(scenario)}"']
    # Nothing of the run is forgotten while it lasts.
    lines += ["[journal]", "snapshot_s = 1e6", "snapshot_requests = 2_000_000_000"]
    lines += ["[connections]", "outbound_bytes_max = 1_000_000_000"]
    (folder / "venue.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return VenueServer(folder, Where("venue"))


@dataclass(frozen=True)
class _Played:
    """A run on a venue that serves."""

    scenario: Scenario
    seed: int
    opening: tuple[VenueKey, int]
    options: LiveOptions
    faults: Faults

    def on(self, venue: VenueServer, progress: Progress | None) -> Trace:
        """Plays it; the venue has ended afterwards."""
        began = (time.monotonic(), time.process_time(), venue.cpu_s() or 0.0)
        out = self._core(venue, progress)
        ended = (time.monotonic(), time.process_time(), venue.cpu_s() or 0.0)
        wall_s, own_s, venue_s = (late - early for late, early in zip(ended, began, strict=True))
        rows, live = self.faults.end(), json.loads(out["live"])
        if live["failed"]:
            raise TargetError(live["failed"], place=_URL)
        if out["complete"] and (live["unanswered"] or live["foreign"]):
            what = (
                f"{live['unanswered']} requests stayed unanswered, {live['foreign']} were not ours"
            )
            raise TargetError(what, place=_URL, hint="Run it again, on an idle machine")
        _check_state(venue, live["state_hash"])
        version = venue.version()
        facts = _live(live, self.options, version, (own_s / wall_s, venue_s / wall_s))
        facts = replace(
            facts, start_unix_ns=self.opening[1], fault_errors=tuple(self.faults.errors)
        )
        faults = pl.DataFrame(rows, schema=empty_table("faults").schema)
        scenario = self.scenario
        return Trace.from_tables(
            out["tables"] | {"faults": faults},
            run=Run(scenario.name, self.seed, scenario.hash, f"{build()} on {version}"),
            stats=replace(Stats.parse(json.loads(out["stats"])), live=facts),
            complete=out["complete"],
            scenario=scenario,
        )

    def _core(self, venue: VenueServer, progress: Progress | None) -> dict[str, Any]:
        (key, start_ns), scenario = self.opening, self.scenario
        where: dict[str, Any] = {"address": venue.address, "start_ns": start_ns}
        where |= {"key": key.name, "hmac": key.hmac}
        with stale_core_named():
            try:
                out: dict[str, Any] = compiled().run_venue(
                    scenario.to_core(), self.seed, where, *Files.of(scenario), progress
                )
            except ConnectionError as error:
                raise TargetError(str(error), place=_URL) from None
            except ValueError as error:
                raise SurgetankError(str(error), place=scenario.name) from None
        return out


def _check_state(venue: VenueServer, state_hash: str) -> None:
    """Checks that the trace's executions are the venue's: both end in the same state."""
    venue.stop()
    if venue.ended is None:
        raise TargetError("did not end when it was asked to", place=_URL)
    if venue.ended["state_hash"] != state_hash:
        what = "the venue's state is not that of its published journal"
        raise TargetError(what, place=_URL, hint="This is a defect; please report it")


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
