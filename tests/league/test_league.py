"""Leagues: who takes part, what is paired, what the means and the order are, and the command."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import BaseModel, Field
from scipy import stats

import surgetank as st
from command_line import QUEUE, surgetank
from hand_made_league import LIQUIDATION, league, with_invalid, with_lines
from surgetank.cli import app
from surgetank.errors import SurgetankError
from surgetank.league.axes import attacked, attacks_of, entrants_of
from surgetank.league.choices import choices
from surgetank.league.estimate import SeedMean, difference, mean
from surgetank.league.result import League, json_rows

RULES = ["fifo", "priority"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a small scenario."""
    (tmp_path / "small.toml").write_text(QUEUE)
    return tmp_path


def small(**values: Any) -> st.Scenario:
    """Two seconds of a crash: orders, cancels, liquidations."""
    given = {"duration_s": 2.0, "warmup_s": 0.5, "drain_s": 2.0, "network.nodes": 8}
    return st.load("burst").with_values(given | values)


# Who takes part


class Calm(BaseModel):
    kind: Literal["none"] = "none"


class Flood(BaseModel):
    kind: Literal["flood", "drip"] = "flood"
    rate: float = 1.0
    name: Literal["a", "b"] | str | None = None


class Whole(BaseModel):
    attack: Calm | Flood = Field(default_factory=Calm, discriminator="kind")
    more: list[Flood] | None = None
    on: bool = False


def test_choices_come_from_the_model() -> None:
    """Literals, through unions of kinds, lists and None; a number has no list."""
    assert choices("attack.kind", Whole) == ["none", "flood", "drip"]
    assert choices("more.0.kind", Whole) == ["flood", "drip"]
    assert choices("attack.name", Whole) == ["a", "b"], "a class of one's own is not in the list"
    assert choices("on", Whole) == [False, True]
    assert choices("attack.rate", Whole) == []
    assert set(RULES) <= set(choices("layer.queue.rule"))
    with pytest.raises(SurgetankError, match=r"Did you mean `layer\.queue\.rule`"):
        choices("layer.queue.rul")


def test_a_grid_has_every_combination() -> None:
    """Values are TOML, lists keep their commas, names tell entrants apart."""
    vary = ["layer.queue.rule=fifo,priority", 'layer.queue.high=["cancel","order"],["order"]']
    found, left = entrants_of(small(), [*vary, "load=300,600"])
    assert [e.name for e in found][:3] == [
        "fifo, high cancel+order, load 300",
        "fifo, high cancel+order, load 600",
        "fifo, high order, load 300",
    ]
    assert len(found) == 8 and left == []
    last = found[-1].at(small())
    assert (last.layer.queue.rule, last.layer.queue.high) == ("priority", ["order"])
    assert last.flow.arrivals.model_dump()["rate_per_s"] == 600
    assert {e.rule for e in found} == {"fifo", "priority"}


def test_values_that_do_not_fit() -> None:
    """Asked for, it is an error; from the model's list, it is left out and said."""
    blocks = st.load("calm")
    found, left = entrants_of(blocks, "layer.gossip.kind")
    assert "direct" not in [e.name for e in found]
    assert len(left) == 1 and left[0].startswith("direct: ") and "single" in left[0]
    with pytest.raises(SurgetankError, match=r"--vary layer\.gossip\.kind=direct: .*single"):
        entrants_of(blocks, "layer.gossip.kind=direct,flood")
    with pytest.raises(SurgetankError, match="no such attack"):
        attacks_of(blocks, found, "none,moonbeams")
    assert attacks_of(blocks, found, None) == (["none"], [])


