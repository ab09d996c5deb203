"""Calibration against known truths: queues of numpy's, and the simulator itself."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surgetank.calibrate import TrainArrivals, calibrate, chain
from surgetank.calibrate.cores import CoreUse, shared, steady
from surgetank.calibrate.estimate import (
    Floats,
    Ints,
    base_delays,
    bootstrap,
    burst_ns,
    dispersion_ns,
    service,
    variation,
)
from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.probing import poisson, singles, trains
from surgetank.calibrate.queueing import FittedQueue, Grid, LightLoad, fit, services, sojourn_ns
from surgetank.calibrate.rounds import SHARES, Round, lights_of, spread_of
from surgetank.calibrate.spread import HALF_RUNS, LIVE_RUNS, joined, of_rounds
from surgetank.errors import SurgetankError
from surgetank.live import Capabilities, LiveOptions, Schedule
from surgetank.live.driver.recording import DELIVERY
from surgetank.measure import measure
from surgetank.scenario import Scenario
from surgetank.simulate import simulate
from surgetank.trace import Outcome


def train(n: int, mean_ns: float, cv: float, reading_ns: float, seed: int) -> TrainArrivals:
    """n services back to back, arrivals read at multiples of `reading_ns`."""
    draws = np.random.default_rng(seed)
    at = 1e6 + np.cumsum(services(mean_ns, cv, n, draws))
    return TrainArrivals((np.ceil(at / reading_ns) * reading_ns).astype(np.int64))


@pytest.mark.parametrize(
    ("mean_ns", "cv", "reading_ns", "n"),
    [(50e3, 0.0, 2e5, 2_000), (50e3, 1.0, 2e5, 2_000), (4e3, 3.0, 5e5, 20_000)],
)
def test_trains_tell_service_time_and_variation(
    mean_ns: float, cv: float, reading_ns: float, n: int
) -> None:
    """Both come back whatever the readings; the interval is honest about the mean."""
    found = [train(n, mean_ns, cv, reading_ns, seed) for seed in range(12)]
    mean, varied = service(found), variation(found)
    assert mean is not None
    assert varied is not None
    assert mean.value == pytest.approx(mean_ns / 1e3, rel=0.03)
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low * 0.99 <= mean_ns / 1e3 <= mean.high * 1.01
    assert varied.value == pytest.approx(cv, rel=0.25, abs=0.1)


def test_a_train_read_at_once_tells_nothing() -> None:
    """No dispersion is not a service time of nil."""
    at_once = TrainArrivals(np.full(100, 5_000, dtype=np.int64))
    assert dispersion_ns(at_once) is None
    assert service([at_once] * 5) is None
    assert variation([at_once] * 5) is None
    assert burst_ns([at_once], 1_000.0) == 4_000.0
    assert bootstrap(3, lambda index: 1.0) == (None, None)


def test_base_delays_count_what_was_lost() -> None:
    """A lost message has an infinite delay; the quantiles know it, the mean leaves it out."""
    delays = np.concatenate([np.linspace(1e6, 2e6, 300), [np.inf] * 6])
    found = base_delays(delays)
    assert found["min"].value == pytest.approx(1.0)
    assert found["p50"].value == pytest.approx(1.51, abs=0.02)
    assert found["p99"].value == np.inf
    with pytest.raises(ValueError, match="no delays"):
        base_delays(np.empty(0))


def test_lindley_is_the_simulators_queue() -> None:
    """The fit's own queue and the simulator agree on M/M/1 and on rare long services."""
    for cv in (1.0, 3.0):
        asked = FittedQueue(100.0, cv, 0.0, 0.0, 1.0)
        scenario = broker(plain("q", 5_000.0, 12.0), asked)
        found = simulate(scenario, seed=4).delays()["delay_ns"].to_numpy().astype(np.float64)
        draws = np.random.default_rng(1)
        arrivals = np.cumsum(draws.standard_exponential(60_000)) * (1e9 / 5_000)
        other = sojourn_ns(arrivals, services(1e5, cv, 60_000, draws))
        for q in (0.5, 0.9, 0.99):
            assert np.quantile(found, q) == pytest.approx(np.quantile(other, q), rel=0.25)


