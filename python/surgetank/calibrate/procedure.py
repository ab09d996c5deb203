"""The procedure of a calibration: which probes are sent to a live target, in which order, and why.

1. Single messages and short trains: the base delay, and a first bound on the service time.
2. Of a chain whose nodes are on this machine: steady loads, and how many cores they keep busy.
3. Trains long enough to keep the slowest stage busy for about a second (of a chain: for a block
   or two), rests between them, so that the average load stays below 30 %. Once more and
   longer if batching made them faster than estimated.
4. Of a broker: rounds of trains and of random arrivals at 5 % and 30 % of the capacity that the
   trains indicate; each round gives its own result, so that their scatter is known.

No probe exceeds 30 % of the capacity on average; this is checked afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from surgetank.calibrate import chain as chains
from surgetank.calibrate import fitted_scenario
from surgetank.calibrate.calibration import Calibration
from surgetank.calibrate.cores import TURNS, CoreUse, cores_here, shared, steady
from surgetank.calibrate.estimate import (
    Estimate,
    Floats,
    Ints,
    TrainArrivals,
    base_delays,
    burst_ns,
    service,
    variation,
)
from surgetank.calibrate.probing import LOAD_SHARE_MAX, Probe, poisson, rest_s, singles, trains
from surgetank.calibrate.queueing import LightLoad, fit
from surgetank.calibrate.rounds import (
    OVERLOAD,
    Round,
    lights_of,
    overload,
    probe_of,
    round_result,
    spread_of,
)
from surgetank.calibrate.spread import Spread, of_chain
from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Played, Rig, Schedule
from surgetank.scenario import Scenario

__all__ = ["OPTIONS", "Progress", "calibrate"]

#: Called with a description of the current step.
Progress = Callable[[str], None]

#: A calibration takes minutes and must not fail because processes start slowly. A fast broker that
#: falls behind must show it in its delays, not by reaching the generator's own limits.
OPTIONS: Final = LiveOptions(patience_s=90.0, rate_max_per_s=4e6, inflight_max=1_000_000)

_SIZE_BYTES: Final = 150
#: Time for which a burst keeps the target busy, s: many times the scheduler's latency.
_BURST_S: Final = 0.25
_BURST_MAX: Final = 60_000
_LONG_MAX: Final = 1_000_000
#: Share of the in-flight limit that a train may use: its rate is not known well before.
_OF_INFLIGHT: Final = 0.8
#: Length of a chain's trains, in base delays.
_BLOCKS: Final = 5.0
_LONGER_MAX: Final = 3
#: A single message that takes longer than this waits for a block, or for a similar period.
_SLOW_MS: Final = 60.0


def calibrate(
    rig: Rig,
    scenario: Scenario | None = None,
    *,
    name: str = "",
    quick: bool = False,
    progress: Progress | None = None,
) -> Calibration:
    """Measures the rig's target at low load and writes the scenario that behaves like it.

    The flow, market and limits are those of `scenario`; without one, of plain orders at random
    times. Its network, client links, queue, service times and consensus are calibrated.
    `quick` sends about a third of the messages: wider intervals, for a first look and for tests.

    Raises:
        SurgetankError: the target lost single messages, or could not be measured.
    """
    return _Procedure(
        rig, scenario, name, _QUICK if quick else _FULL, progress or (lambda _: None)
    ).all()


@dataclass(frozen=True)
class _Amounts:
    """Numbers of probe messages and lengths of probes."""

    singles: int
    short: int
    """Number of trains of 10 messages, and of trains of 100."""
    rounds: int
    """Rounds of a broker."""
    steady_s: float
    """Length of each steady load of a chain, s."""
    train_s: float
    """Time for which a train keeps a broker busy, s: long enough for buffers, caches and garbage
    collection to behave as in a steady flow."""
    light: float
    """Length of a broker's light loads, as a share of the usual one."""
    chain_singles: int
    """Single messages of a chain: p99 has an interval from 370 on."""


_FULL: Final = _Amounts(240, 5, 7, 8.0, 1.0, 1.0, 450)
_QUICK: Final = _Amounts(100, 2, 4, 4.0, 0.3, 0.3, 150)


