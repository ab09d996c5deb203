"""A run with money: the scenario's actors trade on a real venue.

The venue opens with the scenario's market, accounts and positions, in a process of its own on this
machine, or runs already. The actors are the simulator's, on a real clock: background and panicking
traders, market makers, oracles, keepers and attackers send when they would, over sockets, and hear
what the venue has published when it arrives. The market's table is made after the run from the
venue's journal and the outside prices, by the simulator's own recorder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from surgetank.errors import SurgetankError
from surgetank.live.faults import Faults
from surgetank.live.options import LiveOptions
from surgetank.live.target import TargetError
from surgetank.live.venue.place import OWN, Place, place
from surgetank.live.venue.playable import check
from surgetank.live.venue.server import VenueServer
from surgetank.native import build, compiled, stale_core_named
from surgetank.scenario import Scenario
from surgetank.simulate import Files
from surgetank.trace import LiveStats, Run, Stats, Trace
from surgetank.trace.schema import empty_table
from surgetank.trace.stats import VenueClock

__all__ = ["play"]

Progress = Callable[[float, int, int], bool]


def play(
    scenario: Scenario,
    *,
    url: str = OWN,
    seed: int | None = None,
    options: LiveOptions | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Plays the scenario with its actors against a venue: one that is started for it, or, with a
    URL such as `venue://127.0.0.1:7400?keys=FILE&genesis=FILE`, one that runs.

    Raises:
        SurgetankError: the scenario cannot be played there.
        TargetError: the venue does not start, is lost, or has broken a promise.
    """
    check(scenario)
    chosen = scenario.seed if seed is None else seed
    chosen_options = options or LiveOptions()
    with place(scenario, chosen, url, chosen_options) as at:
        faults = Faults(scenario.faults, at.venue, at.proxy, at.disks, [at.direct])
        with faults:
            faults.begin(time.monotonic_ns() + at.start_ns - time.time_ns())
            return _Played(scenario, chosen, at, chosen_options, faults).to_trace(progress)


class _Usage:
    """Processor time of the rig, the link proxy and the venue, from construction to `read`."""

    def __init__(self, at: Place) -> None:
        self._at = at
        self._began = self._now()

    def _now(self) -> tuple[float, float, float, float | None, list[int]]:
        proxy, venue = self._at.proxy, self._at.venue
        return (
            time.monotonic(),
            time.process_time(),
            0.0 if proxy is None else proxy.cpu_s(),
            None if venue is None else venue.cpu_s(),
            [] if venue is None else venue.pids,
        )

    def read(self) -> tuple[dict[str, float], float | None]:
        """Shares of a core by process of the generator, and cores of the venue: None where it was
        started again meanwhile, or not by us."""
        (wall, own, proxy, before, pids), now = self._began, self._now()
        seconds = max(1e-3, now[0] - wall)
        shares = {"rig": (now[1] - own) / seconds}
        if self._at.proxy is not None:
            shares["link proxy"] = (now[2] - proxy) / seconds
        after = now[3] if pids == now[4] else None
        return shares, None if before is None or after is None else (after - before) / seconds


@dataclass(frozen=True)
class _Played:
    """A run on a venue that serves."""

    scenario: Scenario
    seed: int
    at: Place
    options: LiveOptions
    faults: Faults

    def to_trace(self, progress: Progress | None) -> Trace:
        """Plays it; a venue of the run's own has ended afterwards."""
        usage, out = self._core(progress)
        rows, live = self.faults.end(), json.loads(out["live"])
        if live["failed"]:
            raise TargetError(live["failed"], place=self.at.url)
        _check_promises(live, self.at.url)
        if out["complete"]:
            self._check_answers(live)
        venue = self.at.venue
        version = "surgetank venue" if venue is None else venue.version()
        if venue is not None:
            _check_state(venue, live["state_hash"])
        facts = self._live(live, version, usage)
        faults = pl.DataFrame(rows, schema=empty_table("faults").schema)
        scenario = self.scenario
        return Trace.from_tables(
            out["tables"] | {"faults": faults},
            run=Run(scenario.name, self.seed, scenario.hash, f"{build()} on {version}"),
            stats=replace(Stats.parse(json.loads(out["stats"])), live=facts),
            complete=out["complete"],
            scenario=scenario,
        )

    def _check_answers(self, live: dict[str, Any]) -> None:
        """Checks that every request has its answer, and that no other client has sent any."""
        if not (live["unanswered"] or live["foreign"]):
            return
        if self.at.venue is not None and not self.at.venue.pids[0]:
            raise self.at.venue.processes[0].failure("the venue did not stay")
        what = f"{live['unanswered']} requests stayed unanswered, {live['foreign']} were not ours"
        hint = "Run it again, on an idle machine, and alone on the venue"
        for error in self.faults.errors:
            what += f"; faults[{error.index}], {error.kind}: {error.error}"
            hint = "Look at why the fault could not be undone"
        raise TargetError(what, place=self.at.url, hint=hint)

    def _core(
        self, progress: Progress | None
    ) -> tuple[tuple[dict[str, float], float | None], dict[str, Any]]:
        usage, used = _Usage(self.at), []

        def ending() -> None:
            """The last answers come over whole links, from a venue that is there."""
            used.append(usage.read())
            self.faults.end()

        scenario = self.scenario
        with stale_core_named():
            try:
                out: dict[str, Any] = compiled().run_venue(
                    scenario.to_core(),
                    self.seed,
                    self.at.to_core(),
                    *Files.of(scenario),
                    progress,
                    ending,
                )
            except ConnectionError as error:
                raise TargetError(str(error), place=self.at.url) from None
            except ValueError as error:
                raise SurgetankError(str(error), place=scenario.name) from None
        return used[0], out

    def _live(
        self,
        live: dict[str, Any],
        version: str,
        usage: tuple[dict[str, float], float | None],
    ) -> LiveStats:
        shares, venue_cores = usage
        return LiveStats(
            target=self.at.url,
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
            lateness_p99_max_ns=self.options.lateness_p99_ms * 1e6,
            cpu_share=shares,
            cpu_share_max=self.options.cpu_share_max,
            server_cores=venue_cores,
            refusals=live["refusals"],
            fault_errors=tuple(self.faults.errors),
            foreign=live["foreign"],
            start_unix_ns=self.at.start_ns,
            connections_ended=live["connections_ended"],
            sent_again=live["sent_again"],
            clock=VenueClock(live["clock_ahead_ns"], live["clock_error_ns"]),
        )


def _check_promises(live: dict[str, Any], url: str) -> None:
    """Checks the venue's answers against its journal: nothing acknowledged is lost, and nothing is
    executed twice."""
    breaches = live["breaches"]
    if breaches["first"] is not None:
        kinds = ("lost", "refused", "twice", "unchained")
        counts = ", ".join(f"{kind} {breaches[kind]}" for kind in kinds if breaches[kind])
        hint = "Keep its journal, and report it: its answers cannot be trusted"
        what = f"its answers are not those of its journal ({counts}): {breaches['first']}"
        raise TargetError(what, place=url, hint=hint)


def _check_state(venue: VenueServer, state_hash: str) -> None:
    """Checks that the trace's executions are the venue's: both end in the same state."""
    venue.stop()
    if venue.ended is None:
        raise TargetError("did not end when it was asked to", place=OWN)
    if venue.ended["state_hash"] != state_hash:
        what = "the venue's state is not that of its published journal"
        raise TargetError(what, place=OWN, hint="This is a defect; please report it")