def test_light_loads_give_link_and_variation_back() -> None:
    """From p50 and p99 at 5 % and 30 %."""
    draws = np.random.default_rng(2)
    lights = []
    for share in SHARES:
        arrivals = np.cumsum(draws.standard_exponential(80_000)) * (50e3 / share)
        delay = sojourn_ns(arrivals, services(50e3, 1.0, 80_000, draws)) / 1e6
        delay += 0.4 + draws.exponential(0.1, 80_000)
        p50, p99 = np.quantile(delay, (0.5, 0.99))
        lights.append(LightLoad(share / 50e-6, share, p50, p99, None, None, 80_000))
    queue = fit(50.0, lights)
    assert queue.misfit < 1.05
    assert queue.fixed_ms == pytest.approx(0.4, abs=0.05)
    assert queue.jitter_ms == pytest.approx(0.1, rel=0.3)
    assert 0.5 <= queue.cv <= 1.5


@pytest.mark.soak
def test_p99_at_half_load_is_foretold_and_its_interval_covers() -> None:
    """Forty queues of great variation, seven rounds each: the median of five later runs at half
    load lies in the interval, which is not so wide that it says nothing. It is one of 95 % by its
    derivation and held 32 and 38 of forty: what is asserted is that it does not fall below 80 %."""
    covered, widths, queues = 0, [], 40
    for _ in range(queues):
        draws = np.random.default_rng()
        cv, mean_us = float(draws.uniform(3, 9)), float(draws.uniform(5, 50))

        def delays(share: float) -> Floats:
            n = int(np.clip(3e6 * share / mean_us, 2_000, 100_000))  # noqa: B023
            at = np.cumsum(draws.standard_exponential(n)) * (mean_us * 1e3 / share)  # noqa: B023
            waits = sojourn_ns(at, services(mean_us * 1e3, cv, n, draws))  # noqa: B023
            return waits + 2e5 + draws.exponential(2e5, n)  # noqa: B023

        rounds = [Round((), tuple(delays(share) for share in SHARES)) for _ in range(7)]
        lights = lights_of(rounds, 1e6 / mean_us)
        grid = Grid(
            mean_us, [x.rate_per_s for x in lights] + [0.5e6 / mean_us], 50.0, samples=40_000
        )
        asked = np.array([(x.p50_ms, x.p99_ms) for x in lights])
        progress = grid.nearest(asked)[1][-1, 1]
        low, high = spread_of(rounds, 1e6 / mean_us, mean_us)["p99_at_half"]
        later = np.median([np.quantile(delays(0.5), 0.99) for _ in range(HALF_RUNS)]) / 1e6
        covered += low <= later / progress <= high
        widths.append(high)
    assert covered >= stats.binom.ppf(0.001, queues, 0.8), covered
    assert np.median(widths) < 2.0


@pytest.mark.parametrize("rounds", [3, 4, 7])
def test_the_interval_of_rounds_covers_a_further_median(rounds: int) -> None:
    """In 95 % of 4,000 draws, within what chance allows; and far less often if it were half."""
    draws = np.random.default_rng()
    progress = np.exp(0.3 * draws.standard_normal((4_000, rounds)))
    later = np.median(np.exp(0.3 * draws.standard_normal((4_000, LIVE_RUNS))), axis=1)
    inside = half = 0
    for values, measured in zip(progress, later, strict=True):
        ends = of_rounds(values.tolist())
        assert ends is not None
        off = measured / float(np.median(values))
        inside += ends[0] <= off <= ends[1]
        half += ends[0] ** 0.5 <= off <= ends[1] ** 0.5
    assert inside / 4_000 == pytest.approx(0.95, abs=0.02)
    assert half / 4_000 < 0.9


