"""What a rule of order does to a front-runner, shown by taking each cause away in turn.

The table in docs/fairness.md has the money, over 24 seeds; here is what the argument rests on.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from surgetank.simulate import simulate
from venue_under_attack import venue, victims_of

FIVE: dict[str, Any] = {"network__nodes": 5, "layer__gossip__kind": "flood"} | {
    "trace__receipts_every": 1,
    "duration_s": 10.0,
}
ONE = {"layer__consensus__block_messages_max": 1, "layer__consensus__window_ms": 1.0}
SEEDS = range(1, 9)


@cache
def before(rule: str, kind: str, *, one_a_block: bool = False) -> float:
    """Share of a front-runner's purchases that stand before their victim, over all seeds."""
    asked = FIVE | {"layer__queue__rule": rule, "attack__kind": kind}
    if rule == "hash":
        asked |= {"layer__queue__seed": "beacon"}
    asked |= ONE if one_a_block else {}
    flags = []
    for seed in SEEDS:
        pairs = victims_of(simulate(venue(**asked), seed=seed)).drop_nulls()
        flags += (pairs["front"] < pairs["at"]).to_list()
    assert len(flags) > 100
    return float(np.mean(flags))


def test_first_come_first_served_keeps_a_reader_behind_and_lets_a_leader_in_front() -> None:
    assert before("fifo", "sandwich") == 0
    assert before("fifo", "insider") > 0.95


def test_a_lot_gives_both_even_odds() -> None:
    """A reader in its victim's batch wins one draw in two, and so does who makes the batch."""
    assert 0.4 < before("hash", "sandwich") < 0.6
    assert 0.4 < before("hash", "insider") < 0.6


def test_it_is_the_batch_that_gives_the_reader_its_chance() -> None:
    """The same lot with batches of one message: nothing is left to draw."""
    assert before("hash", "sandwich", one_a_block=True) == 0


def test_themis_keeps_its_promise_about_order() -> None:
    """Seen later by all nodes; before its victim only inside a batch, where nothing is promised."""
    assert before("themis", "sandwich") < 0.15
