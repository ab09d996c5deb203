"""Redis Streams against a real server."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brokers
from brokers import RecordingSink, do, flow, killed_in_mid_flow, named, opened, started, until
from surgetank.live.payload import encode
from surgetank.live.server import Server
from surgetank.live.systems.redis.protocol import RedisPublisher, RedisReader
from surgetank.live.systems.redis.target import RedisStream
from surgetank.live.target import Disconnected, Refused, TargetError, Where

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started("redis:?ack=always", tmp_path_factory.mktemp("redis")) as server:
        yield server


def command(server: Server, *words: str) -> bytes:
    """One command in Redis' inline form, and its answer's first bytes."""
    with socket.create_connection(server.where.addresses[0], 5.0) as link:
        link.sendall(" ".join(words).encode() + b"\r\n")
        return link.recv(4096)


def test_all_that_is_sent_arrives_once_and_in_order(server: Server) -> None:
    do(brokers.end_to_end(named(server, "through")))
    assert command(server, "EXISTS", "through") == b":0\r\n"


def test_without_waiting_for_answers_all_arrives_too(server: Server) -> None:
    do(brokers.end_to_end(named(server, "unanswered", ack="none")))


def test_a_scenario_runs_end_to_end(server: Server) -> None:
    brokers.played(server, ack="always")


def test_a_foreign_one_of_the_same_name_is_refused_and_untouched(server: Server) -> None:
    command(server, "XADD", "theirs", "1-1", "p", "precious")

    async def take() -> None:
        async with opened(named(server, "theirs"), prepare=True):
            raise AssertionError

    with pytest.raises(TargetError, match="is there already and is not ours"):
        do(take())
    assert b"precious" in command(server, "XRANGE", "theirs", "-", "+")
    command(server, "DEL", "theirs")


def test_a_foreign_entries_in_our_stream_are_not_counted(server: Server) -> None:
    async def run() -> None:
        where = named(server, "mixed")
        async with opened(where, prepare=True) as target:
            sent, received = RecordingSink(), RecordingSink()
            async with brokers.listening(target, received):
                await flow(target, 10, sent)
                command(server, "XADD", "mixed", "*", "p", "foreign")
                await flow(target, 10, RecordingSink(), first=10)
                assert await until(lambda: len(received.arrivals) == 20)

    do(run())


def test_a_full_server_refuses_and_says_why(server: Server) -> None:
    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        async with opened(named(server, "full"), prepare=True) as target:
            async with brokers.listening(target, received):
                await flow(target, 100, sent)
                command(server, "CONFIG", "SET", "maxmemory", "1mb")  # it has more already
                await flow(target, 100, sent, first=100)
                assert await until(lambda: len(received.arrivals) >= 100)
            with pytest.raises(Refused, match="OOM"):
                await target.publish(brokers.message(200))
        assert sent.acked == received.arrivals == list(range(100))
        assert [number for number, _ in sent.refusals] == list(range(100, 200))
        assert {reason[:3] for _, reason in sent.refusals} == {"OOM"}

    try:
        do(run())
    finally:
        command(server, "CONFIG", "SET", "maxmemory", "0")


def test_after_a_kill_everything_acknowledged_is_stored(server: Server) -> None:
    brokers.kill_keeps_what_was_acknowledged(server)


def test_a_reader_goes_on_after_a_kill_and_hears_nothing_twice(server: Server) -> None:
    async def run() -> None:
        where, sent, received = named(server, "goes-on"), RecordingSink(), RecordingSink()
        async with (
            opened(where, prepare=True) as target,
            opened(where) as subscriber,
            brokers.listening(subscriber, received),
        ):
            await flow(target, 100, sent)
            assert await until(lambda: len(received.arrivals) == 100)
            server.kill()
            server.restart()
            assert await brokers.until_accepted(target, 200)
            assert await until(lambda: received.arrivals[-1] >= 200)
        assert len(set(received.arrivals)) == len(received.arrivals)

    do(run())


def test_a_level_that_the_server_does_not_have_is_refused(server: Server) -> None:
    async def run() -> None:
        async with opened(named(server, "x", ack="everysec")):
            raise AssertionError

    with pytest.raises(TargetError, match="appendfsync always"):
        do(run())
    with pytest.raises(TargetError, match="`ack` fast is not known"):
        RedisStream(named(server, "x", ack="fast"))


def test_memory_alone_forgets(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def run(server: Server) -> None:
        acknowledged, stored = await killed_in_mid_flow(server, named(server, "forgets"))
        assert acknowledged and not stored

    with started("redis:?ack=memory", tmp_path_factory.mktemp("redis-memory")) as server:
        do(run(server))


def test_no_one_there_is_one_clear_error() -> None:
    async def run() -> None:
        await RedisStream(Where("redis", "127.0.0.1", 1, "x", {})).open()

    with pytest.raises(TargetError, match="no usable redis"):
        do(run())


def test_one_message_alone_is_answered(server: Server) -> None:
    async def run() -> None:
        async with opened(named(server, "alone"), prepare=True) as target:
            await target.publish(brokers.message(1))
            await anext(aiter(target.subscribe()))
            await target.close()
            with pytest.raises(Disconnected):
                await target.publish(brokers.message(2))
            await target.open()  # to be disposed of

    do(run())


class _Link:
    """A transport that swallows."""

    def write(self, data: bytes) -> None: ...
    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


CUTS = st.lists(st.integers(1, 400), max_size=20)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*sorted({c for c in cuts if c < len(stream)}), len(stream)]
    return [stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@given(st.lists(st.booleans(), min_size=1, max_size=15), CUTS)
def test_answers_are_matched_wherever_the_stream_is_cut(oks: list[bool], cuts: list[int]) -> None:
    sink = RecordingSink()
    link = RedisPublisher(Where("redis"), quiet=False)
    link.connection_made(_Link())  # type: ignore[arg-type]
    link.write(memoryview(b""), np.arange(len(oks)), sink)
    answers = [b"$15\r\n1700000000000-%d\r\n" % (i % 10) if ok else b"-OOM no\r\n"
               for i, ok in enumerate(oks)]  # fmt: skip
    for piece in pieces(b"".join(answers), cuts):
        link.data_received(piece)
    assert sink.acked == [i for i, ok in enumerate(oks) if ok]
    assert [n for n, _ in sink.refusals] == [i for i, ok in enumerate(oks) if not ok]


@given(st.integers(1, 400))
def test_an_answer_cut_off_is_asked_for_again_and_reported_once(cut: int) -> None:
    sink, asked = RecordingSink(), []

    class Link(_Link):
        def write(self, data: bytes) -> None:
            asked.append(data)

    reading = RedisReader(b"s", sink)
    stream = b"*1\r\n*2\r\n$1\r\ns\r\n*3\r\n"
    for i in range(3):
        head = b"*2\r\n$15\r\n1700000000000-%d\r\n*2\r\n$1\r\np\r\n$40\r\n" % i
        stream += head + encode(sink.run, i, 40) + b"\r\n"
    reading.connection_made(Link())  # type: ignore[arg-type]
    reading.data_received(stream[: min(cut, len(stream))])
    reading.connection_lost(None)
    reading.connection_made(Link())  # type: ignore[arg-type]
    assert asked[1] == asked[0]
    reading.data_received(stream + b"+PONG\r\n")
    assert sink.arrivals == [0, 1, 2]
    assert b"1700000000000-2" in asked[2]


@given(CUTS)
def test_numbers_and_the_last_id_are_found_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    sink, asked = RecordingSink(), []

    class Link(_Link):
        def write(self, data: bytes) -> None:
            asked.append(data)

    reading = RedisReader(b"s", sink)
    reading.connection_made(Link())  # type: ignore[arg-type]
    entries = []
    for i in range(3):
        payload = encode(sink.run, i, 40)
        entries.append(
            b"*2\r\n$15\r\n1700000000000-%d\r\n*2\r\n$1\r\np\r\n$40\r\n%s\r\n" % (i, payload)
        )
    stream = b"*1\r\n*2\r\n$1\r\ns\r\n*3\r\n" + b"".join(entries) + b"+PONG\r\n"
    for piece in pieces(stream, cuts):
        reading.data_received(piece)
    assert sink.arrivals == [0, 1, 2]
    assert len(asked) == 2 and b"1700000000000-2" in asked[1]