def test_attacks_come_from_the_model_and_keep_their_keys() -> None:
    """`all` is every kind that fits; one of the scenario's own kind is left as it is set."""
    own = small(**{"attack.kind": "spam", "attack.rate_per_s": 77.0})
    entrants, _ = entrants_of(own, "layer.queue.rule=fifo")
    assert attacks_of(own, entrants, None) == (["none", "spam"], [])
    kinds, left = attacks_of(own, entrants, "all")
    assert kinds[0] == "none" and {"spam", "sybil"} <= set(kinds)
    voting = ["equivocate", "withhold-votes", "late-proposal"]
    assert set(choices("attack.kind")) - set(kinds) == set(voting)
    assert [said.partition(" needs")[0] for said in left] == [
        f"--attack {kind}: attack.kind {kind}" for kind in voting
    ]
    set_by = {k: attacked(own, k).model_dump(mode="json")["attack"] for k in ("spam", "sybil")}
    assert set_by["spam"]["rate_per_s"] == 77.0 != set_by["sybil"]["rate_per_s"]
    assert attacked(own, "none").attack.kind == "none"
    bare = st.Scenario.from_toml(QUEUE)
    both, _ = entrants_of(bare, "layer.queue.rule=fifo")
    kinds, left = attacks_of(bare, both, "all")
    assert set(kinds) | {text.split(":")[0].removeprefix("--attack ") for text in left} == set(
        choices("attack.kind")
    )


# Means and differences


def test_mean_and_paired_difference_are_student_s() -> None:
    """Against SciPy's own t interval and paired t-test."""
    a, b = [3.0, 5.0, 10.0, 4.0], [4.5, 6.0, 11.8, 5.1]
    found = mean(a)
    low, high = stats.t.interval(0.95, 3, loc=5.5, scale=stats.sem(a))
    assert (found.mean, found.n) == (5.5, 4)
    assert [found.low, found.high] == pytest.approx([low, high])
    paired = difference(a, b)
    test = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert [paired.low, paired.high] == pytest.approx([test.low, test.high])
    assert paired.significant is True
    assert found.low is not None and found.high is not None
    assert mean(b).mean is not None and found.low < 6.85 < found.high, "unpaired would not tell"


def test_means_of_what_is_not_there() -> None:
    """None is left out and counted; infinity stays infinite; one value has no interval."""
    inf = math.inf
    assert mean([None, 2.0, 4.0]).n == 2 and mean([None, 2.0, 4.0]).mean == 3
    assert mean([1.0]) == SeedMean(1.0, None, None, 1)
    assert mean([None, None]).mean is None and mean([math.nan]).mean is None
    assert mean([1.0, inf, 2.0]) == SeedMean(inf, None, None, 3, endless=1)
    assert mean([inf, -inf]).mean is None
    assert difference([1.0, 2.0], [inf, inf]).significant is True
    assert difference([inf, 2.0], [inf, 2.0]).significant is False
    assert difference([1.0, None, 3.0], [2.0, 9.0, 4.0]) == SeedMean(1.0, 1.0, 1.0, 2)


# The order


def test_the_order_is_by_the_worst_case() -> None:
    """fifo is best without attack, and last for what spam does to it."""
    found = league(seeds=12)
    calm = {e.name: found.estimate(e.name, "none", LIQUIDATION).mean or 0 for e in found.entrants}
    assert min(calm, key=lambda name: calm[name]) == "fifo"
    assert [(s.place, s.place_to, s.entrant.name, s.attack) for s in found.standings] == [
        (1, 1, "priority", "cancel-storm"),
        (2, 2, "fee", "cancel-storm"),
        (3, 3, "class", "cancel-storm"),
        (4, 4, "fifo", "spam"),
    ]
    assert found.winner == "priority" and found.seeds_needed is None
    assert [s.significant for s in found.standings] == [None, True, True, True]
    assert found.standings[-1].endless == ("spam",)
    finite = found.standings[-1].finite
    assert finite is not None and finite[0] == "cancel-storm"
    by_share = dataclasses.replace(found, rank="executed_share").standings
    worst = [s.worst.mean or 0 for s in by_share]
    assert worst == sorted(worst, reverse=True), "more is better"
    assert {s.attack for s in by_share} == {"cancel-storm"}


def test_infinity_in_three_seeds_of_three_distinguishes_none() -> None:
    """It may be one seed in two: 2 · ½³ = ¼. How many seeds would tell is said."""
    found = league(seeds=3)
    fifo = next(s for s in found.standings if s.entrant.name == "fifo")
    assert (fifo.place, fifo.place_to) == (1, 4)
    both = league(rules=2, seeds=3)
    assert both.pairs["fifo", "priority"].p == 0.25
    assert both.winner is None and set(both.contenders) == {"fifo", "priority"}
    assert both.seeds_needed is not None and 6 <= both.seeds_needed <= 20
    assert league(rules=2, seeds=both.seeds_needed).winner == "priority"


