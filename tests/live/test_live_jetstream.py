"""JetStream against a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import numpy as np
import pytest

import brokers
from brokers import (
    RUN,
    RecordingSink,
    do,
    flow,
    kept,
    killed_in_mid_flow,
    named,
    opened,
    started,
    until,
)
from surgetank.live import LiveOptions, Rig, Schedule, Snapshot
from surgetank.live.driver.recording import State
from surgetank.live.payload import Numbers, encode
from surgetank.live.server import Server
from surgetank.live.systems.jetstream import management
from surgetank.live.systems.jetstream.management import last_sequence, managed
from surgetank.live.systems.jetstream.target import JetStream
from surgetank.live.systems.nats.server import NatsServer
from surgetank.live.target import Disconnected, Outgoing, Refused, TargetError, Where

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    assert NatsServer.missing() is None, "NATS is never skipped"
    with started("jetstream:?sync=always", tmp_path_factory.mktemp("jetstream")) as server:
        yield server


def streams(server: Server) -> set[str]:
    """Names of all streams."""
    found: set[str] = set()

    async def ask() -> None:
        async with managed(server.where) as manager:
            found.update(str(info.config.name) for info in await manager.streams_info())

    do(ask())
    return found


@pytest.mark.parametrize(
    "options",
    [{"ack": ack} for ack in JetStream.acks] + [{"consumer": "explicit"}, {"dedup": "5"}],
    ids=str,
)
def test_all_that_is_sent_arrives_once_and_in_order(
    server: Server, options: dict[str, str]
) -> None:
    do(brokers.end_to_end(named(server, "through", **options), count=150))
    assert "through" not in streams(server)


def test_stream_stamps_lie_between_sending_and_delivery(server: Server) -> None:
    """They are the server's wall clock, the same machine's: reported on our monotonic clock."""

    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        times: list[tuple[Numbers, int]] = []
        plain = received.delivered

        def delivered(numbers: Numbers, at_ns: int, *, decided_ns: Numbers) -> None:
            times.append((decided_ns, at_ns))
            plain(numbers, at_ns)

        received.delivered = delivered  # type: ignore[method-assign,assignment]
        where = named(server, "stamps")
        async with opened(where, prepare=True) as target, opened(where) as subscriber:
            assert target.capabilities.stamps == ("decided",)
            async with brokers.listening(subscriber, received):
                await flow(target, 100, sent)
                assert await until(lambda: len(received.arrivals) == 100)
        decided = np.concatenate([stamps for stamps, _ in times])
        assert len(decided) == 100 and (np.diff(decided) >= 0).all()
        # An adjustment of the wall clock between two readings is at most this.
        assert all((stamps <= at_ns + 50_000_000).all() for stamps, at_ns in times)
        assert decided[-1] - decided[0] > 50_000_000

    do(run())


def test_what_the_stream_refuses_is_reported_with_its_reason(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        where = named(server, "full", bytes_max="20000")
        async with opened(where, prepare=True) as target:
            await flow(target, 200, sent)
            assert {reason for _, reason in sent.refusals} == {"maximum bytes exceeded"}
            assert sorted(sent.acked + [n for n, _ in sent.refusals]) == list(range(200))
            assert await kept(target) == sent.acked == list(range(len(sent.acked)))
            with pytest.raises(Refused, match="maximum bytes"):
                await target.publish(brokers.message(200))

    do(run())


def test_without_a_stream_publishing_is_refused(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        async with opened(named(server, "nowhere")) as target:
            await flow(target, 5, sent)
            with pytest.raises(TargetError, match="is not there"):
                await kept(target)
        assert sent.refusals == [(n, "no stream answers") for n in range(5)]

    do(run())


def test_a_duplicate_within_the_window_is_stored_once(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        async with opened(named(server, "twice", dedup="5"), prepare=True) as target:
            for _ in range(2):
                await target.publish(brokers.message(1))
                await flow(target, 10, sent, first=10)
            assert await kept(target) == [1, *range(10, 20)]

    do(run())


def test_a_foreign_stream_of_the_same_name_is_refused_and_untouched(server: Server) -> None:
    """Also one with the very same settings, which JetStream itself would accept as the same; and
    one that took the name in mid-run is not deleted."""

    async def run() -> None:
        where = named(server, "theirs")
        async with opened(where, prepare=True) as theirs:
            await theirs.publish(brokers.message(1))
            ours = JetStream(where)
            with pytest.raises(TargetError, match="is there already and is not ours"):
                await ours.prepare()
            await ours.dispose()
            assert await kept(theirs) == [1]
        async with managed(server.where) as manager:
            await manager.add_stream(name="wide", subjects=["*"])
            with pytest.raises(TargetError, match="cannot be made"):
                await JetStream(named(server, "overlap")).prepare()
            await manager.delete_stream("wide")

    do(run())
    assert not streams(server)


@pytest.mark.parametrize("ack", ["file", "file-sync"])
def test_after_a_kill_everything_acknowledged_is_stored(server: Server, ack: str) -> None:
    """A kill of the process does not lose what the kernel has been given."""

    async def run() -> None:
        acknowledged, stored = await killed_in_mid_flow(server, named(server, "killed", ack=ack))
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))

    do(run())


def test_memory_alone_forgets(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        async with opened(named(server, "forgets", ack="memory"), prepare=True) as target:
            await flow(target, 20, sent)
            assert await kept(target) == list(range(20))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.restart)
            with pytest.raises(TargetError, match="is not there"):
                await kept(target)

    do(run())


@pytest.mark.parametrize("consumer", ["ordered", "explicit"])
def test_a_subscriber_goes_on_after_a_kill(server: Server, consumer: str) -> None:
    """Ordered: nothing twice. Explicit: at least once."""

    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, "goes-on", consumer=consumer, ack_wait="1")
        async with (
            opened(where, prepare=True) as publisher,
            opened(where) as subscriber,
            brokers.listening(subscriber, received),
        ):
            assert publisher.capabilities.redelivers == (consumer == "explicit")
            await flow(publisher, 50, sent)
            assert await until(lambda: len(received.arrivals) >= 50)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.restart)
            assert await brokers.until_accepted(publisher, 100)
            await flow(publisher, 50, sent, first=1000)
            assert await until(lambda: bool(received.arrivals) and received.arrivals[-1] == 1049)
            assert set(received.arrivals) == set(await kept(publisher))
        if consumer == "ordered":
            assert received.arrivals == sorted(set(received.arrivals))

    do(run())


def test_unacknowledged_messages_come_again(server: Server) -> None:
    """A consumer that dies before it has acknowledged: JetStream delivers again."""

    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, "again", consumer="explicit", ack_wait="0.2")
        async with opened(where, prepare=True) as publisher, opened(where) as subscriber:
            assert isinstance(subscriber, JetStream)
            seen = subscriber._seen
            subscriber._seen = lambda blocks: None  # type: ignore[method-assign]
            async with brokers.listening(subscriber, received):
                await flow(publisher, 5, sent)
                assert await until(lambda: received.arrivals.count(0) >= 2)
                subscriber._seen = seen  # type: ignore[method-assign]
                assert set(received.arrivals) == set(range(5))

    do(run())


def test_payloads_one_by_one(server: Server) -> None:
    async def run() -> None:
        async with opened(named(server, "alone"), prepare=True) as target:
            coming = aiter(target.subscribe())
            await target.publish(brokers.message(1))
            assert await anext(coming) == encode(RUN, 1, brokers.SIZE_BYTES)
            await coming.aclose()  # type: ignore[attr-defined]
            await target.close()
            with pytest.raises(Disconnected):
                await target.publish(brokers.message(2))
            await target.open()

    do(run())


def test_sampled_messages_carry_the_trace_context(server: Server) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def run() -> None:
        async with opened(named(server, "traced"), prepare=True) as target:
            await target.publish(Outgoing(1, "order", 0, encode(RUN, 1, 90, parent), parent))
            async with managed(server.where) as manager:
                got = await manager.get_msg("traced", 1)
            assert (got.headers or {})["traceparent"] == parent

    do(run())


def test_wrong_options_are_said() -> None:
    for options, words in (
        ({"ack": "disk"}, "`ack` disk is not known"),
        ({"ack": "file-sync"}, "needs a server with sync_interval always"),
        ({"consumer": "best"}, "`consumer` best is not known"),
        ({"dedup": "soon"}, "`dedup` soon is not a number"),
    ):
        with pytest.raises(TargetError, match=words):
            JetStream(Where("jetstream", "127.0.0.1", 1, "x", options))
    with pytest.raises(TargetError, match="not the name of a stream"):
        JetStream(Where("jetstream", "127.0.0.1", 1, "a.b"))


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and is silent from there, as one behind a cut link is."""
    monkeypatch.setattr(management, "_ANSWER_S", 0.3)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576}\r\n')
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TargetError, match=f"127.0.0.1:{port}"):
            await JetStream(Where("jetstream", "127.0.0.1", port, "mine")).prepare()
        server.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_positions_in_reply_subjects() -> None:
    """The old form of nine words, and the one with domain and account."""
    for reply in (
        "$JS.ACK.s.c.1.20.3.1700000000000000000.5",
        "$JS.ACK.hub.acc.s.c.1.20.3.1700000000000000000.5.x",
    ):
        assert last_sequence(reply) == 20


