"""Changes that could relieve what is saturated: valid, graded, and at least one of them does."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import pytest

import surgetank as st
from scarce import SCARCE, SHORT
from surgetank.measure.saturation import FULL, RESOURCES, Saturation, saturation
from surgetank.scenario.named import names
from surgetank.search.remedies import KIND, Change, candidates


def ranked(*resources: str) -> list[Saturation]:
    return [Saturation(name, "node 0", 1.0, 1.0, 0.0, "") for name in resources]


def one(scenario: st.Scenario, resource: str) -> list[Change]:
    return candidates(scenario, ranked(resource))


def calm(**values: Any) -> st.Scenario:
    return st.load("calm").with_values({key.replace("__", "."): v for key, v in values.items()})


@pytest.mark.parametrize("name", names())
def test_every_change_is_valid_and_changes_something(name: str) -> None:
    scenario = st.load(name)
    found = candidates(scenario, ranked(*RESOURCES))
    assert len(found) > 30
    assert all(scenario.with_values(change.values).hash != scenario.hash for change in found)
    assert all(change.size > 0 and change.text for change in found)
    values = [change.values for change in found]
    assert all(v not in values[:i] for i, v in enumerate(values))


@pytest.mark.parametrize("resource", RESOURCES)
def test_small_before_large(resource: str) -> None:
    sizes = [change.size for change in one(st.load("black-thursday"), resource)]
    assert sizes == sorted(sizes)
    assert bool(sizes) == (resource != "liquidation-limits")


def test_the_ranking_s_order_is_kept() -> None:
    scenario = st.load("black-thursday")
    found = candidates(scenario, ranked("keepers", "uplink", "keepers"))
    resources = [change.resource for change in found]
    assert list(dict.fromkeys(resources)) == ["keepers", "uplink"]
    assert resources == sorted(resources, key=["keepers", "uplink"].index)


def test_a_ladder_by_hand() -> None:
    steps = [
        (change.text, dict(change.values), change.size)
        for change in one(calm(network__uplink_mbps=10.0), "uplink")
        if "network.uplink_mbps" in change.values
    ]
    assert steps == [
        ("uplink 10 → 12.5 Mbit/s", {"network.uplink_mbps": 12.5}, 0.25),
        ("uplink 10 → 15 Mbit/s", {"network.uplink_mbps": 15.0}, 0.5),
        ("uplink 10 → 20 Mbit/s", {"network.uplink_mbps": 20.0}, 1.0),
        ("uplink 10 → 40 Mbit/s", {"network.uplink_mbps": 40.0}, 3.0),
    ]


def test_size_is_a_ratio_up_or_down() -> None:
    sizes = {change.text: change.size for change in one(calm(), "validation")}
    assert sizes["validation times × 0.5"] == sizes["validation servers 1 → 2"] == 1
    assert sizes["queues: first liquidation-order, price-update, cancel"] == KIND


def test_whole_numbers_stay_whole_and_move() -> None:
    scenario = calm(layer__consensus__block_messages_max=1)
    blocks = [
        change.values["layer.consensus.block_messages_max"]
        for change in one(scenario, "block-space")
        if "layer.consensus.block_messages_max" in change.values
    ]
    assert blocks == [2, 2, 2, 4, 10]
    # Half of one is none, and a block must hold something.
    fewer = [c for c in one(scenario, "consensus-timeouts") if "block size" in c.text]
    assert fewer == []


def test_what_is_not_there_is_not_changed() -> None:
    """Unlimited links, no market, a direct sequencer, lanes that are there already."""
    assert one(calm(network__uplink_mbps=0.0, network__topology={"kind": "full"}), "uplink") != []
    unlimited = calm(network__uplink_mbps=0.0)
    assert all("network.uplink_mbps" not in c.values for c in one(unlimited, "uplink"))
    no_market = calm(market=None, flow__makers__count=0, flow__keepers__count=0)
    assert one(no_market, "book-depth") == one(no_market, "insurance") == []
    assert one(st.load("burst"), "consensus-timeouts") == []
    assert one(st.load("burst"), "consensus-validation") == []
    lanes = {"rule": "priority", "high": ["liquidation-order", "price-update", "cancel"]}
    assert all("layer.queue.rule" not in c.values for c in one(calm(layer__queue=lanes), "mempool"))


class Limited:
    """A scenario whose venue limits what a block liquidates, as far as `candidates` looks."""

    def model_dump(self, **_: Any) -> dict[str, Any]:
        per_block = {"position_share": 0.6, "account_usd": 1_000.0, "attempts": 50, "off": 0}
        partial = {"share": 0.4, "cooldown_ms": 30_000.0}
        return {"market": {"margin": {"per_block": per_block, "partial": partial}}}

    def with_values(self, values: Mapping[str, object]) -> Limited:
        assert all(key.startswith("market.margin.") for key in values)
        return self


def test_limits_of_the_venue_are_raised_together() -> None:
    found = candidates(typing.cast(st.Scenario, Limited()), ranked("liquidation-limits"))
    place = "market.margin.per_block."
    twice = next(dict(c.values) for c in found if c.text == "liquidation limits per block × 2")
    assert twice == {
        f"{place}position_share": 1.0,
        f"{place}account_usd": 2_000.0,
        f"{place}attempts": 100,
    }
    shares = [c.values.get("market.margin.partial.share") for c in found]
    assert [s for s in shares if s] == [0.6, 0.8]
    assert [c.size for c in found if "cooldown" in c.text] == [0.25, 1.0, 3.0]


def test_lanes_keep_what_was_urgent_before() -> None:
    lanes = {"rule": "priority", "high": ["replace"]}
    found = [c for c in one(calm(layer__queue=lanes), "validation") if c.size == KIND]
    high = ["replace", "liquidation-order", "price-update", "cancel"]
    assert [c.values["layer.queue.high"] for c in found] == [high]


def relieved(scenario: Mapping[str, Any], resource: str) -> str | None:
    """The first change, large ones first, after which the resource is no longer full."""
    short = st.load("calm").with_values(scenario)
    before = {s.resource: s.value for s in saturation(st.run(short).trace)}[resource]
    for change in reversed(one(short, resource)):
        after = saturation(st.run(short.with_values(change.values)).trace)
        use = {s.resource: s.value for s in after}.get(resource, 0.0)
        if use < min(FULL, 0.9 * before):
            return change.text
    return None


@pytest.mark.parametrize("resource", [r for r in SCARCE if r != "ingress-queue"])
def test_one_of_them_relieves(resource: str) -> None:
    """Of what is scarce in the runs of test_saturation_scarce."""
    assert relieved({**SHORT, **SCARCE[resource]}, resource) is not None


def test_an_ingress_queue_of_nothing_gets_room() -> None:
    assert relieved({**SHORT, **SCARCE["ingress-queue"]}, "ingress-queue") is not None
