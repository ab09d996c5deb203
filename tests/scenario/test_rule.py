"""`layer.queue.rule` is a preset of five settings: what a scenario says itself wins over it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.scenario.queue import DISCIPLINES, RULES
from surgetank.scenario.rule import RULE, name_of, settings

#: Messages reach all nodes, one node orders, and there is a market: everything fits.
BASE: dict[str, Any] = {
    "name": "base",
    "network": {"nodes": 5},
    "layer": {"consensus": {"kind": "single"}},
    "market": {},
}
PLAIN = ("fifo", False, "as-proposed", "none", "continuous")


def five(scenario: st.Scenario) -> tuple[str, bool, str, str, str]:
    """The settings that a rule names."""
    queue, market = scenario.layer.queue, scenario.market
    assert market is not None
    return queue.discipline, queue.express.enabled, queue.order, queue.unsealing, market.matching


def built(**queue: Any) -> st.Scenario:
    """A scenario whose file says this of its queue."""
    layer = BASE["layer"] | {"queue": queue}
    return st.Scenario.build(BASE | {"layer": layer})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        *((name, (name, *PLAIN[1:])) for name in DISCIPLINES),
        ("express", ("fifo", True, *PLAIN[2:])),
        ("auction", (*PLAIN[:4], "auction")),
        ("hash", ("fifo", False, "drawn", "none", "continuous")),
        ("commit-reveal", ("fifo", False, "drawn", "commit-reveal", "continuous")),
        ("threshold", ("fifo", False, "drawn", "threshold", "continuous")),
        ("themis", ("fifo", False, "themis", "none", "continuous")),
        ("median", ("fifo", False, "median", "none", "continuous")),
        ("drr+themis", ("drr", False, "themis", "none", "continuous")),
        ("priority+express+auction", ("priority", True, "as-proposed", "none", "auction")),
        ("fee+themis+threshold", ("fee", False, "themis", "threshold", "continuous")),
        ("as-proposed+threshold", ("fifo", False, "as-proposed", "threshold", "continuous")),
    ],
)
def test_a_rule_sets_all_five(rule: str, expected: tuple[str, bool, str, str, str]) -> None:
    """In a file, and put over a scenario that had others; the name is kept."""
    others = built(rule="drr+express+median+commit-reveal+auction")
    for scenario in (built(rule=rule), others.with_values({RULE: rule})):
        assert five(scenario) == expected
        assert scenario.layer.queue.rule == rule


def test_every_rule_of_the_list_is_tried_above() -> None:
    """None of the names that leagues vary is left out."""
    marks = test_a_rule_sets_all_five.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} >= set(RULES)


def test_names_and_settings_are_one_to_one() -> None:
    """Each of the 8 × 2 × 4 × 3 × 2 settings has a name, and the name gives them back."""
    orders = ("as-proposed", "drawn", "themis", "median")
    sealed, matching = ("none", "commit-reveal", "threshold"), ("continuous", "auction")
    names = set()
    for row in product([*DISCIPLINES, "my:Own"], (False, True), orders, sealed, matching):
        queue = dict(zip(("discipline", "express", "order", "unsealing"), row, strict=False))
        queue["express"] = {"enabled": row[1]}
        name = name_of({"layer": {"queue": queue}, "market": {"matching": row[4]}})
        assert tuple(settings(name).values()) == row, name
        names.add(name)
    assert len(names) == 9 * 2 * 4 * 3 * 2


def test_what_a_scenario_says_itself_wins() -> None:
    """Over its rule and over its venue's, whose rule its own rule wins over; then it is renamed."""
    own = built(rule="hash", discipline="drr")
    assert (five(own), own.layer.queue.rule) == (("drr", *five(built(rule="hash"))[1:]), "drr+hash")
    own = built(rule="auction", discipline="lanes", express={"enabled": True})
    assert own.layer.queue.rule == "lanes+express+auction"
    venue = BASE | {"venue": "hyperliquid"}
    found = [
        st.Scenario.build(venue | {"layer": {"queue": queue}}).layer.queue.rule
        for queue in ({}, {"order": "drawn"}, {"rule": "hash"}, {"rule": "hash", "order": "themis"})
        if queue.get("order") != "themis"
    ]
    assert found == ["class", "class+hash", "hash"]
    values = {"layer.queue.discipline": "drr", RULE: "threshold"}
    assert built().with_values(values).layer.queue.rule == "drr+threshold"
    assert (
        built(rule="fee").with_values({"layer.queue.order": "drawn"}).layer.queue.rule == "fee+hash"
    )


