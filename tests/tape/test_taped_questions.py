"""Searches, explanations, risk and leagues of scenarios that replay a recording."""

from __future__ import annotations

import html
import json
import pickle
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surgetank as st
from answers import capacity_of_queue, queue
from command_line import surgetank
from surgetank.league.axes import Entrant
from surgetank.report.scenario_text import command
from surgetank.scenario.size import size_of
from surgetank.scenario.text import toml
from surgetank.search.parameter import parameter
from surgetank.search.question import question_of
from surgetank.simulate import simulate
from surgetank.tape.stored import load_tape, save_tape

RATE = 300.0


def poisson_tape(seconds: float, *, seed: int, messages: bool = True) -> st.Tape:
    """Limit orders at random times, `RATE` a second, and a price that falls by half."""
    draws = np.random.default_rng(seed)
    count = round(RATE * seconds) if messages else 0
    times = np.sort(draws.integers(0, round(seconds * 1e9), count))
    fall = np.arange(0, round(seconds * 1e9), 10**8)
    return st.Tape(
        kind="made",
        recorded_prices_ns=fall,
        prices_usd=np.geomspace(60_000.0, 30_000.0, len(fall)),
        recorded_messages_ns=times,
        messages_class=np.full(count, 4),
        messages_side=draws.integers(1, 3, count),
        messages_usd=np.full(count, 60_000.0),
        messages_qty=np.full(count, 0.01),
        messages_key=np.zeros(count, dtype=np.int64),
    )


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(i, marks=pytest.mark.soak) for i in range(2, 8))]
)
def test_capacity_on_a_recording_is_that_of_its_flow(seed: int) -> None:
    """A recorded Poisson flow, replayed faster and faster, fails at the rate at which theory says
    that a Poisson flow fails: M/M/1, within what one recording of 3,600 messages allows."""
    scenario = queue(1.0, duration_s=20.0).with_tape(poisson_tape(12.0, seed=seed))
    levels = (20.0 / RATE, 4_000.0 / RATE)
    answer = st.search(scenario, range=levels, runs_max=24, try_remedies=False, workers=1)
    assert answer.key == "speed" and answer.estimate is not None
    truth = capacity_of_queue(1_000, unloaded=20.0)
    assert answer.estimate * RATE == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("speed", [0.3, 1.0, 7.3])
def test_a_level_of_speed_is_a_run_at_that_speed(speed: float) -> None:
    """The level's scenario is that of the recording read with --speed, for the same part of it."""
    tape = poisson_tape(4.0, seed=1)
    base = queue(1.0, duration_s=2.0).with_tape(tape)
    level = parameter(base, "speed").at(base, speed)
    by_hand = queue(1.0, duration_s=2.0 / speed).with_tape(replace(tape, speed=speed))
    assert level.hash == by_hand.with_values({"warmup_s": level.warmup_s}).hash
    assert f"--speed {speed:g}".removesuffix(" 1") in " ".join(["--speed", *level.tape_options])
    sent = len(simulate(level, seed=1)["messages"])
    assert sent == pytest.approx(len(simulate(base, seed=1)["messages"]), abs=1)


def test_what_a_recording_is_not_varied_by() -> None:
    """Each with a reason and a remedy."""
    taped = queue(1.0).with_tape(poisson_tape(4.0, seed=1))
    fault = {"kind": "crash", "at_s": 1.0, "duration_s": 1.0, "nodes": [0]}
    for scenario, key, said in (
        (taped, "load", "have no rate to vary"),
        (queue(9.0), "speed", "replays no recording"),
        (taped.with_values({"faults": [fault]}), None, "times of their own"),
    ):
        with pytest.raises(st.SurgetankError, match=said) as caught:
            question_of(scenario, vary=key)
        assert caught.value.hint
    priced = queue(9.0).with_tape(poisson_tape(4.0, seed=1, messages=False))
    assert question_of(priced).parameter.key == "load"


def test_a_league_varies_speed_and_the_leverage_of_a_scenario() -> None:
    taped = st.load("calm").with_tape(poisson_tape(4.0, seed=1))
    values = {"speed": 2.0, "leverage": 4.0, "layer.queue.rule": "priority"}
    made = Entrant("all", "priority", values).at(taped)
    assert made.market is not None and made.market.margin.initial == 0.25
    assert made.tape is not None and made.tape.speed == 2.0
    assert made.layer.queue.rule == "priority"


