"""A search on a real Dask cluster of several worker processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster

from answers import queue
from surgetank.errors import SurgetankError
from surgetank.search import Progress, search
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

    executor = dask_executor(cluster.scheduler_address)
    try:
        answer = search(scenario, executor=executor, watch=kill_one, **OPTIONS)
    finally:
        executor.shutdown(wait=False)
    assert killed
    assert answer == search(scenario, workers=1, **OPTIONS)
    assert answer.status == "FOUND"


def test_nobody_at_the_address() -> None:
    """One error, and no thread left waiting."""
    before = threading.active_count()
    with pytest.raises(SurgetankError, match="no Dask scheduler answers"):
        dask_executor("tcp://127.0.0.1:9")
    assert threading.active_count() <= before + 2