def test_of_equal_worst_cases_the_next_worst_decides() -> None:
    """All are endless under spam; what is left decides, and is distinguished there."""
    made = tuple(
        dataclasses.replace(m, values=dict(m.values) | {LIQUIDATION: math.inf})
        if m.attack == "spam"
        else m
        for m in league().made
    )
    found = dataclasses.replace(league(), made=made)
    assert [s.entrant.name for s in found.standings] == ["fifo", "priority", "fee", "class"]
    assert [(s.place, s.place_to, s.attack) for s in found.standings] == [
        (1, 1, "spam"),
        (2, 2, "spam"),
        (3, 3, "spam"),
        (4, 4, "spam"),
    ]


def test_equal_values_share_ranks_and_nothing_has_none() -> None:
    """Two without bad debt may both be first; who has no value stands below the others."""
    debts = dataclasses.replace(league(seeds=6), rank="bad_debt_usd")
    by_debt = debts.standings
    assert [(s.place, s.place_to) for s in by_debt] == [(1, 2), (1, 2), (3, 4), (3, 4)]
    assert by_debt[1].significant is False and debts.winner is None
    assert debts.seeds_needed is None, "no number of seeds tells equals apart"
    made = tuple(
        dataclasses.replace(m, values=dict(m.values) | {LIQUIDATION: None})
        if m.entrant == "priority"
        else m
        for m in league().made
    )
    without = dataclasses.replace(league(), made=made).standings
    assert (without[-1].entrant.name, without[-1].place) == ("priority", None)
    assert without[0].place == 1


def test_one_seed_has_no_winner() -> None:
    """Whatever it shows."""
    alone = league(seeds=1)
    assert alone.winner is None and len(alone.contenders) == 4 and alone.seeds_needed is None
    assert {(s.place, s.place_to) for s in alone.standings} == {(1, 4)}


def test_what_the_attack_changes_is_paired_by_seed() -> None:
    """Against a difference of means, which the seeds' own spread would drown."""
    found = league()
    change = found.change("fee", "sybil", "others_loss_usd")
    a, b = (found.values("fee", attack, "others_loss_usd") for attack in ("none", "sybil"))
    assert change == difference(a, b) and change.significant
    assert found.change("fee", "none", "others_loss_usd").n == 0
    alone = league(attacks=1)
    assert alone.change("fee", "none", "others_loss_usd").mean is None


def test_invalid_runs_do_not_count_and_are_shown() -> None:
    """They leave the means, not the table; the exit code says so."""
    found = with_invalid()
    assert found.exit_code == 3 and len(found.invalid) == 5
    assert found.estimate("fee", "spam", LIQUIDATION).n == 1
    assert found.estimate("class", "none", LIQUIDATION).mean is None
    table = found.table(LIQUIDATION)
    cells = {(r["entrant"], r["attack"]): r["invalid"] for r in table.to_dicts()}
    assert cells["fee", "spam"] == 2 and cells["class", "none"] == 3 and cells["fifo", "none"] == 0
    assert league().exit_code == 0
    assert with_lines().exit_code == 3, "a search that is INVALID too"


def test_lines_of_searches_rank_and_stay_unknown() -> None:
    """A search without an estimate gives no place."""
    found = dataclasses.replace(with_lines(), rank="capacity")
    assert [(s.place, s.place_to, s.entrant.name) for s in found.standings] == [
        (1, 1, "priority"),
        (2, 2, "fifo"),
        (None, None, "fee"),
        (None, None, "class"),
    ]
    rows = found.table().filter(pl.col("measure") == "capacity")
    assert rows.filter(entrant="fee")["status"].item() == "UNKNOWN"
    assert "25600" in rows.filter(entrant="fee")["why"].item()


def test_leaders_are_those_not_distinguished() -> None:
    """No one leads where all are alike."""
    assert league().leaders("none", LIQUIDATION) == ("fifo",)
    assert league().leaders("spam", "delay_p99_ms.order") == ()
    assert set(league(seeds=12).leaders("sybil", "bad_debt_usd")) == {"priority", "class"}


# Runs