def test_rounds_that_tell_nothing_have_no_interval() -> None:
    """Too few, or one that never ended."""
    assert of_rounds([1.0, 1.0]) is None
    assert of_rounds([1.0, 1.1, np.inf]) is None
    assert joined([None, None]) is None
    wide, other = (0.5, 2.0), (0.5, 2.0)
    assert joined([wide, None]) is None
    both = joined([wide, other])
    assert both is not None
    assert both[1] == pytest.approx(2.0 ** np.sqrt(2))


class SimulatedRig:
    """A rig whose target is the simulator: what calibration finds must be what it was given."""

    url = "simulated:"
    server: Any = None
    options = LiveOptions()
    where = SimpleNamespace(scheme="simulated", url="simulated:", addresses=())

    def __init__(self, scenario: Scenario, nodes: int = 1) -> None:
        self.scenario, self.nodes, self.played = scenario, nodes, 0

    def play(self, schedule: Schedule, **_: Any) -> Any:
        """The schedule as a tape would play it: Lindley's queue, or blocks at a fixed rhythm."""
        self.played += 1
        first, height = self.times(schedule.due_ns)
        rows = np.zeros(len(first), dtype=DELIVERY)
        rows["number"], rows["height"], rows["time_ns"] = np.arange(len(first)), height, first
        sending = SimpleNamespace(sent_ns=schedule.due_ns, answered_ns=first)
        return SimpleNamespace(
            schedule=schedule,
            sending=sending,
            deliveries=rows,
            capabilities=Capabilities(),
            nodes=self.nodes,
            first_ns=lambda: first,
        )

    def times(self, due_ns: Ints) -> tuple[Ints, Ints]:
        """Delivery and height."""
        draws = np.random.default_rng(self.played)
        link = 4e5 + draws.exponential(1e5, len(due_ns))
        order = np.argsort(due_ns + link)
        arrival = (due_ns + link)[order]
        out = np.empty(len(due_ns))
        out[order] = arrival + sojourn_ns(arrival, services(50e3, 1.0, len(due_ns), draws))
        return out.astype(np.int64), np.full(len(due_ns), -1)


class BlocksRig(SimulatedRig):
    """Blocks every 500 ms and 1 ms more for each of their messages, at most 400 of them."""

    def times(self, due_ns: Ints) -> tuple[Ints, Ints]:
        """Delivery and height."""
        first = np.zeros(len(due_ns), dtype=np.int64)
        height = np.zeros(len(due_ns), dtype=np.int64)
        at, i, h = 0.0, 0, 0
        while i < len(due_ns):
            j = min(int(np.searchsorted(due_ns, at, side="right")), i + 400)
            at += 500e6 + 1e6 * (j - i)
            h += 1
            first[i:j], height[i:j] = at, h
            i = j
        return first, height


def test_a_known_queue_is_found_again_and_written() -> None:
    """All the way: service 50 µs, exponential, link 0.4 ms + 0.1 ms; the file says the same."""
    progress: list[str] = []
    rig: Any = SimulatedRig(plain("any", 10.0, 1.0))
    found = calibrate(rig, progress=progress.append)
    assert found.kind == "broker"
    assert found.capacity_per_s == pytest.approx(20_000, rel=0.05)
    assert found.load_share <= 0.3
    assert found.invalid == ""
    link = found.scenario.flow.client_link
    assert link.fixed_ms == pytest.approx(0.4, abs=0.06)
    assert found.scenario.layer.service.validation.order_us == pytest.approx(50, rel=0.05)
    assert len(progress) >= 3
    again = Scenario.from_toml(found.toml())
    assert again.hash == found.scenario.hash
    assert tomllib.loads(found.toml())["network"]["nodes"] == 1
    assert found.estimate("service") is not None
    assert found.to_dict()["kind"] == "broker"


