"""Results with numbers as large as they become, for the tables of the terminal."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from surgetank.attacker import BestResponse, Response
from surgetank.attacker.race import MeanGain
from surgetank.attacker.strategies import KINDS, SETTINGS, Strategy
from surgetank.calibrate import Calibration
from surgetank.calibrate.estimate import Estimate
from surgetank.catalogue import RISKS
from surgetank.catalogue.families import BEARER
from surgetank.explain import Explanation
from surgetank.explain.interventions import FASTER, FREE, INTERVENTIONS
from surgetank.explain.paired import Effect, Gain, LeftOut
from surgetank.live.crash import EVENTS, CrashOutcome
from surgetank.network_file import NetworkFile
from surgetank.network_file.reading import read_network
from surgetank.positions.example import example_book
from surgetank.positions.position_book import MarginTier
from surgetank.positions.summary import BookSummary
from surgetank.predict import Claim, Prediction
from surgetank.predict.capacity_criterion import CapacityCriterion
from surgetank.risk import Risk
from surgetank.risk.contributions import Contribution
from surgetank.risk.estimates import RiskEstimate, estimates_of, probability
from surgetank.risk.groups import DIVISIONS
from surgetank.risk.losses import Losses
from surgetank.risk.paired import DebtDifference, DebtEffect
from surgetank.scenario import load
from surgetank.tape import TapeFile, read_recording

__all__ = [
    "attack",
    "book",
    "calibration",
    "crashes",
    "explanation",
    "network",
    "prediction",
    "recording",
    "risk_answer",
]


@cache
def risk_answer(runs: int = 500) -> Risk:
    """Losses of some hundred million, borne by all and caused by all, with changes tried."""
    draws = np.random.default_rng(1)
    total = draws.lognormal(19.0, 1.5, runs) * (draws.random(runs) < 0.7)

    def parts(members: list[str]) -> dict[str, np.ndarray]:
        weights = draws.dirichlet(np.ones(len(members)), runs).T
        return dict(zip(members, weights * total, strict=True))

    losses = Losses(
        total,
        parts(list(BEARER.members)),
        total > 1e8,
        {
            **{division: parts(list(members)) for division, members in DIVISIONS.items()},
            "market": parts(["PERP", "1000PEPE-PERP", "a market with a long name"]),
        },
    )
    estimates = estimates_of(total)
    estimates += [
        replace(one, name=RISKS[one.name].measure(bearer))
        for one in estimates
        for bearer in BEARER.members
    ]
    for name in ("bad_debt_probability", "insurance_exhausted_probability"):
        hits = int((total > 0).sum())
        estimates.append(RiskEstimate(name, hits / runs, *probability(hits, runs), runs))
    ends = (98.7e6, 234.5e6)
    sure = {of: DebtDifference(-123.4e6, -234.5e6, -12.3e6) for of in ("mean", "es95")}
    unsure = {of: DebtDifference(123.4e6, -234.5e6, 999.9e6) for of in ("mean", "es95")}
    unknown = {of: DebtDifference(123.4e6, None, None) for of in ("mean", "es95")}
    texts = {
        "initial margin 2× (0.02 → 0.04) and maintenance margin 2× (0.012 → 0.024)": sure,
        "market.positions.leverage_max = 12.5": unsure,
        "layer.queue.rule = class": unknown,
    }
    effects = [DebtEffect(text, {}, found) for text, found in texts.items()]
    return Risk(
        scenario="black-thursday",
        scenario_hash="0" * 64,
        build="0" * 12,
        seeds=tuple(range(1, runs + 1)),
        messages=123_456_789,
        losses=losses,
        estimates=tuple(estimates),
        contributions=tuple(
            Contribution(division, member, 123.4e6, ends, 123.4e6, ends)
            for division, members in losses.divisions.items()
            for member in members
        ),
        effects=(*effects, DebtEffect("a fund of 1 B", {}, {}, "seed 3 is INVALID")),
        reasons=(),
        invalid=(),
    )


def explanation(*factors: float) -> Explanation:
    """Every resource is tried, and latency becomes many times as long."""
    gains: dict[str, Gain | None] = {
        "mean": Gain(-12.345, -23.456, 0.987),
        "p99": Gain(-123.45, -234.56, 0.987),
    }
    effects = [
        Effect(resource, factor, 0.1234, gains, 0.0, 0.0)
        for resource in INTERVENTIONS
        for factor in factors or (FASTER, FREE)
    ]
    return Explanation(
        scenario="black-thursday",
        scenario_hash="0" * 64,
        build="0" * 12,
        seeds=tuple(range(1, 101)),
        by="p99",
        shares={resource: 0.1234 for resource in INTERVENTIONS},
        effects=tuple(effects),
        best=None,
        invalid=(),
        executed=0.5,
        endless={"p99": 3},
        left_out=(LeftOut("loss", FREE, "the run is INVALID"),),
    )


def attack() -> BestResponse:
    """Every kind of attack, with all of its settings."""
    responses = [
        Response(
            kind,
            Strategy(kind, (0.9,) * (len(SETTINGS[kind]) + 1), 1e9),
            MeanGain(123.4e6, -234.5e6 * (k % 2), 999.4e6, 8),
            999.4e6,
        )
        for k, kind in enumerate(KINDS)
    ]
    return BestResponse("black-thursday", tuple(responses), range(1, 9), range(9, 17), 123_456)


def crashes() -> list[CrashOutcome]:
    """Levels with the longest names, and a million messages."""
    return [
        CrashOutcome(
            level=level,
            event=event,
            durable=k == 0,
            sent=123_456,
            acknowledged=123_456,
            missing=123_456,
            missing_numbers=(1, 2, 3, 123_456),
            unacknowledged_there=123_456,
            sent_missing=123_456,
            duplicates=123_456,
            restart_s=123.4,
        )
        for k, level in enumerate(("everysec", "file-sync"))
        for event in EVENTS
    ]


def calibration() -> Calibration:
    """Estimates of a fast broker with wide intervals."""
    names = ("base_delay_min", "service", "shared_cores", "block_interval", "burst_10000")
    estimates = [
        Estimate(name, 123_456.8, 123_456.7, 12_345_678.9, "µs", 1_000, "time of a message " * 4)
        for name in names
    ]
    return Calibration(
        target="redis://broker.example:6379?ack=always",
        version="redis_version 7.0.15",
        kind="broker",
        estimates=(*estimates, Estimate("service_cv", 0.123456, None, None, "1", 9, "variation")),
        lights=(),
        capacity_per_s=123_456.7,
        load_share=0.1,
        scenario=load("calm"),
        notes=("The generator shares its cores with the server.",),
    )


def prediction() -> Prediction:
    """Claims of several digits, one of them a bound, one undecided."""
    line = CapacityCriterion("sustained", 0.1, 0.2)
    claims = (
        Claim("capacity", "1/s", 123_456.7, 98_765.4, 234_567.8, 99_999.9, 99_999.9, None, 0.25),
        Claim("p99 at half load", "ms", 12_345.6, 1_234.5, 23_456.7, 9_876.5, None, None, 0.4),
        Claim("knee", "1/s", None, None, None, None, None, None, None, "no load could be measured"),
    )
    return Prediction(calibration(), line, line, 100.0, (), claims, 123.4)


AWS = ("N_California", "S_Paulo")


def network() -> NetworkFile:
    """Validators with long names in two regions."""
    rows = [f"validator-{k}.a-long-name.example,{10**9 - k},{AWS[k % 2]}" for k in range(20)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "validators_of_a_long_name_nodes.csv")
        file.write_text("\n".join(["name,power,region", *rows]) + "\n")
        return read_network(file)


def book() -> BookSummary:
    """Positions of some hundred million each, in markets with long names."""
    small = example_book(300, markets=3)
    names = ("1000PEPE-PERP", "kNEIRO-USD", "BTC-USD-PERPETUAL")
    markets = [replace(m, name=name) for m, name in zip(small.markets, names, strict=True)]
    accounts = [replace(a, equity_usd=1e5 * a.equity_usd) for a in small.accounts]
    made = replace(
        small,
        markets=tuple(markets),
        accounts=tuple(accounts),
        position_size=1e5 * small.position_size,
        file="positions-of-all-accounts-2024-08-08T23-54-15Z.parquet",
        notes=("Sizes are in coins: size × mark is the notional given. " * 2,),
    )
    return BookSummary(made, ((MarginTier(0.0, 0.02, 0.01),),) * 3)


@cache
def recording(seconds: int = 400) -> TapeFile:
    """Prices like those of BTC, a thousand rows a second, and a gap."""
    draws = np.random.default_rng(1)
    at_ms = np.cumsum(draws.exponential(10.0, 100 * seconds)) + 1_723_161_255_000
    usd = 123_456.7 * np.exp(np.cumsum(draws.normal(0, 1e-5, len(at_ms))))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a-recording-with-a-rather-long-name-2024-08-08.csv")
        rows = (f"{at:.0f},{x:.2f},0.5,buy" for at, x in zip(at_ms, usd, strict=True))
        file.write_text("\n".join(["timestamp,price,amount,side", *rows]) + "\n")
        return read_recording(file)