def test_a_real_league(tmp_path: Path) -> None:
    """The same seeds for all; each row is the run of its name; files are read as they were."""
    journal = tmp_path / "runs.jsonl"
    vary = {"layer.queue.rule": RULES, "load": [400.0, 1_600.0]}
    seen: list[str] = []
    found = st.league(
        small(),
        vary=vary,
        seeds=2,
        seed=5,
        workers=1,
        journal=journal,
        watch=lambda at: seen.append(f"{at.done} of {at.of}"),
    )
    assert seen == [f"{i} of 8" for i in range(1, 9)]
    rows = found.rows
    assert rows.height == 8 and sorted(rows["seed"].to_list()) == [5] * 4 + [6] * 4
    assert {"entrant", "rule", "attack", "seed", "layer.queue.rule", "load"} <= set(rows.columns)
    assert set(rows["rule"]) == set(RULES) and set(rows["attack"]) == {"none"}
    one = rows.row(3, named=True)
    entrant = found.entrant(one["entrant"])
    again = st.run(entrant.at(small()), seed=one["seed"]).measures
    assert {k: one[k] for k in again} == {k: m.value for k, m in again.items()}

    load = {e.name: e.values["load"] for e in found.entrants}
    p99 = {e: found.estimate(e, "none", "delay_p99_ms").mean or 0.0 for e in load if "fifo" in e}
    assert min(p99, key=lambda e: p99[e]) == min(p99, key=lambda e: load[e]), "more load is slower"

    kept = journal.read_text()
    assert len(kept.splitlines()) == 8
    both = st.league(small(), vary=vary, seeds=2, seed=5, workers=2, journal=journal)
    assert both == found and journal.read_text() == kept, "nothing is made twice"

    found.write(tmp_path)
    assert League.read(tmp_path) == found
    assert pl.read_csv(tmp_path / "league.csv").height == found.table().height
    assert pl.read_csv(tmp_path / "rows.csv").height == 8
    with pytest.raises(SurgetankError, match="not a league"):
        League.read(journal)


def test_a_real_attack_is_paired_with_its_calm() -> None:
    """The others' loss to an attack is the difference from the same seed without it."""
    found = st.league(
        small(duration_s=6.0),
        vary="layer.queue.rule=fifo",
        attacks=["none", "latency-race"],
        seeds=2,
        workers=1,
    )
    assert found.rows["attack"].to_list() == ["none", "latency-race"] * 2
    raced, calm = (
        [m.values for m in found.made if m.attack == a] for a in ("latency-race", "none")
    )
    assert all(v["attacker_gain_usd"] is not None for v in raced)
    lost = [
        (r["others_loss_usd"] or 0) - (c["others_loss_usd"] or 0)
        for r, c in zip(raced, calm, strict=True)
    ]
    change = found.change("fifo", "latency-race", "others_loss_usd")
    assert change.n == 2 and change.mean == pytest.approx(sum(lost) / 2)
    assert "attacker_gain_usd" in found.shown


def test_infinity_is_a_word_in_json() -> None:
    """Any reader of JSON reads it; nothing to measure is null."""
    rows = json_rows(league())
    text = json.dumps(rows, allow_nan=False)
    spam = next(r for r in json.loads(text) if (r["rule"], r["attack"]) == ("fifo", "spam"))
    assert spam[LIQUIDATION] == "inf" and spam["never_measured"] is None
    assert {"rule", "attack", "seed", "entrant", "layer.queue.rule", "invalid"} <= set(spam)


# The command

TWO = ["--vary", "layer.queue.rule=fifo,priority", "--workers", "1"]


