"""Sketches against the simulator, against the estimate of `network`, and against a published run.

Source of the last: commonwarexyz/monorepo, examples/estimator (README and the latencies between AWS
regions in it, from cloudping.co).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import surgetank as st
from surgetank.network_file.summary import summarise
from surgetank.scenario.network import Network
from surgetank.simulate import simulate
from surgetank.sketch import SketchProtocol, parse, read_sketch, sketch_delays
from surgetank.sketch.timing import SketchRounds, step_times

MS = 1_000_000
FREE = dict.fromkeys(
    [f"{name}_us" for name in ("price_update", "liquidation_order", "cancel", "replace", "order")]
    + ["proposal_us", "vote_us"],
    0.0,
)


def network(rng: np.random.Generator, nodes: int) -> dict[str, Any]:
    """Nodes with random powers on a random tree, no jitter: no way round is faster than a path."""
    links = [
        {"between": [int(rng.integers(0, k)), k], "delay_ms": float(rng.integers(1, 80))}
        for k in range(1, nodes)
    ]
    return {
        "nodes": nodes,
        "powers": rng.integers(1, 6, nodes).tolist(),
        "uplink_mbps": 0.0,
        "delay": {"kind": "links", "jitter": 0.0, "links": links},
    }


#: Engines of the same name as their sketch; no round may fail.
ENGINES = {
    "tendermint": {"timeout_commit_ms": 100.0},
    "simplex": {"propose_wait_ms": 100.0, "timeout_round_ms": 4_000.0},
}


def scenario(engine: str, given: dict[str, Any]) -> st.Scenario:
    """A chain on which nothing but the links takes time."""
    return st.Scenario.build(
        {
            "name": "sketched",
            "duration_s": 6.0,
            "warmup_s": 0.5,
            "drain_s": 1.0,
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 2.0}, "oracle": {"count": 0}},
            "network": given,
            "layer": {
                "service": {"validation": FREE, "execution": FREE},
                "consensus": {"kind": engine} | ENGINES[engine],
            },
        }
    )


def sketched_ms(protocol: SketchProtocol, given: Network, proposer: int) -> NDArray[np.float64]:
    """When each node decides, of one proposal."""
    delay_ms = sketch_delays(given)(np.random.default_rng(0), 1)
    silent = np.zeros(given.nodes, dtype=np.bool_)
    setting = SketchRounds(delay_ms, np.array([proposer]), given.weights, silent)
    return np.asarray(step_times(protocol, setting)[-1][0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("nodes", [4, 7, 10])
def test_sketches_decide_when_the_simulator_does(engine: str, nodes: int) -> None:
    """Every height at every node, to the nanosecond's rounding, over networks drawn anew."""
    chain = scenario(engine, network(np.random.default_rng(), nodes))
    trace = simulate(chain)
    whole, one_phase = (
        read_sketch(engine),
        parse(
            "propose{0}\nwait{0, threshold=1}\nbroadcast{1}\nwait{1, threshold=quorum}", "one phase"
        ),
    )
    blocks = trace["blocks"].filter(trace["blocks"]["height"] > 1)
    assert blocks.height > 3 and blocks["round"].max() == 0
    for height, proposer, proposed in blocks.select("height", "proposer", "proposed_ns").rows():
        rows = trace["executions"].filter(height=height).sort("node")
        decided = (rows["decided_ns"].to_numpy().astype(np.int64) - proposed) / MS
        if len(decided) < nodes:
            continue  # The run ended.
        expected = sketched_ms(whole, chain.network, proposer)
        np.testing.assert_allclose(decided, expected, atol=1e-5)
        # The control: a phase less is another answer.
        assert not np.allclose(decided, sketched_ms(one_phase, chain.network, proposer), atol=1e-5)


@pytest.mark.parametrize("name", ["calm", "black-thursday"])
def test_the_estimate_of_network_is_the_sketch_without_jitter(name: str) -> None:
    given = st.load(name).with_values({"network.delay.jitter": 0.0}).network
    proposers = summarise(given).proposers
    assert proposers is not None
    for proposer, expected in enumerate(proposers.by_node_ms):
        decided = sketched_ms(read_sketch("tendermint"), given, proposer)
        # It counts nodes by power as they decide: those with more than two thirds.
        assert np.sort(decided)[len(decided) * 2 // 3] == pytest.approx(expected)


#: Round trips, ms: 50th and 90th percentile; one way is half of it.
PINGS = {
    ("us-east-1", "us-east-1"): (5.506, 9.2554),
    ("us-east-1", "eu-west-1"): (69.622, 74.634),
    ("eu-west-1", "us-east-1"): (69.736, 72.814),
    ("eu-west-1", "eu-west-1"): (3.178, 5.782),
}
ONE_REGION = ["us-east-1"] * 5
TWO_REGIONS = ["eu-west-1"] * 2 + ["us-east-1"] * 3
COST = ", delay=(0.1,1)"
HOTSTUFF = "\n".join(
    [
        "propose{0}",
        f"wait{{0, threshold=1{COST}}}\nreply{{1}}",
        f"collect{{1, threshold=67%{COST}}}\npropose{{2}}",
        f"wait{{2, threshold=1{COST}}}\nreply{{3}}",
        f"collect{{3, threshold=67%{COST}}}\npropose{{4}}",
        f"wait{{4, threshold=1{COST}}}",
    ]
)
SIMPLEX = read_sketch("simplex")


def in_whole_ms(regions: list[str], rng: np.random.Generator, rounds: int) -> NDArray[np.float64]:
    """Delays as the published run draws them: normal, cut to whole milliseconds."""
    pings = np.array([[PINGS[a, b] for b in regions] for a in regions])
    mean, deviation = pings[..., 0] / 2, (pings[..., 1] - pings[..., 0]) / 2
    drawn = rng.normal(mean, deviation, (rounds, *mean.shape))
    own = 1 - np.eye(len(regions))
    return np.floor(np.maximum(drawn, 0.0)) * own


@pytest.mark.parametrize(
    ("protocol", "regions", "published_ms"),
    [
        (parse(HOTSTUFF, "hotstuff"), ONE_REGION, [None, None, None, None, 18.6]),
        (SIMPLEX, ONE_REGION, [None, None, 8.8]),
        (parse(HOTSTUFF, "hotstuff"), TWO_REGIONS, [17.52, 69.80, 87.96, 139.60, 157.88]),
        (SIMPLEX, TWO_REGIONS, [None, None, 86.2]),
    ],
    ids=["hotstuff-one", "simplex-one", "hotstuff-two", "simplex-two"],
)
def test_published_means_are_among_ours(
    protocol: SketchProtocol, regions: list[str], published_ms: list[float | None]
) -> None:
    """The published mean is that of five proposals, one of each node: it must lie in the central
    99.8 % of such means of ours, plus the whole millisecond to which that run cuts its times."""
    rounds = 4_000
    delay_ms = in_whole_ms(regions, np.random.default_rng(), rounds * 5)
    proposer = np.tile(np.arange(5), rounds)
    silent = np.zeros(5, dtype=np.bool_)
    times = step_times(protocol, SketchRounds(delay_ms, proposer, [1] * 5, silent))
    for barrier, found, published in zip(protocol.barriers, times, published_ms, strict=True):
        if published is None:
            continue
        of = found[np.arange(len(proposer)), proposer] if barrier.proposer_only else found
        means = of.reshape(rounds, -1).mean(axis=1)
        low, high = np.quantile(means, [0.001, 0.999])
        assert low - 1.0 <= published <= high, (barrier.text, low, published, high)
