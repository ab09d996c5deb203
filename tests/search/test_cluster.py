"""A search on a real Dask cluster of several worker processes, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from answers import queue
from command_line import QUEUE, UNTIL
from surgetank.cli import app
from surgetank.errors import SurgetankError
from surgetank.league import League
from surgetank.search import Answer, Progress, search
from surgetank.search.pool import dask_executor

OPTIONS: dict[str, Any] = {
    "range": (20.0, 4_000.0),
    "precision": 0.1,
    "try_remedies": False,
    "seed": 5,
}


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and three workers with one thread each, on loopback."""
    with LocalCluster(
        n_workers=3, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as local:
        yield local


def test_a_worker_killed_in_mid_search_moves_nothing(cluster: LocalCluster) -> None:
    """The runs of the dead worker go to another; the answer is that of one process alone."""
    scenario = queue(300.0, duration_s=2.0)
    killed: list[int] = []

    def kill_one(seen: Progress) -> None:
        if seen.runs >= 20 and not killed:
            with Client(cluster.scheduler_address, set_as_default=False) as client:
                pids = client.run(os.getpid)
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], signal.SIGKILL)

    with dask_executor(cluster.scheduler_address) as executor:
        answer = search(scenario, executor=executor, watch=kill_one, **OPTIONS)
    assert killed
    assert answer == search(scenario, workers=1, **OPTIONS)
    assert answer.status == "FOUND"


def test_commands_keep_their_answers(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last run too: the workers are let go without losing what they found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(QUEUE)
    rules = ["--vary", "layer.queue.rule=fifo,priority", "--seeds", "1"]
    loads = ["--loads", "10:20", "--points", "2", "--curve", "as it is", "--runs-max", "16"]
    brief = ["--set", "duration_s=10", "--set", "warmup_s=1", "--set", "market.positions.count=20"]
    made = {}
    for command in (
        ["compare", "small.toml", *rules],
        ["search", "small.toml", *UNTIL, "--precision", "0.2", "--no-remedies"],
        ["frontier", "rollup-sequencer", *loads, *brief],
    ):
        out = tmp_path / command[0]
        options = ["--out", str(out), "--quiet", "--dask", cluster.scheduler_address]
        done = CliRunner().invoke(app, [*command, *options])
        assert done.exit_code in (0, 4), (command, done.exception)
        made[command[0]] = out
    assert len(League.read(made["compare"]).made) == 2
    assert Answer.read(made["search"]).status == "FOUND"
    assert len(json.loads((made["frontier"] / "frontier.json").read_text())["points"]) == 2


def test_no_one_at_the_address() -> None:
    """One error, and no thread left waiting."""
    before = threading.active_count()
    with (
        pytest.raises(SurgetankError, match="no Dask scheduler answers"),
        dask_executor("tcp://127.0.0.1:9"),
    ):
        pass
    assert threading.active_count() <= before + 2