class _Play:
    """A probe with the arrival times of its messages."""

    def __init__(self, probe: Probe, played: Played) -> None:
        self.probe, self.played = probe, played
        self.first_ns: Ints = played.first_ns()
        self.height = np.full(len(self.first_ns), -1, dtype=np.int64)
        rows = played.deliveries
        self.height[rows["number"]] = rows["height"]

    def answered(self) -> list[TrainArrivals]:
        """The trains, with the times of their acknowledgements in place of deliveries."""
        return self.probe.arrived(self.played.sending.answered_ns)


class _Procedure:
    def __init__(
        self, rig: Rig, scenario: Scenario | None, name: str, amounts: _Amounts, progress: Progress
    ) -> None:
        self._amounts = amounts
        self._rig, self._scenario, self._progress = rig, scenario, progress
        self._name = name or f"calibrated-{rig.where.scheme.replace(':', '-')}"
        self._rates: list[float] = []
        self._late_ms: dict[str, list[float]] = {}
        """p99 of the generator's own lateness in each probe, ms, by kind of probe."""
        self._beside_s = 0.0
        """Seconds that the last probe took in addition to its schedule, to start processes and to
        drain."""

    def all(self) -> Calibration:
        """Sends all probes and fits the scenario."""
        amounts = self._amounts
        k = amounts.short
        short = [10] * k + [100] * k
        first = self._play(
            singles(amounts.singles, 0.01).then(trains(short, [0.25] * k + [0.4] * k), 0.3),
            "single messages and short trains",
        )
        delays = first.probe.single_delays(first.first_ns)
        self._check(delays)
        base = base_delays(delays)
        if (first.height >= 0).any() or base["p50"].value > _SLOW_MS:
            return self._chain(first)
        return self._broker(first, base)

    def _play(self, probe: Probe, what: str, kind: str = "") -> _Play:
        seconds = float(probe.due_ns[-1]) / 1e9
        self._progress(f"{what}: {len(probe.due_ns):,} messages in {seconds:.1f} s")
        schedule = Schedule.plain(probe.due_ns, size_bytes=_SIZE_BYTES, drain_s=30.0)
        self._rates.append(probe.mean_rate_per_s)
        began = time.monotonic()
        played = self._rig.play(schedule, name="calibrate")
        self._beside_s = max(0.0, time.monotonic() - began - seconds)
        sent = played.sending.sent_ns
        late_ns = (sent - schedule.due_ns)[(sent >= 0) & probe.scheduled]
        if len(late_ns):
            late_ms = float(np.quantile(late_ns, 0.99)) / 1e6
            self._late_ms.setdefault(kind or what, []).append(late_ms)
        return _Play(probe, played)

    def _check(self, delays: Floats) -> None:
        lost = int((~np.isfinite(delays)).sum())
        if lost > 0.01 * len(delays):
            raise SurgetankError(
                f"{lost} of {len(delays)} single messages never arrived",
                place=f"--target {self._rig.url}",
                hint="Check the target: it must deliver single messages",
                exit_code=3,
            )

    # A broker

    def _broker(self, first: _Play, base: dict[str, Estimate]) -> Calibration:
        burst_us = self._burst_us(_bound_us(first, base))
        size, pace_us = self._sustained(burst_us, self._longest(first))
        each_s = probe_of(size, pace_us, 1, self._amounts.light).due_ns[-1] / 1e9 + self._beside_s
        self._progress(
            f"{self._amounts.rounds} rounds follow, about {self._amounts.rounds * each_s:.0f} s"
        )
        rounds = [self._round(size, pace_us, i) for i in range(self._amounts.rounds)]
        long = [train for one in rounds for train in one.trains]
        self._some(long, size)
        found = service(long)
        if found is None:
            raise SurgetankError(
                f"trains of {size:,} messages arrive in a single read: their dispersion cannot be "
                f"measured",
                place=f"--target {self._rig.url}",
                hint="The target is faster than this machine can measure",
                exit_code=4,
            )
        varied = variation(long)
        # The light loads were placed by the first estimate of the rate.
        lights = lights_of(rounds, 1e6 / pace_us)
        capacity = 1e6 / found.value
        lights = [replace(x, share=x.rate_per_s / capacity) for x in lights]
        queue = fit(found.value, lights)
        spread = spread_of(rounds, 1e6 / pace_us, found.value)
        estimates = [*base.values(), *_bursts(first, base), found]
        estimates += [varied] if varied is not None else []
        estimates += _answers(first, "acknowledgement")
        rate = self._scenario is None and max(1.0, 0.1 * capacity)
        flow = self._scenario or fitted_scenario.plain(self._name, float(f"{rate:.3g}"), 4.0)
        fitted = {
            "service_cv": queue.cv,
            "client_link_fixed_ms": queue.fixed_ms,
            "client_link_jitter_ms": queue.jitter_ms,
            "worst_ratio": queue.misfit,
        }
        return self._result(
            "broker",
            estimates,
            lights,
            capacity,
            fitted_scenario.broker(flow, queue),
            fitted,
            spread,
        )

    def _burst_us(self, bound_us: float) -> float:
        """Time per message in a burst that keeps the slowest stage busy for `_BURST_S`, µs.

        The burst is halved until the target accepts all of it.
        """
        most = _BURST_MAX
        while True:
            size = int(np.clip(_BURST_S * 1e6 / bound_us, 100, most))
            rests = [rest_s(size, bound_us)] * 2
            play = self._play(trains([size] * 2, rests), f"bursts of {size:,}")
            found = play.probe.arrived(play.first_ns)
            if len(found) < 2 and size > 1_000:
                most = size // 2
                continue
            self._some(found, size)
            pace = service(found)
            found_us = pace.value if pace else float(np.median([t.last_ns for t in found])) / size
            if size == most or size * found_us > 0.5 * _BURST_S * 1e6:
                return found_us
            bound_us = min(found_us, bound_us / 2)

    def _longest(self, first: _Play) -> float:
        """The greatest length of a train, in messages: at most what may be sent in a second and,
        where messages are acknowledged, what may be in flight."""
        options = self._rig.options
        most = min(_LONG_MAX, options.rate_max_per_s)
        if first.played.capabilities.ack == "none":
            return most
        return min(most, _OF_INFLIGHT * options.inflight_max / (1 - 1 / OVERLOAD))

    def _sustained(self, burst_us: float, most: float) -> tuple[int, float]:
        """Number of messages that keep the slowest stage busy for `train_s` when they are sent a
        little faster than a burst of them was served, and the time per message, µs. The number is
        halved until all arrive."""
        size = int(np.clip(self._amounts.train_s * 1e6 / burst_us, 100, most))
        while True:
            probe = overload(size, burst_us, 2, rest=2.0)  # how much slower is not known yet
            play = self._play(probe, f"trains of {size:,}, one message after the other")
            found = play.probe.arrived(play.first_ns)
            if len(found) == 2 or size <= 1_000:
                self._some(found, size)
                pace = service(found)
                return size, pace.value if pace else burst_us
            size //= 2

    def _round(self, size: int, pace_us: float, number: int) -> Round:
        probe = probe_of(size, pace_us, number + 1, self._amounts.light)
        what = f"round {number + 1} of {self._amounts.rounds}, trains of {size:,} and light loads"
        return round_result(probe, self._play(probe, what, "round").first_ns)

    def _some(self, found: list[TrainArrivals], size: int) -> None:
        if not found:
            raise SurgetankError(
                f"no train of {size:,} messages arrived in full",
                place=f"--target {self._rig.url}",
                hint="Give the target room for bursts; it refuses or loses them",
                exit_code=3,
            )

    # A chain

    def _chain(self, first: _Play) -> Calibration:
        short = first.probe.arrived(first.first_ns)
        bound_us = max(t.last_ns / len(t) for t in short if len(t) == 100) / 1e3 if short else 1e4
        delay_s = float(np.median(first.probe.single_delays(first.first_ns))) / 1e9
        gap_s = max(0.05, delay_s / 8)
        self._progress(
            f"a chain: about {_chain_s(self._amounts, delay_s, gap_s) / 60:.0f} min follow"
        )
        sizes = [50, 200, 50, 200, 50, 200]
        rest = [max(3 * delay_s, 1.2 * n * bound_us / 1e6 / LOAD_SHARE_MAX) for n in sizes]
        early = self._play(
            singles(self._amounts.chain_singles, gap_s).then(trains(sizes, rest), 3 * delay_s),
            "single messages and trains for a chain",
        )
        trains_seen = early.probe.arrived(early.first_ns)
        slope = chains.per_message(trains_seen)
        # The slope between short trains is mostly block intervals: take its upper end.
        step_us = max(50.0, slope.high if slope and slope.high else bound_us)
        cores = self._cores(1e6 / step_us)
        # No message can take less than its processor time.
        least_us = max(5.0, cores.value if cores else 0.0)
        step_us = max(step_us, least_us)
        late = early
        for _ in range(_LONGER_MAX):
            size = int(np.clip(_BLOCKS * delay_s * 1e6 / step_us, 300, 30_000))
            sizes = [size // 2, size, size // 4, size, size // 2, size]
            rest = [max(3 * delay_s, 1.1 * n * step_us / 1e6 / LOAD_SHARE_MAX) for n in sizes]
            late = self._play(trains(sizes, rest), f"trains of up to {size:,}")
            longest = late.probe.arrived(late.first_ns, size)
            whole = late.probe.arrived(late.first_ns)
            trains_seen += whole
            if whole and not longest:
                break  # the target refuses so long a burst: use the longest that it accepted
            self._some(longest, size)
            took_s = float(np.median([t.last_ns for t in longest])) / 1e9
            step_us = max(least_us, (took_s - delay_s / 2) * 1e6 / size)
            if took_s > _BLOCKS * delay_s / 2 or size == 30_000:
                break
        found = chains.per_message(trains_seen)
        if found is None or found.value <= 0:
            raise SurgetankError(
                "longer trains did not take longer: the time per message cannot be estimated",
                place=f"--target {self._rig.url}",
                hint="Calibrate again on a quiet machine",
                exit_code=4,
            )
        return self._chain_estimates(early, late, found, cores, gap_s)

    def _cores(self, hint_per_s: float) -> Estimate | None:
        """Processor time per message on shared cores; None where the target is remote."""

        def play(rate: float) -> CoreUse | None:
            probe = poisson(rate, self._amounts.steady_s)
            one = self._play(probe, f"a steady load of {rate:,.0f}/s").played
            busy, seconds = one.cores_busy, (one.end_ns - one.start_ns) / 1e9
            seconds += self._rig.options.lead_s  # in which cores are read already
            return None if busy is None else CoreUse(len(probe.due_ns) / seconds, busy)

        if self._rig.server is None:
            return None
        readings = steady(play, hint_per_s, cores_here())
        return shared(readings, cores_here()) if readings else None

    def _chain_estimates(
        self, early: _Play, late: _Play, found: Estimate, cores: Estimate | None, gap_s: float
    ) -> Calibration:
        delays = early.probe.single_delays(early.first_ns)
        self._check(delays)
        base = base_delays(delays)
        part = slice(0, early.probe.single)
        every = chains.interval(chains.block_arrivals(early.first_ns[part], early.height[part]))
        interval_ms = every.value if every else 2 * base["p50"].value
        checked = service(late.answered(), "validation", "dispersion of the answers to trains")
        blocks = chains.block_arrivals(late.first_ns, late.height)
        most, limited = chains.fullest(blocks)
        each_us = chains.in_full_us(blocks, interval_ms) if limited else found.value
        cores_us = cores.value if cores else 0.0
        # The larger of two lower bounds: dispersion of acknowledgements, and processor time.
        validation_us = min(found.value, checked.value) if checked else found.value / 10
        asked = chains.ChainProperties(
            nodes=max(1, late.played.nodes),
            interval_ms=interval_ms,
            delay_p50_ms=base["p50"].value,
            service_us=each_us,
            validation_us=max(validation_us, cores_us),
            block_messages_max=most if limited else 100_000,
            gap_s=gap_s,
        )
        capacity = 1e6 / max(found.value, cores_us)
        flow = self._scenario or fitted_scenario.plain(
            self._name, float(f"{0.1 * capacity:.3g}"), 20.0
        )
        scenario, fitted = chains.fitted(flow, asked)
        estimates = [*base.values(), found]
        estimates += [e for e in (every, checked, cores) if e is not None]
        what = "most messages in a block" + ("; a limit" if limited else "; no limit was met")
        fullest = Estimate(
            "block_messages", float(most), None, None, "1", len(sizes_of(late)), what
        )
        spread = of_chain(cores if cores_us > found.value else found, base["p99"])
        return self._result(
            "chain", [*estimates, fullest], [], capacity, scenario, dict(fitted), spread
        )

    def _result(
        self,
        kind: Literal["broker", "chain"],
        estimates: list[Estimate],
        lights: list[LightLoad],
        capacity: float,
        scenario: Scenario,
        fitted: dict[str, float],
        spread: dict[str, Spread],
    ) -> Calibration:
        share = max(self._rates) / capacity
        notes = []
        if share > LOAD_SHARE_MAX:
            notes.append(
                f"a probe used {share:.0%} of the capacity on average, more than the rule allows"
            )
        server = self._rig.server
        found = Calibration(
            target=self._rig.url,
            version=server.version() if server else self._rig.where.url,
            kind=kind,
            estimates=tuple(estimates),
            lights=tuple(lights),
            capacity_per_s=capacity,
            load_share=share,
            scenario=scenario,
            notes=tuple(notes),
            fit=fitted,
            spread=spread,
        )
        # Medians over rounds are robust against a few disturbed rounds.
        late_ms = max((float(np.median(x)) for x in self._late_ms.values()), default=0.0)
        if late_ms <= found.late_ms_max(self._rig.options):
            return found
        invalid = (
            f"the generator was {late_ms:.3g} ms late at p99; other processes "
            "used this machine and disturbed the measurement"
        )
        return replace(found, invalid=invalid)


def _chain_s(amounts: _Amounts, delay_s: float, gap_s: float) -> float:
    """Approximate time that the rest of a chain's calibration takes, s: single messages, steady
    loads, trains."""
    loads = 2 + 2 + 2 * TURNS  # idle and first look, two steps up, then in turn
    return (
        amounts.chain_singles * gap_s
        + loads * (amounts.steady_s + 5)
        + 2 * 6 * _BLOCKS * delay_s / LOAD_SHARE_MAX
    )


def sizes_of(play: _Play) -> list[int]:
    """Number of messages in each train of a probe."""
    return [t.size for t in play.probe.trains]


def _bound_us(first: _Play, base: dict[str, Estimate]) -> float:
    """Upper bound on the time per message, µs, from trains of 100."""
    whole = [t.last_ns for t in first.probe.arrived(first.first_ns, 100)]
    if not whole:
        return 1_000.0
    over_ns = float(np.median(whole)) - base["min"].value * 1e6
    return max(0.5, over_ns / 100 / 1e3)


def _bursts(first: _Play, base: dict[str, Estimate]) -> list[Estimate]:
    found = []
    for size in (10, 100):
        parts = first.probe.arrived(first.first_ns, size)
        more = burst_ns(parts, base["p50"].value * 1e6)
        if more is not None:
            text = f"how much longer than a single message the last of {size} took, median"
            found.append(Estimate(f"burst_{size}", more / 1e6, None, None, "ms", len(parts), text))
    return found


def _answers(first: _Play, name: str) -> list[Estimate]:
    """Time until single messages were acknowledged, ms; empty where the target does not
    acknowledge."""
    played, probe = first.played, first.probe
    answered = played.sending.answered_ns[: probe.single]
    if played.capabilities.ack == "none" or not (answered >= 0).any():
        return []
    delays = probe.single_delays(played.sending.answered_ns)
    e = base_delays(delays)["p50"]
    what = "half of single messages were acknowledged within this"
    return [Estimate(f"{name}_p50", e.value, e.low, e.high, "ms", e.n, what)]