def test_the_scenario_given_keeps_its_flow_and_limits() -> None:
    """Only what calibration measures is replaced."""
    given = plain("mine", 77.0, 3.0).with_values({"limits.delay_p99_ms_max": 9.0})
    rig: Any = SimulatedRig(given)
    found = calibrate(rig, given).scenario
    assert found.flow.arrivals == given.flow.arrivals
    assert found.limits == given.limits
    assert found.layer.consensus.kind == "single"


def test_a_chains_rhythm_is_found_again() -> None:
    """Interval, time per message and block limit; the simulator's single messages agree."""
    rig: Any = BlocksRig(plain("any", 10.0, 1.0), nodes=4)
    found = calibrate(rig)
    assert found.kind == "chain"
    every, each = found.estimate("block_interval"), found.estimate("service")
    assert every is not None
    assert each is not None
    assert every.value == pytest.approx(502, rel=0.03)
    assert 1_000 <= each.value <= 2_600  # 500 ms of each block of 400 are its messages' too
    most = found.estimate("block_messages")
    assert most is not None
    assert most.value == 400
    assert found.scenario.network.nodes == 4
    consensus = found.scenario.layer.consensus
    assert consensus.kind == "tendermint"
    assert consensus.block_messages_max == 400
    assert found.fit["block_interval_ms"] == pytest.approx(every.value, rel=0.1)


class SharedCoresRig(BlocksRig):
    """The same blocks, from nodes that together need 2.5 ms of a core for each message."""

    server: Any = SimpleNamespace(version=lambda: "simulated")

    def __init__(self, scenario: Scenario, nodes: int, cores: int) -> None:
        super().__init__(scenario, nodes)
        self.cores, self.rates = cores, [0.0]

    def play(self, schedule: Schedule, **_: Any) -> Any:
        """Cores busy: a tenth for empty blocks, and what the messages cost."""
        played = super().play(schedule)
        played.start_ns, played.end_ns = 0, int(schedule.flow_end_ns)
        # What is due last is followed by a rest too.
        before = int((schedule.due_ns < schedule.due_ns[-1]).sum())
        self.rates.append(before * 1e9 / played.end_ns)
        read_s = played.end_ns / 1e9 + self.options.lead_s
        played.cores_busy = 0.1 + 2.5e-3 * len(schedule) / read_s
        return played


