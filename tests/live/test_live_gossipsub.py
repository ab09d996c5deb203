"""A mesh of py-libp2p nodes of our own, at a rate that such nodes carry."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surgetank.live import LiveOptions, Rig
from surgetank.live.driver.schedule import Schedule
from surgetank.live.registry import parse
from surgetank.live.snapshot import Snapshot
from surgetank.live.systems.addressing import addressed, dealt
from surgetank.live.systems.gossipsub.server import GossipsubServer, ask, regular_graph
from surgetank.live.systems.gossipsub.target import Gossipsub, Receipts
from surgetank.live.target import TargetError, Where
from surgetank.measure import measure
from surgetank.measure.propagation import spread
from surgetank.measure.synchrony import cut_off
from surgetank.scenario import Scenario
from surgetank.trace import Outcome
from surgetank.trace.schema import empty_table
from waiting import until

pytestmark = pytest.mark.live

NODES = 4
ACKNOWLEDGED, DISCONNECTED = 2, 4


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    if command := GossipsubServer.missing():
        pytest.skip(f"no libp2p here: {command}")
    with Rig(f"gossipsub:?nodes={NODES}&heartbeat_ms=300", LiveOptions(patience_s=40)) as rig:
        yield rig


def mesh(rig: Rig) -> GossipsubServer:
    assert isinstance(rig.server, GossipsubServer)
    return rig.server


def even(seconds: float, per_s: float = 10.0, drain_s: float = 15.0) -> Schedule:
    due = np.arange(int(seconds * per_s)) * (1e9 / per_s)
    return Schedule.plain(due.astype(np.int64), drain_s=drain_s)


def test_every_node_but_the_publisher_has_every_message_once(rig: Rig) -> None:
    played = rig.play(even(2.0))
    assert (played.sending.state == ACKNOWLEDGED).all()
    rows = played.deliveries
    got = Counter(zip(rows["number"].tolist(), rows["node"].tolist(), strict=True))
    account = played.schedule.account.tolist()
    wanted = {(i, k) for i in range(20) for k in range(NODES) if k != account[i] % NODES}
    assert set(got) == wanted
    assert set(got.values()) == {1}
    sent = played.sending.sent_ns[rows["number"]] + played.start_ns
    assert (rows["time_ns"] > sent).all()  # one clock, stamped by the nodes themselves
    for address in mesh(rig).control:  # its topic is left at the end
        assert ask(address, f"STAT surgetank-{played.run:08x}")["mesh"] == 0


def test_its_propagation_is_measured_as_the_labs(rig: Rig) -> None:
    fields = {
        "name": "spread",
        "duration_s": 2.0,
        "warmup_s": 0.0,
        "drain_s": 15.0,
        "flow": {"accounts": 16, "arrivals": {"kind": "poisson", "rate_per_s": 8.0}},
    }
    trace = rig.run(Scenario.model_validate(fields), seed=5)
    rows = spread(trace)
    sent = trace["messages"].filter(trace["messages"]["outcome"] == Outcome.EXECUTED)
    assert len(rows) == len(sent) > 4
    assert rows["propagation_full_ns"].null_count() == 0
    assert (rows["propagation_full_ns"] >= rows["propagation_p50_ns"]).all()
    assert set(trace["messages"]["gateway"].to_list()) <= set(range(NODES))


def test_a_killed_node_is_missed_and_joins_again(rig: Rig) -> None:
    acts: list[tuple[float, Callable[[], None]]] = [(0.5, lambda: mesh(rig).kill(3))]

    def watch(snapshot: Snapshot) -> bool:
        if acts and snapshot.seconds >= acts[0][0]:
            acts.pop(0)[1]()
        return True

    played = rig.play(even(3.0, drain_s=1.5), watch=watch)
    state, account = played.sending.state, played.schedule.account
    mine = account % NODES == 3
    late = played.schedule.due_ns > 1_500_000_000
    assert (state[mine & late] == DISCONNECTED).all()
    assert (state[~mine] == ACKNOWLEDGED).all()
    rows = played.deliveries
    assert not np.isin(rows["number"][rows["node"] == 3], np.flatnonzero(late)).any()
    mesh(rig).restart(3)
    assert until(lambda: ask(mesh(rig).control[3], "STAT -")["peers"] == NODES - 1)
    again = rig.play(even(1.0))
    assert (again.deliveries["node"] == 3).sum() == (again.schedule.account % NODES != 3).sum()


def test_a_node_that_is_cut_off_is_seen_in_the_receipts() -> None:
    if command := GossipsubServer.missing():
        pytest.skip(f"no libp2p here: {command}")
    fields = {
        "name": "cut",
        "duration_s": 9.0,
        "warmup_s": 0.0,
        "drain_s": 4.0,
        "flow": {"accounts": 16, "arrivals": {"kind": "poisson", "rate_per_s": 16.0}},
        "faults": [{"kind": "partition", "at_s": 2.0, "duration_s": 5.0, "groups": [[3]]}],
    }
    asked = Scenario.model_validate(fields)
    url = f"gossipsub:?nodes={NODES}&heartbeat_ms=300"
    with Rig(url, LiveOptions(patience_s=40), faults=asked.faults) as rig:
        trace = rig.run(asked, seed=5)
    # What was injected is taken away: the receipts alone must tell.
    blind = dataclasses.replace(trace, tables={**trace.tables, "faults": empty_table("faults")})
    found = cut_off(blind, 1_500_000_000)
    apart = found.filter(pl.col("until_ns") - pl.col("from_ns") > 2_000_000_000)
    assert set(apart["node"]) == {3}
    assert apart["from_ns"].min() > 2_000_000_000  # type: ignore[operator]
    share = measure(blind).value("view_divergence_share")
    assert share is not None and share > 0


def test_wrong_options_are_named(tmp_path: Path) -> None:
    for url, said in (
        ("gossipsub:?nodes=1", "`nodes` 1 is not a number from 2 to 64"),
        ("gossipsub:?graph=star", "`graph` star is not known"),
        ("gossipsub:?nodes=5&graph=random-regular&links=3", "cannot be had by each of 5"),
    ):
        with pytest.raises(TargetError, match=said):
            GossipsubServer(tmp_path, parse(url))


def test_no_one_there_is_said() -> None:
    where = Where("gossipsub", "127.0.0.1", 1, "t", {}, (("127.0.0.1", 1),))
    with pytest.raises(TargetError, match="no node answers"):
        asyncio.run(Gossipsub(where).open())


@given(st.integers(3, 20), st.integers(2, 19), st.integers(0, 1000))
def test_graphs_are_regular_simple_and_connected(n: int, links: int, seed: int) -> None:
    if links >= n or n * links % 2:
        return
    edges = regular_graph(n, links, seed)
    assert len(set(edges)) == len(edges) == n * links // 2
    assert all(a < b for a, b in edges)
    assert set(Counter(node for edge in edges for node in edge).values()) == {links}
    reached = {0}
    for _ in range(n):
        reached |= {x for edge in edges if reached & set(edge) for x in edge}
    assert len(reached) == n
    assert edges == regular_graph(n, links, seed)


@given(st.lists(st.tuples(st.integers(0, 2**62), st.binary(max_size=50))), st.integers(1, 40))
def test_receipts_are_the_same_however_the_stream_is_cut(
    receipts: list[tuple[int, bytes]], step: int
) -> None:
    stream = b"".join(len(p).to_bytes(4) + at.to_bytes(8) + p for at, p in receipts)
    reader = Receipts()
    found = [r for i in range(0, len(stream), step) for r in reader.feed(stream[i : i + step])]
    assert found == receipts


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=300))))
def test_frames_are_dealt_to_their_nodes_in_order(frames: list[tuple[int, bytes]]) -> None:
    stream = memoryview(b"".join(addressed(node, frame) for node, frame in frames))
    numbers = np.arange(len(frames), dtype=np.int64)
    found = dealt(stream, numbers)
    for node in {node for node, _ in frames}:
        part, whose = found.pop(node)
        assert part == b"".join(frame for at, frame in frames if at == node)
        assert whose.tolist() == [i for i, (at, _) in enumerate(frames) if at == node]
    assert not found
