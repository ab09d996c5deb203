"""The worst attack on venues where it is known, what helps against it, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import surgetank as st
from attacked_sequencer import LEADER, sequencer
from command_line import surgetank
from surgetank.adversary import AdversaryBudget, SearchEffort, WorstAttack, worst_attack
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.verdict import Status

EFFORT = SearchEffort(trials=12, fresh=4)
MOVED = {"layer.consensus.node": 0}
VOTES = {"layer.consensus.kind": "tendermint"}
FASTER = {"network.uplink_mbps": 10_000.0}


def budget(scenario: Scenario, identities: int = 1) -> AdversaryBudget:
    return AdversaryBudget.of(
        scenario, identities=identities, delay_ms=500.0, attack_s=4.0, rate_per_s=20.0
    )


def searched(scenario: Scenario, seed: int, identities: int = 1) -> WorstAttack:
    return worst_attack(
        scenario,
        budget(scenario, identities),
        worst="delay_p50_ms",
        effort=EFFORT,
        seed=seed,
        workers=1,
    )


@pytest.fixture(scope="module")
def found() -> WorstAttack:
    """The single sequencer, with a change that helps, one that moves the sequencer elsewhere, and
    one that does nothing."""
    scenario = sequencer()
    return worst_attack(
        scenario,
        budget(scenario),
        worst="delay_p50_ms",
        effort=SearchEffort(trials=12, fresh=6),
        defences=[VOTES, MOVED, FASTER],
        workers=2,
    )


def test_the_sequencer_is_found(found: WorstAttack) -> None:
    """It is the only node whose stop delays more than its own clients' messages. The damage is
    that of half the messages never being executed."""
    assert found.status is Status.FAIL and found.exit_code == 1
    assert found.plan.held == (LEADER,)
    assert found.plan.parts["links"]["kind"] == "crash"
    assert found.damage.low > 10_000.0
    assert found.over_random.mean > 0.5 * found.damage.mean
    assert [c.needed for c in found.contributions if c.part == "links"] == [True]


@pytest.mark.parametrize("seed", range(20, 23))
def test_the_sequencer_is_found_with_any_seed(seed: int) -> None:
    assert searched(sequencer(), seed).plan.held == (LEADER,)


def test_a_defence_that_moves_the_target_is_none(found: WorstAttack) -> None:
    """The attack on node 2 does nothing when the sequencer is node 0; an attacker who knows of it
    attacks node 0. Voting helps; a faster link does not."""
    votes, moved, faster = found.defences
    assert moved.same.high < 10.0
    assert moved.adapted is not None and moved.adapted.low > 10_000.0
    assert moved.plan is not None and moved.plan.held == (0,)
    assert moved.helps is not True
    assert votes.helps is True and votes.saved.low > 5_000.0
    assert faster.helps is not True


@pytest.mark.parametrize("seed", range(1, 3))
def test_a_third_of_the_validators_fork_the_chain(seed: int) -> None:
    """Two of four equivocators do, one of four never does. The damage has no size; the status is
    FAIL."""
    voting = sequencer(layer__consensus__kind="tendermint")
    fork = searched(voting, seed, identities=2)
    assert fork.forks == EFFORT.fresh and fork.status is Status.FAIL
    assert fork.plan.parts["attack"]["kind"] == "equivocate"
    assert not searched(voting, seed).forks


@pytest.mark.parametrize("seed", range(1, 5))
def test_where_nothing_hurts_none_is_found(seed: int) -> None:
    """Without nodes, and with a message a second beside forty, an attack costs less than a
    millisecond: below the tolerance. With the sequencer held, the same tolerance is exceeded."""
    scenario = sequencer()
    weak = AdversaryBudget.of(scenario, identities=0, attack_s=4.0, rate_per_s=1.0)
    effort = SearchEffort(trials=8, fresh=6)
    result = worst_attack(
        scenario, weak, worst="delay_p50_ms", tolerance=5.0, effort=effort, seed=seed, workers=1
    )
    assert result.status is Status.PASS and result.exit_code == 0


def test_any_number_of_workers_finds_the_same(found: WorstAttack) -> None:
    scenario = sequencer()
    alone, two = (
        worst_attack(
            scenario,
            budget(scenario),
            worst="delay_p50_ms",
            effort=SearchEffort(trials=12, fresh=6),
            workers=workers,
        )
        for workers in (1, 2)
    )
    assert alone.to_dict() == two.to_dict()
    assert alone.plan == found.plan and alone.damage == found.damage


def test_prices_are_subtracted_from_the_gain() -> None:
    """An attacker who only disturbs gains nothing and pays for its node."""
    scenario = sequencer()
    priced = AdversaryBudget.of(
        scenario, identities=1, attack_s=4.0, rate_per_s=20.0, identity_usd=1_000.0
    )
    effort = SearchEffort(trials=8, fresh=3)
    result = worst_attack(scenario, priced, worst="delay_p50_ms", effort=effort, workers=1)
    assert result.net_gain.mean == -1_000.0


@pytest.mark.parametrize(
    ("effort", "tolerance", "place"),
    [(SearchEffort(fresh=1), 0.0, "--fresh 1"), (EFFORT, -1.0, "--tolerance -1")],
)
def test_numbers_that_make_no_sense_are_refused(
    effort: SearchEffort, tolerance: float, place: str
) -> None:
    with pytest.raises(SurgetankError) as error:
        worst_attack(sequencer(), effort=effort, tolerance=tolerance)
    assert error.value.place == place


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    from surgetank.scenario.text import toml

    path = tmp_path / "venue.toml"
    path.write_text(toml(sequencer().model_dump(mode="json", by_alias=True)))
    return path


def command(*words: str) -> tuple[int, str, str]:
    result = surgetank("search", *words, cwd=Path())
    return result.returncode, result.stdout, result.stderr


def test_the_command_writes_what_can_be_replayed(scenario_file: Path, tmp_path: Path) -> None:
    """The scenario under the worst attack, run again, has the trace of the search's own."""
    out = tmp_path / "worst"
    words = ["--adversary", "--identities", "1", "--attack-s", "4", "--trials", "8"]
    more = ["--fresh", "3", "--worst", "delay_p50_ms", "--no-remedies", "--json"]
    code, text, said = command(
        str(scenario_file), *words, *more, "--out", str(out), "--workers", "1"
    )
    assert code == 1, said
    content = json.loads(text)
    assert content == json.loads((out / "adversary.json").read_text()) | {"out": str(out)}
    replay = st.load(str(out / "worst.toml"))
    assert [fault.kind for fault in replay.faults] == ["crash"]
    (crash,) = replay.faults
    assert list(crash.groups_named) == [[LEADER]]
    seed = content["fresh_seeds"][0]
    values = st.measure(st.simulate(replay, seed=seed))["delay_p50_ms"]
    before = st.measure(st.simulate(sequencer(), seed=seed))["delay_p50_ms"]
    assert values.value == float("inf") and before.value is not None
    assert (out / "adversary.html").stat().st_size > 10_000
    again, _, _ = command(str(scenario_file), *words, *more, "--out", str(out), "--resume")
    assert again == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--identities", "1"], "has no effect without --adversary"),
        (["--adversary", "--find", "capacity"], "has no effect with --adversary"),
        (["--adversary", "--identities", "9"], "must lie between 0 and 3"),
        (["--adversary", "--worst", "nothing"], "no such measure"),
        (["--adversary", "--defend", "network.nodes"], "has no value"),
        (["--adversary", "--defend", "network.node=3"], "network.node"),
    ],
)
def test_bad_input_leaves_nothing(
    scenario_file: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    out = tmp_path / "none"
    code, _, said = command(str(scenario_file), *words, "--out", str(out))
    assert code == 2
    assert message in " ".join(said.split()), said
    assert not out.exists()