def test_a_rule_in_a_table_and_a_venue_go_over_a_scenario_in_full() -> None:
    """A whole table brings its rule, the market's part too; a venue's rule replaces the others."""
    full = built(rule="drr+express")
    assert full.with_values({"layer.queue": {"rule": "lanes+auction"}}).layer.queue.rule == (
        "lanes+auction"
    )
    assert full.with_values({"venue": "hyperliquid"}).layer.queue.rule == "class"
    assert full.with_values({RULE: "fee", "venue": "hyperliquid"}).layer.queue.rule == "fee"
    again = st.Scenario.build(full.model_dump(mode="json", by_alias=True))
    assert again == full


def test_a_rule_makes_no_market() -> None:
    """As venues do: without a market an auction has nothing to match."""
    bare = st.Scenario.build({"name": "bare", "layer": {"queue": {"rule": "auction"}}})
    assert (bare.market, bare.layer.queue.rule) == (None, "fifo")


def test_the_core_sees_the_settings_only() -> None:
    """Two ways to say the same are one scenario; each setting is part of its hash."""
    settings_of = {"discipline": "drr", "express": {"enabled": True}}
    assert built(rule="drr+express").to_core() == built(**settings_of).to_core()
    assert '"rule"' not in built(rule="drr").to_core()
    assert len({built(rule=rule).hash for rule in RULES}) == len(RULES)


FLOOD = {"layer.gossip.kind": "flood"}


@pytest.mark.parametrize(
    ("values", "place", "reason"),
    [
        ({RULE: "fee+drr"}, RULE, "`fee` and `drr` both set `layer.queue.discipline`"),
        ({RULE: "hash+themis"}, RULE, "both set `layer.queue.order`"),
        ({RULE: "drr+"}, RULE, "no such rule"),
        ({RULE: "drr+thems"}, RULE, "did you mean `themis`"),
        ({RULE: "class+threshold"}, "layer.queue", "no node can read before `unsealing` threshold"),
        ({RULE: "lanes+commit-reveal"}, "layer.queue", "take one of fifo, fee, drr"),
        (
            {"layer.queue.discipline": "priority", "layer.queue.unsealing": "threshold"},
            "layer.queue",
            "`discipline` priority goes by a message's class",
        ),
        (
            {RULE: "drr+themis", "layer.consensus.kind": "tendermint"},
            "layer",
            "`queue.order` themis needs `consensus.kind` single",
        ),
        (
            {RULE: "median+threshold", "layer.gossip.kind": "direct"},
            "layer",
            "so that all nodes see messages",
        ),
        (
            {RULE: "hash", "layer.consensus.kind": "none"},
            "layer",
            "`queue.order` drawn is of blocks, and `consensus.kind` none makes none",
        ),
        (
            {RULE: "as-proposed+threshold", "layer.consensus.kind": "none"},
            "layer",
            "`queue.unsealing` threshold is of blocks",
        ),
        ({"layer.queue.express.enabled": 1}, "layer.queue.express.enabled", "valid boolean"),
        ({RULE: 5}, RULE, "fifo"),
    ],
)
def test_what_does_not_go_together_is_refused(
    values: dict[str, Any], place: str, reason: str
) -> None:
    """One error that says why, and what to take."""
    with pytest.raises(SurgetankError) as caught:
        built().with_values(values)
    assert caught.value.place.startswith(place)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {RULE: "fee+threshold"},
        {RULE: "class+hash"},
        {RULE: "codel+as-proposed+commit-reveal"},
        {RULE: "drr+themis"},
        {RULE: "median+threshold"},
        {RULE: "hash", "layer.consensus.kind": "tendermint"},
        {RULE: "express+auction", "layer.consensus.kind": "none"},
    ],
)
def test_what_is_beside_it_is_not(values: dict[str, Any]) -> None:
    """The control of the refusals."""
    built().with_values(values)
