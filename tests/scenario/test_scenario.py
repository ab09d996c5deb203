"""Scenarios: what is accepted, what is refused, and with which words."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

import surgetank as st
from surgetank.scenario import presets
from surgetank.scenario.file_schema import file_schema
from surgetank.scenario.limits import SETTABLE, TOLERANCES, Limits, key_of
from surgetank.scenario.named import text_of
from surgetank.starter import STARTER

ROOT = Path(__file__).resolve().parents[2]
AWS_CSV = ROOT.parent / "shared/data/latency/cometbft_aws_latencies.csv"
FAULT = {"at_s": 1.0, "duration_s": 1.0}
SMALL = {"block_bytes_max": 1_000}
TIER = {"above_usd": 1e6, "initial": 0.1, "maintenance": 0.05}
DELAY = {"kind": "regions", "names": ["a", "b"], "matrix_ms": [[0, 1], [1, 0]]}


@pytest.mark.parametrize("name", st.names())
def test_named_scenarios_say_what_they_follow(name: str) -> None:
    """Each names itself, a real event and a source, and judges something."""
    scenario = st.load(name)
    assert scenario.name == name
    assert scenario.title and scenario.event and scenario.source
    assert len(scenario.limits.as_mapping()) > 3


def test_the_six_are_there() -> None:
    """The references that the documents speak of."""
    expected = {"black-thursday", "calm", "burst", "partition", "slow-proposer", "cancel-storm"}
    assert expected <= set(st.names())


def test_the_package_has_no_links() -> None:
    """A wheel leaves out links to folders, and a checkout on Windows has files in their place."""
    package = ROOT / "python/surgetank"
    assert [path for path in package.rglob("*") if path.is_symlink()] == []


def test_a_name_is_enough() -> None:
    """Everything else has a default."""
    assert st.Scenario.from_toml('name = "a"').network.nodes == 7


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"flow": {"arivals": {}}}, "flow.arivals", "Did you mean `arrivals`"),
    ({"limits": {"p99_ms_max": 5}}, "limits.p99_ms_max", "Did you mean `delay_p99_ms_max`, "),
    ({"network": {"delay": {"kind": "fixed", "delay_s": 1}}}, "network.delay.delay_s",
     "`delay_ms`"),
    ({"network": {"delay": DELAY | {"matrix_ms": [[0, 1]]}}}, "network.delay", "square"),
    ({"network": {"delay": DELAY | {"matrix_ms": [[0], [1]]}}}, "network.delay", "square"),
    ({"network": {"delay": DELAY | {"matrix_ms": [[0, -1], [1, 0]]}}}, "matrix_ms[0][1]", "0"),
    ({"flow": {"arrivals": {"kind": "poisson", "rate_per_s": -5}}}, "rate_per_s", "greater"),
    ({"flow": {"arrivals": {"kind": "poison"}}}, "flow.arrivals", "poisson"),
    ({"flow": {"arrivals": {"kind": "hawkes", "rate_per_s": 1, "branching": 1, "decay_per_s": 1}}},
     "flow.arrivals.branching", "less than 1"),
    ({"network": {"nodes": 0}}, "network.nodes", "greater than or equal to 1"),
    ({"network": {"loss": 1.5}}, "network.loss", "less than or equal to 1"),
    ({"network": {"nodes": 5, "topology": {"kind": "random-regular", "degree": 3}}}, "network",
     "even"),
    ({"faults": [FAULT | {"kind": "partition", "groups": [[0], [31]]}]}, "faults[0].groups",
     "node 31 is not there; the network has 7 nodes, 0..6"),
    ({"faults": [FAULT | {"kind": "partition", "groups": [[0, 1], [2, 1]]}]}, "faults[0]",
     "node 1 is in groups 0 and 1"),
    ({"faults": [FAULT | {"nodes": [1]}]}, "faults[0]", "`kind` is missing. Take one of: part"),
    ({"network": {"nodes": 4, "topology": {"kind": "random-regular", "degree": 4}}}, "network",
     "below"),
    ({"network": {"topology": {"kind": "edges", "edges": [[0, 1], [2, 2]]}}}, "edges[1]",
     "linked to itself"),
    ({"network": {"topology": {"kind": "edges", "edges": [[0, 1, 2]]}}},
     "network.topology.edges[0]: ", "at most 2"),
    ({"network": {"nodes": "7"}}, "network.nodes", "must be a number (it is '7')"),
    ({"network": {"nodes": True}}, "network.nodes", "must be a number"),
    ({"network": {"outbound_queue_max": 5_000_000_000}}, "outbound_queue_max", "4294967295"),
    ({"layer": {"service": {"distribution": {"kind": "hyperexponential", "cv": 0.5}}}},
     "layer.service.distribution.cv", "equal to 1"),
    ({"layer": {"gossip": {"kind": "mesh", "history_gossip": 9}}}, "layer.gossip",
     "`history_length`"),
    ({"market": {"price": {"path": {"kind": "gbm", "start_usd": 1, "drift": float("inf")}}}},
     "market.price.path.drift", "finite"),
    ({"flow": {"keepers": {"count": 1}}}, "flow.keepers", "needs a [market]"),
    ({"flow": {"panic": {"rate_per_s_per_pct": 1}}}, "flow.panic", "needs a [market]"),
    ({"limits": {"class": {"cancell": {}}}}, "limits.class.cancell", "'cancel'"),
    ({"duration_s": 1e12}, "duration_s", "1000000000"),
    ({"flow": {"client_link": {"fixed_ms": 1e300}}}, "flow.client_link.fixed_ms", "beyond 1e+12"),
    ({"faults": [FAULT | {"kind": "slow", "nodes": [1]}]}, "faults[0].factor", "missing"),
    ({"faults": [{"kind": "crash", "at_s": 900, "duration_s": 1, "nodes": [1]}]},
     "faults[0].at_s", "the run ends before"),
    ({"layer": {"consensus": {"kind": "single", "node": 9}}}, "layer.consensus.node", "0..6"),
    ({"layer": {"gossip": {"kind": "direct"}}}, "layer", "needs `consensus.kind` single"),
    ({"layer": {"queue": {"rule": "priority", "high": []}}}, "layer.queue", "`high`"),
    ({"flow": {"makers": {"count": 1}}}, "flow.makers", "needs a [market]"),
    ({"market": {"margin": {"initial": 0.01, "maintenance": 0.02}}}, "market.margin", "below"),
    ({"market": {"positions": {"leverage_max": 90}}}, "market", "margin.initial"),
    ({"market": {"margin": {"tiers": [TIER | {"initial": 0.04}]}}}, "market.margin",
     "`tiers[0]`: rates must not fall"),
    ({"market": {"margin": {"tiers": [TIER, TIER]}}}, "market.margin", "`tiers[1]`: `above_usd`"),
    ({"market": {"margin": {"tiers": [TIER | {"maintenance": 0.2}]}}}, "market.margin", "below"),
    ({"market": {"margin": {"open_interest": {"lower_usd": 2, "upper_usd": 1}}}},
     "market.margin.open_interest", "`upper_usd` must be above"),
    ({"duration_s": 5.0, "warmup_s": 5.0}, "warmup_s", "below"),
    ({"flow": {"overhead_bytes": 949}, "layer": {"consensus": SMALL | {"kind": "single"}}},
     "flow.overhead_bytes", "`layer.consensus.block_bytes_max` (1000)"),
    ({"flow": {"overhead_bytes": 949}, "layer": {"consensus": SMALL | {"kind": "tendermint"}}},
     "flow.overhead_bytes", "up to 1001 bytes: lower it"),
    ({"venue": "nyse"}, "venue", "app-chain, binance, deribit, dydx-v4, gmx"),
    ({"venue": ["dydx-v4"]}, "venue", "app-chain, binance, deribit, dydx-v4, gmx"),
    ({"flow": {"arrivals": {"kind": "poisson", "rate_per_sec": 5}}},
     "flow.arrivals.rate_per_sec: unknown key", "`rate_per_s`"),
    ({"venue": "hyperliquid", "layer": {"consensus": {"kind": "tendermint"}}}, "layer",
     'kind = "single" in [layer.consensus]'),
    ({"network": {"preset": "moon"}}, "network.preset", "aws-13"),
    ({"limits": {"delay_p99_s_max": 1}}, "limits.delay_p99_s_max", "delay_p99_ms_max"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "place", "hint"), BAD, ids=[f"{bad[1]} {bad[2]}" for bad in BAD])
def test_bad_input_gets_one_line(data: dict[str, Any], place: str, hint: str) -> None:
    """The error names the key and the hint, and is one line."""
    with pytest.raises(st.SurgetankError) as caught:
        st.Scenario.build({"name": "bad"} | data, "bad.toml")
    text = str(caught.value)
    assert place in text
    assert hint in text
    assert "\n" not in text
    assert caught.value.exit_code == 2


def test_not_toml_and_not_there(tmp_path: Path) -> None:
    """A broken file names its line, a missing one its path, a wrong name a right one."""
    with pytest.raises(st.SurgetankError, match="line 2"):
        st.Scenario.from_toml('name = "a"\nduration_s =\n')
    with pytest.raises(st.SurgetankError, match=r"gone\.toml"):
        st.load(tmp_path / "gone.toml")
    with pytest.raises(st.SurgetankError, match="Did you mean `black-thursday`"):
        st.load("black-thurday")


def test_values_can_be_overridden() -> None:
    """Dotted keys reach into tables and lists; another kind starts from its own defaults."""
    calm = st.load("partition")
    changed = calm.with_values(
        {"flow.arrivals.rate_per_s": 5.0, "faults.0.at_s": 11.0, "layer.consensus.kind": "none"}
    )
    assert changed.to_core() != calm.to_core()
    core = json.loads(changed.to_core())
    assert core["flow"]["arrivals"]["rate_per_s"] == 5.0
    assert core["faults"][0]["at_s"] == 11.0
    assert core["layer"]["consensus"] == {"kind": "none"}
    with pytest.raises(st.SurgetankError, match=r"flow\.arrivals\.rate_per_min"):
        calm.with_values({"flow.arrivals.rate_per_min": 5.0})
    with pytest.raises(st.SurgetankError, match="entries"):
        calm.with_values({"faults.7.at_s": 1.0})
    one = calm.with_values({"market.price.path.price_usd.0": 60001.0})
    assert json.loads(one.to_core())["market"]["price"]["path"]["price_usd"][0] == 60001.0


def test_kinds_and_presets_go_first() -> None:
    """Whatever the order given, a kind or a preset does not undo the values beside it."""
    name_only = st.Scenario.build({"name": "a"})
    hawkes = {"branching": 0.5, "decay_per_s": 1.0, "rate_per_s": 9.0, "kind": "hawkes"}
    put = name_only.with_values({f"flow.arrivals.{key}": value for key, value in hawkes.items()})
    assert put.flow.arrivals.model_dump() == hawkes
    zones = name_only.with_values({"network.delay.intra_ms": 2.0, "network.preset": "aws-13"})
    delay = zones.network.delay.model_dump()
    assert (delay["kind"], delay["intra_ms"], len(delay["names"])) == ("regions", 2.0, 13)
    dydx = st.load("calm").with_values({"venue": "dydx-v4"})
    assert dydx.market is not None
    assert dydx.market.margin.mode == "cross"
    assert dydx.flow.oracle.count == 3
    assert name_only.with_values({"venue": "dydx-v4"}).market is None


def test_hash_is_of_what_matters() -> None:
    """Prose and the seed do not change it; numbers, limits and the tape do."""
    calm = st.load("calm")
    same = calm.with_values({"title": "else", "event": "else", "seed": 99})
    assert same.hash == calm.hash
    for key, value in [
        ("duration_s", 41.0),
        ("limits.delay_p99_ms_max", 1.0),
        ("tape_hash", "ab"),
        ("network.uplink_mbps", 201.0),
    ]:
        assert calm.with_values({key: value}).hash != calm.hash


@given(
    rate=some.floats(0.01, 1e6),
    nodes=some.integers(2, 60),
    loss=some.floats(0, 1),
    kind=some.sampled_from(["flood", "mesh"]),
    at=some.floats(0, 30),
)
def test_round_trip(rate: float, nodes: int, loss: float, kind: str, at: float) -> None:
    """What a scenario dumps, it reads again, to the same JSON and hash."""
    scenario = st.Scenario.build(
        {
            "name": "x",
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": rate}},
            "network": {"nodes": nodes, "loss": loss},
            "layer": {"gossip": {"kind": kind}},
            "faults": [{"kind": "crash", "at_s": at, "duration_s": 1.0, "nodes": [nodes - 1]}],
        }
    )
    again = st.Scenario.build(scenario.model_dump(mode="json", by_alias=True))
    assert again.to_core() == scenario.to_core()
    assert again.hash == scenario.hash


def test_presets_lie_under_what_is_given() -> None:
    """A venue's constants hold unless the scenario says otherwise."""
    data = {"name": "v", "venue": "dydx-v4", "market": {"margin": {"maintenance": 0.01}}}
    scenario = st.Scenario.build(data)
    assert scenario.market is not None
    assert scenario.market.margin.initial == 0.02
    assert scenario.market.margin.maintenance == 0.01
    assert st.Scenario.build({"name": "v", "venue": "dydx-v4"}).market is None


