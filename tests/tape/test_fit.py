"""What is fitted to a recording, against processes whose parameters are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray

import surgetank as st
from command_line import TINY, surgetank
from hawkes_process import hawkes_times
from surgetank.fit import Fit, Method, fit
from surgetank.fit.arrivals import arrivals
from surgetank.fit.dispersion import dispersion, hawkes_dispersion, match
from surgetank.fit.flow import fit_flow
from surgetank.fit.hawkes import (
    Events,
    HawkesFit,
    compensator,
    excitation,
    fit_hawkes,
    likelihood,
)
from surgetank.fit.price import fit_price, jumps_in
from surgetank.fit.residuals import goodness
from surgetank.fit.text import sentences
from surgetank.scenario import Scenario
from surgetank.scenario.flow import Hawkes
from surgetank.tape import TapeFile, read_recording
from surgetank.trace import Source

Floats = NDArray[np.float64]
MARKET = Path(__file__).resolve().parents[3] / "shared/data/market"
recorded = pytest.mark.skipif(
    not MARKET.exists(), reason="recorded data are not beside the project"
)
RATE, BRANCHING, DECAY = 10.0, 0.6, 8.0
#: A venue that costs nothing to simulate: the flow does not depend on it.
BARE = Scenario.build(
    {"name": "bare", "network": {"nodes": 1}, "layer": {"consensus": {"kind": "none"}}}
)


def drawn(seed: int, span: float = 100.0, branching: float = BRANCHING) -> Events:
    """A known process."""
    return Events(hawkes_times(RATE, branching, DECAY, span, seed), span)


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.floats(0.0, 20.0), min_size=2, max_size=60, unique=True),
    some.floats(0.05, 0.95),
    some.floats(0.01, 500.0),
    some.integers(1, 4),
)
def test_the_likelihood_is_that_of_its_definition(
    times: list[float], branching: float, decay: float, pieces: int
) -> None:
    """Recursion and gradient against sums over all pairs, and differences."""
    t = np.sort(np.array(times))
    events = Events(t, 20.5, pieces)
    base = np.linspace(0.5, 2.0, pieces)
    pairs = t[:, None] - t[None, :]
    past = np.where(pairs > 0, np.exp(-decay * np.where(pairs > 0, pairs, 0.0)), 0.0)
    assert excitation(t, decay)[0] == pytest.approx(past.sum(axis=1), rel=1e-9, abs=1e-12)
    rate = base[np.minimum((t / (20.5 / pieces)).astype(int), pieces - 1)]
    rate = rate + branching * decay * past.sum(axis=1)
    mass = base.sum() * 20.5 / pieces + branching * (1 - np.exp(-decay * (20.5 - t))).sum()
    value, slope = likelihood(events, base, branching, decay)
    assert value == pytest.approx(np.log(rate).sum() - mass, rel=1e-9)
    step = 1e-6 * decay
    ends = [likelihood(events, base, branching, decay + sign * step)[0] for sign in (-1, 1)]
    assert slope[-1] == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-3, abs=1e-4)
    ends = [likelihood(events, base, branching + sign * 1e-6, decay)[0] for sign in (-1, 1)]
    assert slope[-2] == pytest.approx((ends[1] - ends[0]) / 2e-6, rel=1e-3, abs=1e-4)


def covered(fits: list[HawkesFit], branching: float) -> tuple[int, int]:
    """How many intervals hold the true branching ratio, and the true decay."""
    of_branching = [f.branching_low <= branching <= f.branching_high for f in fits]
    return sum(of_branching), sum(f.decay_low <= DECAY <= f.decay_high for f in fits)


@pytest.mark.parametrize(
    ("base", "branching", "decay", "library"),
    [
        (8.0, 0.6, 15.0, 900.3421830147879),
        (2.0, 0.9, 3.0, 953.8764773141202),
        (18.0, 0.05, 200.0, 965.2369216687598),
    ],
)
def test_the_likelihood_is_that_of_a_library(
    base: float, branching: float, decay: float, library: float
) -> None:
    """HawkesPyLib 0.3.0, `uvhp_expo_logL([base, branching, 1 / decay], times, 26)`."""
    number = np.arange(1, 501)
    events = Events(np.sort(number * 0.05 + 0.04 * np.sin(number * number)), 26.0)
    found, _ = likelihood(events, np.array([base]), branching, decay)
    assert found == pytest.approx(library, rel=1e-12)


def test_known_parameters_are_recovered() -> None:
    """Eight seeds: of 95 % intervals at least six hold (6 in 1,000 would not), and the means are
    near; `test_coverage_of_intervals` has more."""
    fits = [fit_hawkes(drawn(seed)) for seed in range(8)]
    assert min(covered(fits, BRANCHING)) >= 6
    values = np.array([f.branching for f in fits])
    error = np.sqrt(np.mean([f.branching_se**2 for f in fits]) / len(fits))
    assert abs(values.mean() - BRANCHING) < 4 * error
    assert 0.3 < values.std() / np.mean([f.branching_se for f in fits]) < 2.2


@pytest.mark.soak
@pytest.mark.parametrize("branching", [0.3, 0.6, 0.9])
def test_coverage_of_intervals(branching: float) -> None:
    """200 seeds: between 90 and 99 % of the intervals hold."""
    fits = [fit_hawkes(drawn(1000 + seed, 200.0, branching)) for seed in range(200)]
    for count in covered(fits, branching):
        assert 180 <= count <= 199


def test_a_poisson_process_has_no_branching() -> None:
    """Of six, at least five intervals begin at 0 (3 % would not), and none is far from it."""
    fits = [fit_hawkes(drawn(seed, 60.0, 0.0)) for seed in range(6)]
    assert sum(f.branching_low == 0.0 for f in fits) >= 5
    assert max(f.branching for f in fits) < 0.25
    flow = fit_flow(drawn(3, branching=0.0))
    assert flow.method is Method.POISSON and flow.branching == 0.0


@pytest.mark.soak
def test_the_level_of_the_test_for_excitation() -> None:
    """At most 5 % of 300 Poisson processes are taken for excited, of either length."""
    for span in (50.0, 300.0):
        found = [fit_hawkes(drawn(5000 + s, span, 0.0)).excited for s in range(300)]
        assert sum(found) <= 15 + 9


def test_residuals_accept_the_truth_and_reject_the_rest() -> None:
    """p-values of true models are spread; a Poisson process against bursts, bursts of two time
    scales against one kernel, and regular times, are rejected."""
    accepted = [goodness(compensator(e, fit_hawkes(e))).accepted for e in map(drawn, range(6))]
    assert sum(accepted) >= 5
    events = drawn(1)
    none = replace(fit_hawkes(events), base=np.array([RATE]), branching=0.0)
    assert goodness(compensator(events, none)).p < 1e-6
    fast = hawkes_times(5.0, 0.6, 400.0, 200.0, 2)
    slow = hawkes_times(5.0, 0.8, 0.3, 200.0, 3)
    both = Events(np.sort(np.concatenate([fast, slow])), 200.0)
    assert not goodness(compensator(both, fit_hawkes(both))).accepted
    regular = Events(np.arange(1, 1000) / 10.0, 100.0)
    assert goodness(compensator(regular, fit_hawkes(regular))).ks_p < 1e-6


def test_a_rate_that_changes_is_not_taken_for_excitation() -> None:
    """A Poisson process whose rate triples half-way: two pieces or more, and no branching."""
    draws = np.random.default_rng(8)
    early = draws.uniform(0, 100, draws.poisson(500))
    late = draws.uniform(100, 200, draws.poisson(1500))
    flow = fit_flow(Events(np.sort(np.concatenate([early, late])), 200.0))
    assert flow.events.pieces >= 2 and flow.method is Method.POISSON
    half = len(flow.factors) // 2
    assert np.mean(flow.factors[half:]) / np.mean(flow.factors[:half]) == pytest.approx(3, rel=0.2)
    one = fit_hawkes(Events(flow.events.times, 200.0))
    assert one.branching > 0.3, "the control: with one base rate it would be"


def test_a_trend_is_not_taken_for_excitation() -> None:
    """Independent arrivals at a rate that rises from 0 or goes up and down once: a rate in pieces,
    and not a process near its critical point, which is what the likelihood alone prefers. What is
    left inside of pieces may be rejected, rarely."""
    methods = []
    for seed in range(3):
        draws = np.random.default_rng(seed)
        rising = Events(np.sort(100 * np.sqrt(draws.uniform(0, 1, 2_000))), 100.0)
        shares = np.sort(draws.uniform(0, 1, 4_000))
        kept = draws.uniform(0, 2, 4_000) < 1 + 0.8 * np.sin(2 * np.pi * shares)
        for events in (rising, Events(100 * shares[kept], 100.0)):
            flow = fit_flow(events)
            assert flow.events.pieces >= 4 and flow.slow is not None and flow.written.max() < 3
            assert fit_hawkes(replace(events, pieces=1)).branching > 0.9, "the likelihood alone"
            methods.append(flow.method)
        bursts = hawkes_times(20.0, 0.6, 20.0, 100.0, seed)
        both = fit_flow(Events(np.sort(np.concatenate([bursts, rising.times])), 100.0))
        assert both.method is not Method.POISSON, "the control: bursts are found beside a trend"
    assert Method.LIKELIHOOD not in methods and methods.count(Method.POISSON) >= 3


def test_messages_at_regular_times_are_not_called_bursty(tmp_path: Path) -> None:
    """No Hawkes process is as regular: a Poisson process is written, and it is said."""
    rows = "".join(f"{1_700_000_000_000 + 50 * i},100,1,buy\n" for i in range(1_000))
    (tmp_path / "regular.csv").write_text("time,price,qty,side\n" + rows)
    found = fit(read_recording(tmp_path / "regular.csv"), BARE)
    assert found.flow is not None and found.flow.method is Method.POISSON
    assert "burstier than the recording" in sentences(found)[0]


def test_the_index_of_dispersion() -> None:
    """The formula against processes; and the matched process against a known one."""
    spans = np.array([0.1, 1.0, 4.0])
    found = []
    for seed in range(40):
        events = Events(hawkes_times(RATE, BRANCHING, DECAY, 200.0, seed), 200.0)
        found.append([dispersion(events, float(w)).value for w in spans])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(40)
    theory = hawkes_dispersion(spans, BRANCHING, DECAY)
    assert (np.abs(mean - theory) < 4 * error).all(), (mean, theory, error)
    near = [match(Events(hawkes_times(RATE, 0.8, 2.0, 2000.0, s), 2000.0)) for s in range(4)]
    assert sum(m.branching_low <= 0.8 <= m.branching_high for m in near) >= 3
    assert np.mean([m.branching for m in near]) == pytest.approx(0.8, abs=0.06)


def trades(path: Path, times: Floats, unit: str = "us") -> Path:
    """A recording of trades at these seconds, alternating sides."""
    scale = {"s": 1, "ms": 10**3, "us": 10**6}[unit]
    stamps = (1_723_161_255 * scale + np.floor(times * scale)).astype(np.int64)
    rows = (f"{at},{60_000 + i % 7},0.1,{'bs'[i % 2]}\n" for i, at in enumerate(stamps.tolist()))
    path.write_text("time,price,qty,side\n" + "".join(rows))
    return path


@pytest.mark.parametrize("unit", ["ms", "s"])
def test_rounded_times(tmp_path: Path, unit: str) -> None:
    """Ties are spread over the resolution and said; the fit is that of the exact times where the
    kernel is longer."""
    decay = {"ms": 8.0, "s": 0.2}[unit]
    times = hawkes_times(4.0, 0.6, decay, 500.0, 5)
    exact = fit_hawkes(Events(times, 500.0))
    # Alternating sides: none of the trades at one time is the same order as the one before.
    found = arrivals(read_recording(trades(tmp_path / "a.csv", times, unit)))
    assert len(found.events.times) == len(times) and (np.diff(found.events.times) > 0).all()
    assert any(f"whole multiples of 1\u00a0{unit}" in note for note in found.notes)
    rounded = fit_hawkes(found.events)
    assert rounded.branching_low < exact.branching < rounded.branching_high
    assert rounded.decay_low < exact.decay < rounded.decay_high


def test_trades_of_one_order(tmp_path: Path) -> None:
    """Trades at one time and of one side are one order, and bundles of a feed are spread."""
    times = np.repeat(hawkes_times(4.0, 0.0, 1.0, 200.0, 6), 3)
    text = trades(tmp_path / "a.csv", times).read_text().replace(",s\n", ",b\n")
    (tmp_path / "a.csv").write_text(text)
    found = arrivals(read_recording(tmp_path / "a.csv"))
    assert len(found.events.times) == len(times) // 3
    assert found.notes == [
        f"{len(times):,} trades are {len(times) // 3:,} orders: "
        "those of one side at one time are one"
    ]
    assert fit_flow(found.events).method is Method.POISSON


def test_volatility_and_jumps(tmp_path: Path) -> None:
    """Of Brownian motion with jumps of known size: each is found, and the volatility is that
    without them, in the interval; without jumps none is found in most seeds."""
    held, false = 0, 0
    for seed in range(10):
        draws = np.random.default_rng(seed)
        quiet = draws.normal(0.0, 1e-4, 3000)
        false += int(jumps_in(quiet).sum() > 0)
        jumping = quiet.copy()
        at = draws.choice(np.arange(100, 3000), 6, replace=False)
        jumping[at] += 0.003 * draws.choice([-1.0, 1.0], 6)
        assert jumps_in(jumping)[at].all()
        usd = 60_000 * np.exp(np.concatenate([[0.0], np.cumsum(jumping)]))
        rows = "".join(f"{1_723_161_255 + i},{p!r}\n" for i, p in enumerate(usd.tolist()))
        (tmp_path / "a.csv").write_text("ts,price\n" + rows)
        found = fit_price(read_recording(tmp_path / "a.csv"))
        held += found.volatility_low < 1e-4 * np.sqrt(365 * 86_400) < found.volatility_high
        assert found.realised > found.volatility
    assert held >= 7 and false <= 2


def counts(found: Fit, seed: int) -> Floats:
    """Background messages in each second of a run of the fitted scenario."""
    scenario = found.scenario().with_values({"warmup_s": 0.0, "trace.receipts_every": 0})
    messages = st.run(scenario, seed=seed).trace["messages"]
    sent = messages.filter(messages["source"] == Source.BACKGROUND)["created_ns"].to_numpy()
    return np.bincount(sent // 10**9, minlength=int(scenario.duration_s)).astype(np.float64)


def repeats(found: Fit, seeds: int) -> None:
    """Runs have the recording's rate and burstiness: the index of dispersion of seconds, against
    the mean rate of each piece, is inside the recording's interval."""
    flow = found.flow
    assert flow is not None
    seconds = int(found.duration_s)
    piece = np.minimum((np.arange(seconds) + 0.5) * flow.events.pieces / flow.events.span, 1e9)
    due = flow.rate * np.array(flow.factors)[piece.astype(int)]
    held = [counts(found, seed)[:seconds] for seed in range(seeds)]
    of_runs = np.mean([((c - due) ** 2).sum() / due.sum() for c in held])
    index = dispersion(flow.events, 1.0)
    assert index.low < of_runs < index.high
    totals = np.array([c.sum() for c in held])
    error = np.sqrt(float(flow.written[-1]) * due.sum() / seeds)
    assert abs(totals.mean() - due.sum()) < 4 * error


