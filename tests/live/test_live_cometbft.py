"""CometBFT: a localnet of our own, and what can be said of it without one."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State as ConnectionState
from websockets.server import ServerProtocol

from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Rig
from surgetank.live.driver.facts import Played, trace_of
from surgetank.live.driver.recording import State
from surgetank.live.driver.schedule import Schedule
from surgetank.live.payload import decode, encode
from surgetank.live.proxy import Fate, Link, Proxy
from surgetank.live.registry import parse
from surgetank.live.snapshot import Snapshot
from surgetank.live.systems.cometbft.blocks import monotonic
from surgetank.live.systems.cometbft.server import Localnet, _edited
from surgetank.live.systems.cometbft.target import CometBFT, payload_of, transaction_of
from surgetank.live.systems.cometbft.websocket import WebSocket, text_frame
from surgetank.live.target import TargetError
from surgetank.measure import FailureKind, measure, synchrony_of
from surgetank.scenario import Scenario
from surgetank.trace import Outcome, Trace
from waiting import until

pytestmark = pytest.mark.live

FAST = "timeout_commit_ms=100&timeout_propose_ms=400&timeout_vote_ms=200"


def started(url: str) -> Iterator[Rig]:
    if command := Localnet.missing():
        pytest.skip(f"no cometbft here: {command}")
    with Rig(url, LiveOptions(patience_s=30)) as rig:
        yield rig


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    yield from started(f"cometbft:?{FAST}")


def even(seconds: float, per_s: float = 200.0, drain_s: float = 2.0) -> Schedule:
    due = np.arange(int(seconds * per_s)) * (1e9 / per_s)
    return Schedule.plain(due.astype(np.int64), drain_s=drain_s)


def net(rig: Rig) -> Localnet:
    assert isinstance(rig.server, Localnet)
    return rig.server


def once(at_s: float, act: Callable[[], None]) -> Callable[[Snapshot], bool]:
    """A watch that does something at a time of the run."""
    left = [act]

    def watch(snapshot: Snapshot) -> bool:
        if left and snapshot.seconds >= at_s:
            left.pop()()
        return True

    return watch


def delivered_by(played: Played, node: int) -> list[int]:
    rows = played.deliveries
    return [int(number) for number in rows["number"][rows["node"] == node]]


def test_every_validator_executes_everything_once_and_in_one_order(rig: Rig) -> None:
    played = rig.play(even(2.0, drain_s=1.5))
    assert (played.sending.state == State.ACKNOWLEDGED).all()
    first = delivered_by(played, 0)
    assert sorted(first) == list(range(400))
    assert all(delivered_by(played, node) == first for node in (1, 2, 3))
    rows = played.deliveries
    assert (rows["decided_ns"] <= rows["time_ns"]).all()
    assert (np.diff(rows["height"][rows["node"] == 2]) >= 0).all()
    # Decided after it was sent, up to the step of the validators' wall clock.
    sent = played.sending.sent_ns[rows["number"]] + played.start_ns
    assert (rows["decided_ns"] > sent - 1_000_000).all()


def test_the_trace_has_blocks_and_who_executed_them(rig: Rig) -> None:
    fields = {
        "name": "chain",
        "duration_s": 2.0,
        "warmup_s": 0.0,
        "drain_s": 2.0,
        "flow": {"accounts": 16, "arrivals": {"kind": "poisson", "rate_per_s": 100.0}},
    }
    trace = rig.run(Scenario.model_validate(fields), seed=3)
    blocks, executions = trace["blocks"].sort("height"), trace["executions"]
    heights = blocks["height"].to_list()
    assert len(heights) > 2
    assert heights == list(range(heights[0], heights[-1] + 1))
    executed = trace["messages"].filter(trace["messages"]["outcome"] == Outcome.EXECUTED)
    assert len(executed) > 50
    assert blocks["messages"].sum() == len(executed)
    # A message waits in mempools until its block is proposed, and then for the votes.
    assert (executed["queued_ns"] < executed["proposed_ns"]).mean() > 0.5  # type: ignore[operator]
    assert (executed["proposed_ns"] < executed["decided_ns"]).mean() > 0.5  # type: ignore[operator]
    assert set(blocks["proposer"].to_list()) <= {0, 1, 2, 3}
    assert (blocks["proposed_ns"] <= blocks["decided_ns"]).all()
    assert blocks["size_bytes"].min() > 0  # type: ignore[operator]
    assert set(executions["node"].to_list()) == {0, 1, 2, 3}
    found = measure(trace)
    assert (found.value("lag_max_ms") or 0) > 0
    assert found.value("fault_budget_left") is not None
    assert (found.value("state_age_p99_ms.order") or 0) > 0


def test_one_validator_killed_the_chain_goes_on(rig: Rig) -> None:
    played = rig.play(even(3.5, drain_s=9.0), watch=once(1.0, lambda: net(rig).kill(3)))
    try:
        state, account = played.sending.state, played.schedule.account
        assert (state[account % 4 != 3] == State.ACKNOWLEDGED).all()
        assert (state[account % 4 == 3] == State.DISCONNECTED).any()
        late = (played.schedule.due_ns > 2_500_000_000) & (account % 4 != 3)
        assert (played.first_ns()[late] >= 0).any()
    finally:
        net(rig).restart(3)
    assert until(lambda: net(rig).height(3) >= net(rig).height(0))


def test_a_validator_that_is_stopped_trails_and_catches_up(rig: Rig) -> None:
    """From heights alone: one of four stands still for four seconds, and the others go on."""

    def send(number: signal.Signals) -> Callable[[], None]:
        return lambda: os.kill(net(rig).pids[3], number)

    steps = [once(1.0, send(signal.SIGSTOP)), once(5.0, send(signal.SIGCONT))]
    try:
        played = rig.play(even(7.0, drain_s=4.0), watch=lambda seen: all([s(seen) for s in steps]))
    finally:
        send(signal.SIGCONT)()
    assert until(lambda: net(rig).height(3) >= net(rig).height(0))
    found = synchrony_of(trace := judged(played, lag_max_ms=1_000.0))
    assert not found.failures
    measures = measure(trace)
    assert measures.value("fault_budget_left") == pytest.approx(1 / 3 - 1 / 4)
    # Four seconds less the tolerance and a block or two, and the time to catch up.
    assert 0.5 < (measures.value("half_budget_s") or 0) < 6.0
    assert 1_500 < (measures.value("lag_max_ms") or 0) < 8_000


def judged(played: Played, lag_max_ms: float) -> Trace:
    """By heights; nothing here says what was done to anybody."""
    fields = {
        "name": "judged",
        "layer": {"consensus": {"kind": "tendermint", "timeout_propose_ms": 400.0}},
        "limits": {"lag_max_ms": lag_max_ms},
    }
    return trace_of(played, Scenario.model_validate(fields), 1)


def stands_still(played: Played) -> None:
    """From the heights alone; nothing in the trace says that anybody was killed."""
    trace = judged(played, lag_max_ms=300.0)
    found = synchrony_of(trace)
    assert FailureKind.STANDSTILL in [failure.kind for failure in found.failures]
    begin, until = found.standstills[-1]
    assert begin > 500_000_000 and until == trace.end_ns
    assert measure(trace).value("fault_budget_left") == pytest.approx(1 / 3 - 1)


def test_two_killed_it_halts_and_goes_on_after_the_restart(rig: Rig) -> None:
    def kill_two() -> None:
        net(rig).kill(2)
        net(rig).kill(3)

    played = rig.play(even(3.0, drain_s=0.2), watch=once(0.5, kill_two))
    halted = net(rig).height(0)
    stands_still(played)
    state, account = played.sending.state, played.schedule.account
    late = (played.schedule.due_ns > 2_000_000_000) & (account % 4 < 2)
    # Mempools take them; no block does.
    assert (state[late] == State.ACKNOWLEDGED).all()
    assert (played.first_ns()[late] < 0).all()
    assert net(rig).pids[2:] == [0, 0]
    net(rig).restart(2)
    net(rig).restart(3)
    assert until(lambda: net(rig).height(0) >= halted + 2)
    # What was acknowledged by the two that lived was in their mempools all the time.
    target = CometBFT(rig.where)

    async def read_back() -> set[int | None]:
        await target.open()
        found = {decode(played.run, payload) async for payload in target.stored()}
        await target.close()
        return found

    wanted = {int(number) for number in np.flatnonzero(late)}
    assert until(lambda: wanted <= asyncio.run(read_back()))


def test_a_full_mempool_refuses_and_says_why() -> None:
    for rig in started("cometbft:?validators=1&mempool_size=20&timeout_commit_ms=1500"):
        played = rig.play(even(1.0, 300.0, drain_s=3.0))
        state = played.sending.state
        assert (state == State.REFUSED).sum() > 100
        publisher = played.finished["publisher-0"].publisher
        assert publisher is not None and set(publisher.refusals) == {"mempool is full"}
        assert (played.first_ns()[state == State.ACKNOWLEDGED] >= 0).all()
        assert (played.first_ns()[state == State.REFUSED] < 0).all()


def test_validators_talk_through_a_proxy_and_one_is_cut_off(tmp_path: Path) -> None:
    if command := Localnet.missing():
        pytest.skip(f"no cometbft here: {command}")
    server = Localnet(tmp_path, parse(f"cometbft:?{FAST}"))
    links = [Link(f"{a}-{b}", a, b, at) for (a, b), at in server.links().items()]
    with Proxy(links) as proxy:
        server.route({(link.a, link.b): proxy.address(link.name) for link in links})
        try:
            server.start()
            mine = [link.name for link in links if 3 in (link.a, link.b)]
            for name in mine:
                proxy.set(name, Fate(cut="hang"))
            time.sleep(0.5)
            cut_at, others_at = server.height(3), server.height(0)
            assert until(lambda: server.height(0) >= others_at + 3)
            assert server.height(3) <= cut_at + 1
            for name in mine:
                proxy.set(name, Fate())
            assert until(lambda: server.height(3) > others_at + 2)
        finally:
            server.stop()
    assert server.pids == [0] * 4


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"validators.*99 is not a number from 1 to 16"):
        Localnet(tmp_path, parse("cometbft:?validators=99"))
    with pytest.raises(TargetError, match=r"timeout_commit_ms.*soon"):
        Localnet(tmp_path, parse("cometbft:?timeout_commit_ms=soon"))
    with pytest.raises(TargetError, match="`ack` commit is not known"):
        CometBFT(parse("cometbft://127.0.0.1:1?ack=commit"))


def test_no_one_there_is_said_with_the_hint() -> None:
    with pytest.raises(TargetError, match=r"no CometBFT node answers.*26657"):
        asyncio.run(CometBFT(parse("cometbft://127.0.0.1:1")).open())


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 300), st.booleans())
def test_payloads_are_key_and_value_and_back(
    run: int, number: int, size: int, traced: bool
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" if traced else None
    payload = encode(run, number, size, trace)
    transaction = transaction_of(payload)
    key, value = transaction.split(b"=")  # exactly one, as the key-value store wants it
    assert key
    assert value
    assert b":" not in transaction
    assert payload_of(transaction) == payload
    assert decode(run, transaction) == number


def test_further_ports_are_further_nodes() -> None:
    where = parse("cometbft://127.0.0.1:26657?ports=26660,26657")
    assert where.addresses == (("127.0.0.1", 26657), ("127.0.0.1", 26660))
    assert CometBFT(where).capabilities.copies == 2
    with pytest.raises(SurgetankError, match="not a port"):
        parse("cometbft://127.0.0.1:26657?ports=26660,many")


def test_foreign_transactions_are_no_payloads() -> None:
    assert payload_of(b"name=satoshi") is None
    assert payload_of(b"SGT1 and no key in its place") is None


def test_stamps_keep_their_nanoseconds() -> None:
    assert monotonic("1970-01-01T00:00:02.000000003Z", 10) == 2_000_000_013
    assert monotonic("1970-01-01T00:00:02.5Z", 0) == 2_500_000_000
    assert monotonic("1970-01-01T00:00:02Z", 0) == 2_000_000_000


def test_settings_are_changed_in_their_section_only() -> None:
    text = "size = 1\n[mempool]\nsize = 2\n[rpc]\nsize = 3\n"
    assert (
        _edited(text, {("mempool", "size"): "9"})
        == "size = 1\n[mempool]\nsize = 9\n[rpc]\nsize = 3\n"
    )
    with pytest.raises(TargetError, match="has no"):
        _edited(text, {("mempool", "volume"): "9"})


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def abort(self) -> None:
        pass


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.lists(st.integers(0, 80_000)))
def test_messages_are_the_same_however_the_stream_is_cut(
    texts: list[bytes], cuts: list[int]
) -> None:
    heard: list[bytes] = []

    async def feed() -> int:
        socket = WebSocket("ws://x", lambda came, at: heard.extend(came), lambda: None)
        wire, server = _Wire(), ServerProtocol()
        socket.connection_made(wire)
        server.receive_data(wire.sent)
        (request,) = server.events_received()
        assert isinstance(request, Request)
        server.send_response(server.accept(request))
        for text in texts:
            server.send_ping(b"hi")
            server.send_text(text)
        stream = b"".join(server.data_to_send())
        wire.sent, at = b"", 0
        for cut in sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)}):
            socket.data_received(stream[at:cut])
            at = cut
        server.receive_data(wire.sent)
        answers = [event for event in server.events_received() if isinstance(event, Frame)]
        return sum(frame.opcode is Opcode.PONG and frame.data == b"hi" for frame in answers)

    assert asyncio.run(feed()) == len(texts)
    assert heard == texts


def test_what_is_no_websocket_is_said() -> None:
    async def answered(answer: bytes) -> None:
        socket = WebSocket("ws://x", lambda came, at: None, lambda: None)
        socket.connection_made(_Wire())
        socket.data_received(answer)
        await socket._opened

    for answer in (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-x\r\n\r\n"):
        with pytest.raises(TargetError, match="does not speak WebSocket here"):
            asyncio.run(answered(answer))


@given(st.binary(max_size=70_000))
def test_a_servers_library_reads_our_frames(text: bytes) -> None:
    server = ServerProtocol(state=ConnectionState.OPEN)
    server.receive_data(text_frame(text))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame) and frame.opcode is Opcode.TEXT and frame.data == text