def test_command_for_people_and_machines(here: Path) -> None:
    """A table and a page; with --json a line a run, and one a search."""
    asked = [*TWO, "--seeds", "2", "--set", "duration_s=1.5"]
    done = surgetank("compare", "small.toml", *asked, "--out", "a", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "League of small: 2 entrants × 1 attack × 2 seeds" in done.stdout.replace("\xa0", " ")
    assert "priority" in done.stdout and "league.html" in done.stdout
    written = {p.name for p in (here / "a").iterdir()}
    assert {"league.json", "league.csv", "rows.csv", "league.html", "runs.jsonl"} <= written

    reported = surgetank("compare", "small.toml", *asked, "--json", "--out", "b", cwd=here)
    rows = [json.loads(line) for line in reported.stdout.splitlines()]
    assert [(r["rule"], r["attack"], r["seed"]) for r in rows] == [
        ("fifo", "none", 7),
        ("priority", "none", 7),
        ("fifo", "none", 8),
        ("priority", "none", 8),
    ]
    assert all(r["delay_p99_ms"] > 0 and r["invalid"] is None for r in rows)

    again = surgetank("compare", "small.toml", *asked, "--out", "a", cwd=here)
    assert again.returncode == 2 and "--resume" in again.stderr
    more = ["--search", "capacity", "--precision", "0.5", "--runs-max", "16", "--json"]
    on = surgetank("compare", "small.toml", *asked, *more, "--out", "a", "--resume", cwd=here)
    assert on.returncode == 0, on.stderr
    found = [json.loads(line) for line in on.stdout.splitlines()]
    assert found[:4] == rows, "runs that were kept"
    assert [(r["rule"], r["find"], r["status"] in ("FOUND", "UNKNOWN")) for r in found[4:]] == [
        ("fifo", "capacity", True),
        ("priority", "capacity", True),
    ]


def test_an_invalid_run_is_exit_code_3(here: Path) -> None:
    """And the table says which."""
    fault = '[[faults]]\nkind = "loss"\nat_s = 5.9\nduration_s = 0.05\nprobability = 0.5\n'
    (here / "odd.toml").write_text(QUEUE + fault)
    done = surgetank("compare", "odd.toml", *TWO, "--seeds", "1", cwd=here)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "INVALID" in done.stdout and "no traffic passed it" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small.toml"], "nothing to compare it with. Give two folders, or a scenario and --vary"),
        (["a", "b", "--vary", "layer.queue.rule"], "--vary is for a league"),
        (["a", "b", "--seeds", "4", "--out", "c"], "Leave out --seeds, or give"),
        ([".", "--vary", "layer.queue.rule"], "this is a folder"),
        (["small.toml", "--vary", "layer.queue.rul"], "Did you mean `layer.queue.rule`"),
        (["small.toml", "--vary", "layer.queue.mempool_max"], "--vary layer.queue.mempool_max=A,B"),
        (["small.toml", "--vary", "layer.queue.rule=lifo"], "--vary layer.queue.rule=lifo"),
        (["small.toml", "--vary", "layer.queue.rule=fifo,fifo"], "occurs twice"),
        (["small.toml", "--vary", "=x"], "Write key=a,b"),
        (["small.toml", "--vary", "load=many"], "not a positive number"),
        (["small.toml", *TWO, "--attack", "moonbeams"], "There are: none"),
        (["small.toml", *TWO, "--rank", "delay_p99"], "Did you mean"),
        (["small.toml", *TWO, "--rank", "capacity"], "Add --search capacity"),
        (["small.toml", *TWO, "--rank", "offered_per_s"], "neither more nor less"),
        (["small.toml", *TWO, "--search", "speed"], "Take some of: capacity"),
        (["small.toml", *TWO, "--search", "safe-leverage"], "needs a market"),
        (["small.toml", *TWO, "--runs-max", "40"], "Add --search"),
        (["nothing", *TWO], "no scenario of this name"),
    ],
)
def test_wrong_usage(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """The place and the hint, exit code 2, and no folder left where nothing was run."""
    monkeypatch.chdir(here)
    with pytest.raises(SurgetankError) as caught:
        app(["compare", *arguments, "--quiet"], standalone_mode=False)
    assert said in str(caught.value) and caught.value.exit_code == 2
    if "delay_p99" not in arguments:
        assert not (here / "runs").exists()


def test_an_error_is_one_line(here: Path) -> None:
    """As a person meets it."""
    done = surgetank("compare", "small.toml", cwd=here)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: compare small.toml: nothing to compare it with")


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways to compare."""
    app(["compare", "--help"], standalone_mode=False)
    text = capsys.readouterr().out
    assert "compare runs/before runs/after" in text
    assert "--vary layer.queue.rule" in text and "Exit codes" in text


def test_names() -> None:
    """An entrant is named by what tells it apart."""
    (plain,), _ = entrants_of(small(), ())
    assert (plain.name, plain.values, plain.rule) == ("as it is", {}, "fifo")
    sizes, _ = entrants_of(small(), "layer.queue.mempool_max=100,200")
    assert [e.name for e in sizes] == ["mempool_max 100", "mempool_max 200"]