def test_the_scenario_repeats_the_recording(tmp_path: Path) -> None:
    """One that the likelihood describes, and one with a kernel of two time scales, which it does
    not."""
    times = hawkes_times(20.0, 0.6, 5.0, 120.0, 3)
    found = fit(read_recording(trades(tmp_path / "a.csv", times)), BARE)
    assert found.flow is not None and found.flow.method is Method.LIKELIHOOD
    repeats(found, 8)
    slow, fast = hawkes_times(15.0, 0.8, 1.0, 120.0, 4), hawkes_times(15.0, 0.6, 300.0, 120.0, 5)
    times = np.sort(np.concatenate([slow, fast]))
    found = fit(read_recording(trades(tmp_path / "b.csv", times)), BARE)
    assert found.flow is not None and found.flow.method is Method.DISPERSION
    assert "is rejected by its residuals (p < 0.001)" in sentences(found)[0]
    repeats(found, 8)


@recorded
@pytest.mark.soak
@pytest.mark.parametrize(
    "file",
    [
        "tardis_binancefut_btcusdt_trades_20200222.csv.gz",
        "hftbt_binance_usdm_btcusdt_20240808.jsonl.gz",
    ],
)
def test_real_recordings_are_repeated(file: str) -> None:
    """Their rate and burstiness, in runs of the fitted scenario."""
    found = fit(read_recording(MARKET / file), BARE)
    repeats(found, 6)