def test_cores_that_all_share_bound_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A train of such a chain is faster than a steady flow, which the cores end at 360/s."""
    monkeypatch.setattr("surgetank.calibrate.procedure.cores_here", lambda: 1)
    rig: Any = SharedCoresRig(plain("any", 10.0, 1.0), nodes=4, cores=1)
    found = calibrate(rig)
    shared = found.estimate("shared_cores")
    assert shared is not None
    assert shared.value == pytest.approx(2_500 / 0.9, rel=0.02)
    assert found.capacity_per_s == pytest.approx(360, rel=0.02)
    assert found.scenario.layer.service.validation.order_us == shared.value
    # Once it is known what it can carry, no play asks for more than the rule allows.
    assert max(rig.rates[3:]) <= 0.3 * 360 * 1.01


@given(
    idle=st.floats(0, 1),
    each_ms=st.floats(0.05, 5),
    bend=st.floats(0.6, 1),
    hint=st.floats(0.1, 14),
)
def test_the_end_of_the_cores_is_found_from_light_loads(
    idle: float, each_ms: float, bend: float, hint: float
) -> None:
    """Exact where costs are linear; never too far, where batching bends them."""
    cores = 4

    def busy(rate: float) -> CoreUse:
        return CoreUse(rate, idle + (rate * each_ms / 1e3) ** bend)

    true_end = (cores - idle) ** (1 / bend) / each_ms * 1e3
    played: list[float] = []

    def play(rate: float) -> CoreUse:
        played.append(rate)
        return busy(rate)

    readings = steady(play, hint * true_end, cores)
    assert readings is not None
    assert max(played) <= 0.31 * true_end
    found = shared(readings, cores)
    assert found is not None
    assert found.value >= 1e6 / true_end * 0.999
    if bend == 1:
        assert found.value == pytest.approx(1e6 / true_end)


def test_the_interval_of_the_end_covers_readings_that_scatter() -> None:
    draws, covered = np.random.default_rng(1), 0
    rates = np.asarray([200.0, 400.0] * 3)
    for _ in range(100):
        cores = 0.3 + 1.2e-3 * rates + draws.normal(0, 0.01, 6)
        found = shared([CoreUse(r, float(c)) for r, c in zip(rates, cores, strict=True)], 2)
        assert found is not None and found.low is not None and found.high is not None
        covered += found.low <= 1e6 / (1.7 / 1.2e-3) <= found.high
    assert covered >= 88


def test_cores_of_another_machine_are_not_known() -> None:
    assert steady(lambda rate: None, 100.0, 2) is None
    assert shared([CoreUse(100, 1.1), CoreUse(200, 0.9)], 2) is None
    assert shared([CoreUse(100, 1.1), CoreUse(100, 1.1)], 2) is None


def test_of_a_train_only_the_first_can_be_late() -> None:
    probe = singles(3, 0.01).then(trains([4, 2], [0.1, 0.1]), 0.1)
    assert probe.scheduled.tolist() == [True] * 4 + [False] * 3 + [True, False]


def test_blocks_are_distinguished_from_deliveries() -> None:
    """Empty blocks count as intervals; one full block is no limit, two in a row are."""
    first = np.array([10, 10, 30, 60, 60, -1])
    height = np.array([1, 1, 3, 6, 6, -1])
    blocks = chain.block_arrivals(first * 1_000_000, height)
    assert blocks.messages.tolist() == [2, 1, 2]
    every = chain.interval(blocks)
    assert every is not None
    assert every.value == pytest.approx(10.0)
    once = chain.BlockArrivals(np.array([1, 2]), np.array([0, 1]), np.array([400, 100]))
    twice = chain.BlockArrivals(np.array([1, 2]), np.array([0, 1]), np.array([400, 398]))
    assert chain.fullest(once) == (400, False)
    assert chain.fullest(twice) == (400, True)


def test_lost_single_messages_end_calibration() -> None:
    """A target that loses messages at no load has no capacity to speak of."""

    class Losing(SimulatedRig):
        def times(self, due_ns: Ints) -> tuple[Ints, Ints]:
            first, height = super().times(due_ns)
            first[::7] = -1
            return first, height

    rig: Any = Losing(plain("any", 10.0, 1.0))
    with pytest.raises(SurgetankError, match="never arrived"):
        calibrate(rig)


def test_probes_stay_in_place_when_they_follow_each_other() -> None:
    """Parts keep their messages and times."""
    probe = singles(10, 0.01).then(trains([5, 7], [0.1, 0.2]), 0.5).then(poisson(100, 1.0), 1.0)
    assert probe.single == 10
    assert [t.size for t in probe.trains] == [5, 7]
    for t in probe.trains:
        assert (probe.due_ns[t.first : t.first + t.size] == t.due_ns).all()
    load = probe.loads[0]
    assert load.first + load.count == len(probe.due_ns)
    assert (np.diff(probe.due_ns) >= 0).all()


def test_the_simulated_queue_has_the_measures_of_its_scenario() -> None:
    """A broker scenario is one node without consensus messages; every message is executed."""
    trace = simulate(
        broker(plain("q", 2_000.0, 3.0), FittedQueue(50.0, 0.0, 0.5, 0.1, 1.0)), seed=1
    )
    found = measure(trace)
    assert found["executed_share"].value == 1.0
    assert found["delay_p50_ms"].value == pytest.approx(0.63, abs=0.05)
    assert trace["messages"].filter(pl.col("outcome") != Outcome.EXECUTED).is_empty()
