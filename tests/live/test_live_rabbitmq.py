"""RabbitMQ quorum queues against a real node."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, header

import brokers
from brokers import (
    KeptTransport,
    RecordingSink,
    do,
    flow,
    kept,
    killed_in_mid_flow,
    opened,
    started,
    until,
)
from surgetank.live.payload import encode
from surgetank.live.server import Server
from surgetank.live.systems.rabbitmq.protocol import AmqpConnection, method, publication
from surgetank.live.systems.rabbitmq.target import AmqpConsumer, AmqpPublisher, QuorumQueue
from surgetank.live.target import Outgoing, Refused, TargetError, Where

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started("rabbitmq:", tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


def named(server: Server, name: str, settle_s: str = "0", **options: str) -> Where:
    return brokers.named(server, name, settle_s=settle_s, **options)


async def count(server: Server, queue: str) -> int | None:
    return await QuorumQueue(named(server, queue))._count()


def test_all_that_is_sent_arrives_once_and_in_order(server: Server) -> None:
    async def run() -> None:
        await brokers.end_to_end(named(server, "through"))
        assert await count(server, "through") is None

    do(run())


def test_without_confirmations_all_arrives_too(server: Server) -> None:
    do(brokers.end_to_end(named(server, "unanswered", ack="none")))


def test_a_scenario_runs_end_to_end(server: Server) -> None:
    brokers.played(server, settle_s="0")


def test_a_foreign_one_of_the_same_name_is_refused_and_untouched(server: Server) -> None:
    async def run() -> None:
        foreign = AmqpConnection(server.where, "guest", "guest", "/")
        await foreign.connect()
        await foreign.ask(
            commands.Queue.Declare(
                queue="theirs", durable=True, arguments={"x-queue-type": "quorum"}
            )
        )
        assert foreign.transport is not None
        foreign.transport.write(publication("theirs", b"precious"))
        with pytest.raises(TargetError, match="is there already and is not ours"):
            async with opened(named(server, "theirs"), prepare=True):
                raise AssertionError
        assert await count(server, "theirs") == 1
        await foreign.ask(commands.Queue.Delete(queue="theirs"))
        foreign.abort()

    do(run())


def test_a_full_queue_refuses(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        async with opened(named(server, "full", max_length="50"), prepare=True) as target:
            await flow(target, 200, sent)
            with pytest.raises(Refused, match="nack"):
                await target.publish(brokers.message(200))
            assert sorted(await kept(target)) == sorted(sent.acked)
        assert 50 <= len(sent.acked) < 200 and not sent.unanswered
        assert {reason for _, reason in sent.refusals} == {"nack"}
        assert sorted(sent.acked + [n for n, _ in sent.refusals]) == list(range(200))

    do(run())


def test_what_no_queue_takes_is_refused_and_not_acknowledged(server: Server) -> None:
    async def run() -> None:
        sent = RecordingSink()
        async with opened(named(server, "nowhere")) as target:
            await flow(target, 20, sent)
        assert not sent.acked and sorted(n for n, _ in sent.refusals) == list(range(20))
        assert {reason for _, reason in sent.refusals} == {"returned: no such queue"}

    do(run())


def test_large_and_sampled_messages_pass(server: Server) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def run() -> None:
        async with opened(named(server, "large"), prepare=True) as target:
            payload = encode(brokers.RUN, 7, 400_000, trace)
            await target.publish(Outgoing(7, "order", 0, payload, trace))
            assert [p async for p in target.stored()] == [payload]
            # Given back, it is still there.
            assert await anext(aiter(target.subscribe())) == payload

    do(run())


def test_after_a_kill_everything_acknowledged_is_stored(server: Server) -> None:
    async def run() -> None:
        acknowledged, stored = await killed_in_mid_flow(server, named(server, "killed", "4"))
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))

    do(run(), 180)


def test_a_consumer_goes_on_after_the_queue_is_served_again(server: Server) -> None:
    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, "again")
        async with opened(where, prepare=True) as target:
            consumer = QuorumQueue(where)
            async with brokers.listening(consumer, received):
                await flow(target, 50, sent)
                assert isinstance(target, QuorumQueue) and target._publishing is not None
                target._publishing.abort()
                assert await brokers.until_accepted(target, 100)
                done = received.arrivals
                assert await until(lambda: 49 in done and max(done) >= 100)

    do(run())


def test_wrong_options_and_no_one_there_are_clear_errors(server: Server) -> None:
    with pytest.raises(TargetError, match="`ack` fast is not known"):
        QuorumQueue(named(server, "x", ack="fast"))
    with pytest.raises(TargetError, match="prefetch"):
        QuorumQueue(named(server, "x", prefetch="0"))
    with pytest.raises(TargetError, match="no usable rabbitmq"):
        do(QuorumQueue(Where("rabbitmq", "127.0.0.1", 1, "x", {})).open())
    with pytest.raises(TargetError, match="no usable rabbitmq"):
        do(QuorumQueue(named(server, "x", vhost="none")).open())


CUTS = st.lists(st.integers(1, 900), max_size=20)


def fed(link: AmqpConnection, stream: bytes, cuts: list[int]) -> None:
    ends = [*sorted({c for c in cuts if c < len(stream)}), len(stream)]
    for a, b in zip([0, *ends], ends, strict=False):
        link.data_received(stream[a:b])


def publishing(sink: RecordingSink, count: int) -> AmqpPublisher:
    link = AmqpPublisher(Where("rabbitmq"), "", "", "", quiet=False)
    link.connection_made(KeptTransport())  # type: ignore[arg-type]
    link._ready = True
    link.write(memoryview(b""), np.arange(count), sink)
    return link


@given(CUTS)
def test_confirmations_are_matched_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    sink = RecordingSink()
    link = publishing(sink, 10)
    stream = b"".join(
        method(what)
        for what in (
            commands.Basic.Ack(2),  # the second alone, before the first
            commands.Basic.Ack(4, multiple=True),  # 1, 3, 4
            commands.Basic.Nack(6, multiple=True),  # 5, 6
            commands.Connection.Blocked("low on disk"),
            commands.Basic.Ack(9),
            commands.Basic.Ack(9),  # said twice: reported once
        )
    )
    fed(link, stream, cuts)
    assert sink.acked == [1, 0, 2, 3, 8]
    assert sink.refusals == [(4, "nack"), (5, "nack")]
    link.write(memoryview(b""), np.array([10]), sink)
    assert sink.refusals[-1] == (10, "connection blocked: low on disk")
    link._closing = True
    link.connection_lost(None)
    assert sink.unanswered == [6, 7, 9]


@given(CUTS)
def test_deliveries_are_read_and_acknowledged_wherever_cut(cuts: list[int]) -> None:
    sink, transport = RecordingSink(), KeptTransport()
    link = AmqpConsumer(Where("rabbitmq"), "", "", "", sink=sink)
    link.connection_made(transport)  # type: ignore[arg-type]
    stream = b""
    for i in range(4):
        payload = encode(sink.run, i, 60)
        stream += method(commands.Basic.Deliver("tag", i + 1, False, "", "queue"))
        stream += method(header.ContentHeader(0, len(payload)))
        for part in (payload[:30], payload[30:]):  # a body in two frames
            stream += struct.pack(">BHI", 3, 1, len(part)) + part + b"\xce"
    fed(link, stream, cuts)
    assert sink.arrivals == [0, 1, 2, 3]
    assert transport.written[-1] == method(commands.Basic.Ack(4, multiple=True))