def test_every_limit_is_a_key_and_comes_back() -> None:
    """Of the whole, of a class, of a resource; and nothing else under `limits` is one."""
    values = {f"limits.{key_of(limit)}": 0.25 for limit in SETTABLE.values()}
    limits = st.load("calm").with_values({"limits": {}} | values).limits
    assert limits.as_mapping() == dict.fromkeys(SETTABLE, 0.25)
    fields = set(Limits.model_fields) - {"by_class", "saturation_max"} - TOLERANCES
    assert fields == {name for name, limit in SETTABLE.items() if not limit.member}


def test_placement_by_name() -> None:
    """Regions may be named; without a placement nodes go round."""
    network = {"preset": "aws-13", "nodes": 2, "delay": {"placement": ["Tokyo", "Seoul"]}}
    core = json.loads(st.Scenario.build({"name": "p", "network": network}).to_core())
    assert core["network"]["delay"]["placement"] == [8, 11]
    network = {"preset": "aws-13", "nodes": 15}
    core = json.loads(st.Scenario.build({"name": "p", "network": network}).to_core())
    assert core["network"]["delay"]["placement"] == [*range(13), 0, 1]


@pytest.mark.skipif(not AWS_CSV.exists(), reason="the recorded data are not beside the project")
def test_aws_matrix_is_the_recorded_one() -> None:
    """Every figure carried over is as published."""
    head, *rows = [line.split(",") for line in AWS_CSV.read_text().split()]
    assert list(presets.ZONES) == head[1:]
    assert presets.aws_matrix_ms() == [[float(cell) for cell in row[1:]] for row in rows]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"nmae": "x"}, "nmae: unknown key. Did you mean `name`"),
        ({"flow": {"arrivals": {"knd": "poisson"}}}, "flow.arrivals.knd: unknown key. Did you"),
        ({"flow": {"arrivals": {"kind": "poison"}}}, "'poison'. Did you mean `poisson`?"),
        ({"flow": {"arrivals": {"kind": "poisson", "rat_per_s": 3}}}, "mean `rate_per_s`?"),
        ({"faults": [{"kind": "slwo"}]}, "'slwo'. Did you mean `slow`?"),
        ({"faults": [{"knd": "slow"}]}, "faults[0].knd: unknown key. Did you mean `kind`?"),
        (
            {"faults": [FAULT | {"kind": "slow", "nodes": [0], "facter": 2}]},
            "faults[0].facter: unknown key. Did you mean `factor`?",
        ),
    ],
)
def test_required_keys_that_are_misspelt_are_suggested(section: dict[str, Any], said: str) -> None:
    """Not "this key is missing": it is there, under another name."""
    name = {} if "nmae" in section else {"name": "x"}
    with pytest.raises(st.SurgetankError) as refused:
        st.Scenario.build(name | section, "mine.toml")
    assert said in str(refused.value) and "missing" not in str(refused.value)