def test_a_whole_run_with_a_kill_says_what_became_of_each_message() -> None:
    """The server is killed in mid-run and comes back; what it had acknowledged is delivered."""
    killed: list[int] = []

    with Rig("jetstream:", LiveOptions(inflight_max=10_000)) as rig:

        def watch(seen: Snapshot) -> bool:
            if seen.sent >= 300 and not killed:
                assert rig.server is not None
                killed.append(seen.sent)
                rig.server.kill()
                time.sleep(0.2)
                rig.server.restart()
            return True

        schedule = Schedule.plain(np.arange(900, dtype=np.int64) * 2_500_000, drain_s=5.0)
        played = rig.play(schedule, watch=watch)
    assert killed and played.complete
    states = [State(s) for s in played.sending.state.tolist()]
    answered = {State.ACKNOWLEDGED, State.REFUSED, State.DISCONNECTED}
    assert {State.ACKNOWLEDGED, State.DISCONNECTED} <= set(states) <= answered
    assert states[-1] == State.ACKNOWLEDGED  # connected again by itself
    delivered = set(np.flatnonzero(played.first_ns() >= 0).tolist())
    assert {n for n, state in enumerate(states) if state == State.ACKNOWLEDGED} <= delivered
    assert played.version.startswith("nats-server v")
