"""The benchmarks' own arithmetic, and the page that they fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from paired import in_turn, mean, ratio
from publish import PAGE, SCRIPTS, markers, replaced

ROOT = Path(__file__).resolve().parents[2]


def test_whose_turn_is_first_alternates() -> None:
    order: list[str] = []
    answers = in_turn(
        3, lambda pair: order.append(f"a{pair}"), lambda pair: order.append(f"b{pair}")
    )
    assert order == ["a1", "b1", "b2", "a2", "a3", "b3"]
    assert [len(own) for own in answers] == [3, 3]


def test_a_ratio_is_that_of_the_pairs() -> None:
    """Exact where all pairs agree, whatever the machine does from pair to pair."""
    found = ratio([2.0, 20.0, 14.0], [1.0, 10.0, 7.0])
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.text(1) == "2.0 [2.0, 2.0]"
    both = mean([1.0, 3.0])
    assert (both.value, both.high - 2.0) == pytest.approx((2.0, 12.706), abs=1e-3)


#: Of so many experiments, the number that miss the truth at 5 % each lies outside of BOUNDS with a
#: probability below one in a million.
EXPERIMENTS = 2_000
BOUNDS = stats.binom(EXPERIMENTS, 0.05).ppf([5e-7, 1 - 5e-7])


def task(true: float, slower: Iterator[float]) -> Callable[[int], float]:
    """A program of this cost, on a machine that makes each run slower by the next factor."""
    return lambda pair: true * next(slower)


def misses(alternating: bool) -> int:
    """How many intervals of seven pairs miss a ratio of 1.5, while the machine gets slower."""
    draw = np.random.default_rng()
    factors = np.exp(0.02 * np.arange(14) + draw.normal(0.0, 0.05, (EXPERIMENTS, 14)))
    missed = 0
    for row in factors.tolist():
        slower = iter(row)
        tasks = (task(1.5, slower), task(1.0, slower))
        if alternating:
            over, under = in_turn(7, *tasks)
        else:
            over, under = ([one(pair) for pair in range(7)] for one in tasks)
        found = ratio(over, under)
        missed += not found.low <= 1.5 <= found.high
    return missed


def test_intervals_hold_the_truth_on_a_drifting_machine() -> None:
    """95 of 100 do. The control: one task after the other, they do not."""
    assert misses(alternating=True) <= BOUNDS[1]
    assert misses(alternating=False) > BOUNDS[1]


def test_the_page_has_a_part_for_each_script() -> None:
    text = PAGE.read_text()
    assert re.findall(r"<!-- printed by benchmarks/(\w+)\.py -->", text) == list(SCRIPTS)
    for name in SCRIPTS:
        assert (ROOT / "benchmarks" / f"{name}.py").exists()
        changed = replaced(text, name, "| new |\n")
        assert "| new |" in changed.partition(markers(name)[0])[2].partition(markers(name)[1])[0]
        assert replaced(changed, name, "| new |") == changed
    with pytest.raises(ValueError, match="lacks the line <!-- end"):
        replaced(text.replace(markers("pairs")[1], ""), "pairs", "")
