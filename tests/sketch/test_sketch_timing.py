"""Times of sketches: equal to those of their events, and to delays computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as given_by
from numpy.typing import NDArray

from sketch_events import played
from surgetank.errors import SurgetankError
from surgetank.sketch import estimate, parse
from surgetank.sketch.timing import SketchRounds, step_times

MESSAGES = given_by.integers(0, 3)
THRESHOLD = given_by.sampled_from(["1", "2", "3", "quorum", "third", "50%", "100%"])


@given_by.composite
def awaits(draw: given_by.DrawFn) -> str:
    """One thing that is waited for."""
    word = draw(given_by.sampled_from(["wait", "wait", "wait", "collect"]))
    delay = draw(given_by.sampled_from(["", ", delay=(0.5, 2)", ", delay=(0, 3)"]))
    return f"{word}{{{draw(MESSAGES)}, threshold={draw(THRESHOLD)}{delay}}}"


@given_by.composite
def lines(draw: given_by.DrawFn) -> str:
    """A line of a sketch."""
    match draw(given_by.sampled_from(["send", "send", "wait", "wait", "and", "or", "nested"])):
        case "send":
            word = draw(given_by.sampled_from(["propose", "broadcast", "broadcast", "reply"]))
            return f"{word}{{{draw(MESSAGES)}}}"
        case "wait":
            return draw(awaits())
        case "and":
            return f"{draw(awaits())} && {draw(awaits())}"
        case "or":
            return f"{draw(awaits())} || {draw(awaits())}"
        case _:
            return f"({draw(awaits())} || {draw(awaits())}) && {draw(awaits())}"


def setting(rng: np.random.Generator, n: int, silent: int = 0, **more: Any) -> SketchRounds:
    """Five rounds over random delays and powers."""
    delay_ms = rng.uniform(1.0, 100.0, (5, n, n))
    delay_ms[:, np.arange(n), np.arange(n)] = 0.0
    powers = [int(power) for power in rng.integers(0, 5, n) + (np.arange(n) == 0)]
    proposer = rng.integers(0, n, 5)
    return SketchRounds(delay_ms, proposer, powers, np.arange(n) >= n - silent, **more)


@given(
    given_by.lists(lines(), min_size=1, max_size=9),
    given_by.integers(1, 6),
    given_by.integers(0, 2),
    given_by.integers(0, 2**32),
)
def test_times_are_those_of_the_events(body: list[str], n: int, silent: int, seed: int) -> None:
    """Whatever the protocol, whether it ends or not."""
    # All messages are sent at the end too, so that no line waits for one that is never sent.
    text = "\n".join(["propose{0}", *body, "wait{0, threshold=1}"])
    text += "".join(f"\nbroadcast{{{message}}}" for message in range(4))
    protocol = parse(text, "drawn")
    given_ = setting(np.random.default_rng(seed), n, min(silent, n - 1))
    found = step_times(protocol, given_)
    for index, proposer in enumerate(given_.proposer):
        expected = played(
            protocol,
            given_.delay_ms[index].tolist(),
            int(proposer),
            given_.powers,
            given_.silent.tolist(),
        )
        for barrier, times, due in zip(protocol.barriers, found, expected, strict=True):
            mine, theirs = times[index], np.array(due)
            if barrier.proposer_only:
                mine, theirs = mine[proposer], theirs[proposer]
            np.testing.assert_allclose(mine, theirs, rtol=1e-12, err_msg=barrier.text)


def test_a_protocol_that_is_changed_is_seen() -> None:
    """The control of the test above: another threshold gives other times than its events."""
    rng = np.random.default_rng()
    given_ = setting(rng, 4)
    one = parse("broadcast{1}\nwait{1, threshold=2}", "one")
    other = parse("broadcast{1}\nwait{1, threshold=3}", "other")
    times = step_times(one, given_)[0]
    expected = played(other, given_.delay_ms[0].tolist(), 0, given_.powers, [False] * 4)
    assert not np.allclose(times[0], expected[0])


def fixed(_rng: np.random.Generator, rounds: int) -> NDArray[np.float64]:
    """10 ms between any two of four nodes."""
    return np.full((rounds, 4, 4), 10.0) * (1 - np.eye(4))


PHASES = "propose{0}\nwait{0, threshold=1}\nbroadcast{1}\nwait{1, threshold=quorum}"


def decided_ms(text: str, **more: Any) -> float:
    """The mean over four nodes that are 10 ms apart."""
    return estimate(parse(text, "made"), fixed, ["r"] * 4, **more).decided.mean_ms


def test_delays_by_hand() -> None:
    """Four nodes, 10 ms each way; three are a quorum."""
    # The proposer has its own message at 0 and its vote too, and two more votes at 20: others 20.
    assert decided_ms(PHASES) == pytest.approx(20.0)
    # A message costs 1 ms: the proposer's own vote at 0 costs its milliseconds before the others
    # come, whose second is done at 22; others have that of the proposer at 10, theirs at 10, so
    # the third at 20 + 1.
    costly = PHASES.replace("threshold=quorum", "threshold=quorum, delay=(1, 0)")
    assert decided_ms(costly) == pytest.approx((22.0 + 3 * 21.0) / 4)
    # 1,250 bytes at 1 Mbit/s take 10 ms, and copies leave one after another.
    slow = "propose{0, size=1250}\nwait{0, threshold=1}"
    assert decided_ms(slow, uplink_mbps=1.0) == pytest.approx((0 + 20 + 30 + 40) / 4)
    assert decided_ms(slow) == pytest.approx(3 * 10 / 4)


def test_silent_nodes_are_not_waited_for_or_all_wait() -> None:
    assert decided_ms(PHASES, silent=1) == pytest.approx(20.0)
    with pytest.raises(SurgetankError, match="wait here forever") as caught:
        decided_ms(PHASES, silent=2)
    assert "line 4" in caught.value.place
    with pytest.raises(SurgetankError, match="Give 0 to 3"):
        decided_ms(PHASES, silent=4)


def test_intervals_cover_the_mean() -> None:
    """Of 95 % intervals, too few covering would be chance once in a thousand suites."""

    def delays(rng: np.random.Generator, rounds: int) -> np.ndarray:
        return rng.exponential(10.0, (rounds, 4, 4)) * (1 - np.eye(4))

    one = "propose{0}\nwait{0, threshold=1}"
    covered, tries = 0, 200
    for seed in np.random.SeedSequence().generate_state(tries):
        step = estimate(parse(one, "one"), delays, ["r"] * 4, rounds=200, seed=int(seed)).decided
        covered += step.low_ms <= 7.5 <= step.high_ms
    assert covered >= 175, covered  # binomial(200, 0.95) is below that once in 10,000