def test_few_messages_and_other_prices(tmp_path: Path) -> None:
    """Without messages the flow stays; tick and lot follow the price by powers of ten, and their
    product, the unit of money, stays."""
    rows = "".join(f"{1_723_161_255 + i},{0.61 + 0.001 * (i % 3)}\n" for i in range(100))
    (tmp_path / "a.csv").write_text("ts,price\n" + rows)
    calm = st.load("calm")
    found = fit(read_recording(tmp_path / "a.csv"), calm)
    scenario = found.scenario()
    assert found.flow is None and scenario.flow == calm.flow
    assert scenario.market is not None and calm.market is not None
    assert scenario.market.tick_usd == 1e-6 and scenario.market.lot == 100.0
    product = calm.market.tick_usd * calm.market.lot
    assert scenario.market.tick_usd * scenario.market.lot == pytest.approx(product)
    assert "too few messages" in sentences(found)[0]


def test_the_command(tmp_path: Path) -> None:
    """Scenario and page are written, the run of the scenario is what it says, and nothing is
    overwritten."""
    trades(tmp_path / "own.csv", hawkes_times(30.0, 0.5, 5.0, 20.0, 7))
    (tmp_path / "tiny.toml").write_text(TINY.format(limit=1000.0))
    of = ["--from", "tiny.toml"]
    done = surgetank("fit", "own.csv", *of, "--json", "--out", "like.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    process = st.load(tmp_path / "like.toml").flow.arrivals
    assert isinstance(process, Hawkes)
    assert said["flow"]["branching"]["value"] == pytest.approx(process.branching, abs=1e-6)
    page = (tmp_path / "like.html").read_text()
    assert page.count("<svg") >= 9 and len(page) < 400_000 and "Q–Q plot" in page
    ran = surgetank("run", "like.toml", "--json", "--no-report", cwd=tmp_path)
    assert json.loads(ran.stdout)["verdict"] in ("PASS", "FAIL"), ran.stderr
    again = surgetank("fit", "own.csv", "--out", "like.toml", cwd=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr
    both = surgetank("fit", "own.csv", "--out", "both.html", cwd=tmp_path)
    assert both.returncode == 2 and "not a scenario" in both.stderr
    few = surgetank("fit", "own.csv", *of, "--tape-seconds", "1e-6", "--quiet", cwd=tmp_path)
    assert few.returncode == 0 and "too few messages" in few.stdout


def test_a_part_of_a_recording(tmp_path: Path) -> None:
    """A cut has the same rows as the tape's part."""
    path = trades(tmp_path / "a.csv", np.arange(100) / 10)
    whole: TapeFile = read_recording(path)
    cut = whole.cut(start_s=2.0, seconds=3.0)
    assert len(cut.messages_ns) == len(cut.rows_ns) == 30
    assert cut.part().hash == whole.part(start_s=2.0, seconds=3.0).hash