def test_the_recording_goes_where_the_scenario_goes() -> None:
    """Through changes of other keys and to other processes; and not to another recording's run."""
    tape = poisson_tape(4.0, seed=1)
    taped = queue(1.0).with_tape(tape)
    for scenario in (taped.with_values({"drain_s": 5.0}), taped):
        sent = pickle.loads(pickle.dumps(scenario))
        assert sent.tape is not None and sent.tape.hash == tape.hash == sent.tape_hash
    assert taped.with_values({"tape_hash": "0"}).tape is None
    with pytest.raises(st.SurgetankError, match="not stored with it") as caught:
        simulate(taped.with_values({"tape_hash": "0"}), seed=1)
    assert "--tape RECORDING" in (caught.value.hint or "")


def test_messages_of_a_recording_count_in_the_size_of_a_run() -> None:
    taped = queue(1.0, duration_s=2.0).with_tape(poisson_tape(4.0, seed=1))
    assert size_of(taped).messages == pytest.approx(2.0 * RATE, rel=0.2)


def test_a_run_keeps_the_part_that_it_replayed(tmp_path: Path) -> None:
    """Its folder has the tape, so that the run can be explained; a changed one is refused."""
    tape = replace(poisson_tape(4.0, seed=1), speed=3.0)
    st.run(queue(1.0, duration_s=1.0), tape=tape, seed=1, out=tmp_path / "run")
    found = st.Trace.load(tmp_path / "run").scenario.tape
    assert found is not None and found.hash == tape.hash
    done = surgetank(
        "explain", str(tmp_path / "run"), "--seeds", "2", "--workers", "1", "--json", cwd=tmp_path
    )
    assert done.returncode in (0, 4), done.stderr
    assert json.loads(done.stdout)["seeds"] == [1, 2]
    save_tape(replace(tape, speed=2.0), tmp_path / "run" / "tape.npz")
    with pytest.raises(st.SurgetankError, match="was changed after it was written"):
        st.Trace.load(tmp_path / "run")
    (tmp_path / "run" / "tape.npz").write_bytes(b"PK")
    with pytest.raises(st.SurgetankError, match="is damaged"):
        load_tape(tmp_path / "run" / "tape.npz")


NODES = "name,power\n" + "".join(f"v{i},{10 + i}\n" for i in range(5))
BOOK = "account,market,size,entry_price,mark_price,equity\na,PERP,0.5,60000,60000,3000\n"
TRADES = "time,price,qty,side\n" + "".join(
    f"{1723161255000 + 20 * i},{60_000 - 9 * i}.5,0.01,{'buy' if i % 3 else 'sell'}\n"
    for i in range(200)
)


def test_the_repeat_line_with_network_recording_and_book(tmp_path: Path) -> None:
    """The report's scenario and line, entered as they stand, give the trace again."""
    for name, text in (("my nodes.csv", NODES), ("book.csv", BOOK), ("t.csv", TRADES)):
        (tmp_path / name).write_text(text)
    options = ["--tape", "t.csv", "--speed", "1.5", "--network", "my nodes.csv"]
    options += ["--positions", "book.csv", "--seed", "4", "--set", "duration_s=3"]
    options += ["--set", "warmup_s=1", "--json"]
    first = _json(surgetank("run", "calm", *options, "--out", "a", cwd=tmp_path))
    page = html.unescape((tmp_path / "a" / "report.html").read_text())
    trace = st.Trace.load(tmp_path / "a")
    text = toml(trace.scenario.model_dump(mode="json", by_alias=True)).strip()
    assert text in page
    (tmp_path / "scenario.toml").write_text(text)
    line = next(line for line in re.findall(r"surgetank run [^<]*", page) if "--tape" in line)
    words = [*shlex.split(line)[1:], "--json", "--no-report", "--out", "b"]
    again = _json(surgetank(*words, cwd=tmp_path))
    assert again["trace_hash"] == first["trace_hash"]
    assert len(trace.scenario.network.names) == 5


def test_the_repeat_line_names_the_shipped_scenario(tmp_path: Path) -> None:
    """With recording and book in memory its hash is the run's; with an override it is not."""
    (tmp_path / "book.csv").write_text(BOOK)
    (tmp_path / "t.csv").write_text(TRADES)
    tape, book = st.read_tape(tmp_path / "t.csv"), st.read_positions(tmp_path / "book.csv")
    chosen = st.load("calm").with_tape(tape).with_positions(book)
    result = st.run(chosen, seed=4, out=tmp_path / "a", report=False)
    words = shlex.split(command(result.trace))
    assert words[:3] == ["surgetank", "run", "calm"]
    again = _json(surgetank(*words[1:], "--json", "--no-report", "--out", "b", cwd=tmp_path))
    assert st.Trace.load(tmp_path / "b").run.scenario_hash == chosen.hash
    assert again["trace_hash"] == result.trace.trace_hash
    other = replace(result.trace, scenario=chosen.with_values({"warmup_s": 0.25}))
    other = replace(other, run=replace(other.run, scenario_hash=other.scenario.hash))
    assert "run scenario.toml" in command(other)


def _json(done: Any) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