def test_schema_is_checked_in() -> None:
    """docs/scenario.schema.json is what the models say (`surgetank schema` prints it)."""
    text = (ROOT / "docs/scenario.schema.json").read_text()
    assert json.loads(text) == file_schema()


@pytest.mark.parametrize("name", [*st.names(), "the starter"])
def test_shipped_files_are_valid_by_the_schema(name: str) -> None:
    """With their presets, which are keys of a file only; a misspelt key in them is not."""
    text = STARTER.replace("NAME", "x") if name == "the starter" else text_of(name)
    checker = Draft202012Validator(file_schema())
    data = tomllib.loads(text)
    assert [f"{error.json_path}: {error.message}" for error in checker.iter_errors(data)] == []
    assert not checker.is_valid(data | {"flow": {"acounts": 3}})
    assert not checker.is_valid(data | {"venue": "nowhere"})


def test_starter_is_a_scenario() -> None:
    """What `surgetank init` writes can be run."""
    assert st.Scenario.from_toml(STARTER.replace("NAME", "mine")).name == "mine"


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"attack.kind": "spam", "attack.at_s": 99.0}, "ends before this attack begins"),
        ({"attack.kind": "sandwich", "attack.node": 99}, "node 99 is not there"),
        ({"attack.kind": "spam", "attack.rate_per_s": 1e12}, "less than or equal to 1000000"),
        ({"layer.queue.rule": "fifoo"}, "did you mean `fifo`"),
    ],
)
def test_an_attack_that_could_not_act_is_refused(values: dict[str, Any], reported: str) -> None:
    """It would be reported as one that gained nothing."""
    with pytest.raises(st.SurgetankError, match=reported):
        st.load("burst").with_values(values)


def test_keypers_fail_only_where_there_are_some() -> None:
    """Under a rule without keys the fault would pass unnoticed."""
    fault = {"kind": "keypers", "at_s": 1.0, "duration_s": 1.0, "nodes": [0], "conduct": "silent"}
    sealed = st.load("burst").with_values({"layer.queue.rule": "threshold", "faults": [fault]})
    with pytest.raises(st.SurgetankError, match="no keypers to fail"):
        sealed.with_values({"layer.queue.rule": "fifo"})


@pytest.mark.parametrize("kind", ["tendermint", "hotstuff", "simplex", "bullshark", "tusk"])
@pytest.mark.parametrize("powers", [[1], [9, 1, 1, 1]], ids=["alone", "more than two thirds"])
def test_one_node_that_decides_alone_at_once_again_is_refused(kind: str, powers: list[int]) -> None:
    """Its blocks would follow each other without any time between them. With four equal nodes, with
    less power, or with a wait it is none."""
    pace = "timeout_commit_ms" if kind == "tendermint" else "propose_wait_ms"
    network = {"nodes": len(powers), "powers": powers}
    data: dict[str, Any] = {"name": "alone", "network": network}
    data["layer"] = {"gossip": {"kind": "flood"}, "consensus": {"kind": kind, pace: 0.0}}
    with pytest.raises(st.SurgetankError, match=f"layer.consensus.{pace}: with 0, .* node 0"):
        st.Scenario.build(data)
    st.Scenario.build(data | {"network": {"nodes": 4, "powers": [6, 1, 1, 1]}})
    data["layer"]["consensus"][pace] = 0.001
    st.Scenario.build(data)
