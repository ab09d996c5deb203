"""Kafka's protocol against a real Apache Kafka broker."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st

import brokers
from brokers import (
    KeptTransport,
    RecordingSink,
    do,
    flow,
    kept,
    named,
    opened,
    started,
    until,
)
from surgetank.live.payload import encode
from surgetank.live.server import Server
from surgetank.live.systems.kafka.protocol import Batches, Producing, _packed, framed
from surgetank.live.systems.kafka.target import Kafka
from surgetank.live.target import Outgoing, Refused, TargetError, Where

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started("kafka:", tmp_path_factory.mktemp("kafka")) as server:
        yield server


async def topics(server: Server) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{server.where.port}")
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


def test_all_that_is_sent_arrives_once_and_in_order(server: Server) -> None:
    async def run() -> None:
        await brokers.end_to_end(named(server, "through"))
        assert "through" not in await topics(server)

    do(run())


@pytest.mark.parametrize("ack", ["none", "leader", "fsync"])
def test_at_every_level_all_arrives(server: Server, ack: str) -> None:
    do(brokers.end_to_end(named(server, f"level-{ack}", ack=ack)))


def test_a_scenario_runs_end_to_end(server: Server) -> None:
    brokers.played(server)


def test_a_foreign_one_of_the_same_name_is_refused_and_untouched(server: Server) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{server.where.port}")
        await admin.start()
        await admin.create_topics([NewTopic("theirs", 1, 1)])
        theirs = Kafka(named(server, "theirs"))
        await theirs._led()
        await theirs.open()
        await theirs.publish(brokers.message(1))
        with pytest.raises(TargetError, match="is there already and is not ours"):
            async with opened(named(server, "theirs"), prepare=True):
                raise AssertionError
        assert await kept(theirs) == [1]
        await theirs.close()
        await admin.delete_topics(["theirs"])
        await admin.close()

    do(run())


def test_what_is_too_large_is_refused_and_the_rest_passes(server: Server) -> None:
    async def run() -> None:
        where = named(server, "small", max_message_bytes="2000")
        async with opened(where, prepare=True) as target:
            sent = RecordingSink()
            await flow(target, 100, sent)
            large = Outgoing(100, "order", 0, encode(brokers.RUN, 100, 5000))
            with pytest.raises(Refused, match="MessageSizeTooLarge"):
                await target.publish(large)
            await flow(target, 100, sent, first=101)
            assert await kept(target) == sent.acked == [*range(100), *range(101, 201)]
        assert not sent.refusals and not sent.unanswered

    do(run())


def test_no_such_topic_is_a_refusal(server: Server) -> None:
    async def run() -> None:
        async with opened(named(server, "nowhere")) as target:
            with pytest.raises(Refused, match="UnknownTopic"):
                await target.publish(brokers.message(1))

    do(run())


def test_a_sampled_message_has_its_trace_in_a_header(server: Server) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def run() -> None:
        from aiokafka import AIOKafkaConsumer

        async with opened(named(server, "sampled"), prepare=True) as target:
            payload = encode(brokers.RUN, 7, 200, trace)
            await target.publish(Outgoing(7, "order", 0, payload, trace))
            witness = AIOKafkaConsumer(
                "sampled",
                bootstrap_servers=f"127.0.0.1:{server.where.port}",
                auto_offset_reset="earliest",
            )
            await witness.start()
            record = await witness.getone()
            await witness.stop()
            assert record.value == payload
            assert record.headers == (("traceparent", trace.encode()),)

    do(run())


def test_after_a_kill_everything_acknowledged_is_stored(server: Server) -> None:
    brokers.kill_keeps_what_was_acknowledged(server, 180)


def test_a_subscriber_goes_on_when_its_connection_ends(server: Server) -> None:
    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, "again")
        async with opened(where, prepare=True) as target:
            assert isinstance(target, Kafka)
            async with brokers.listening(Kafka(where), received):
                await flow(target, 50, sent)
                assert target._producing is not None
                target._producing.abort()
                assert await brokers.until_accepted(target, 100)
                assert await until(lambda: len(received.arrivals) >= 51)
        assert received.arrivals[:50] == list(range(50)) and received.arrivals[50] >= 100

    do(run())


def test_wrong_options_and_no_one_there_are_clear_errors(server: Server) -> None:
    with pytest.raises(TargetError, match="`ack` fast is not known"):
        Kafka(named(server, "x", ack="fast"))
    with pytest.raises(TargetError, match="max_message_bytes"):
        Kafka(named(server, "x", max_message_bytes="many"))
    with pytest.raises(TargetError, match="no usable kafka"):
        do(Kafka(replace(Where("kafka", "127.0.0.1", 1, "x"), options={})).open())


def answered(code: int) -> bytes:
    body = struct.pack(">ii", 0, 1) + struct.pack(">h", 1) + b"t" + struct.pack(">ii", 1, 0)
    body += struct.pack(">hqqq", code, 0, -1, 0) + struct.pack(">i", 0)
    return struct.pack(">i", len(body)) + body


@given(st.lists(st.sampled_from([0, 10, 7]), min_size=7, max_size=7), st.lists(st.integers(1, 400)))
def test_answers_are_matched_wherever_cut_and_requests_bounded(
    codes: list[int], cuts: list[int]
) -> None:
    sink, transport = RecordingSink(), KeptTransport()
    link = Producing("t", -1, 1 << 20)
    link.connection_made(transport)  # type: ignore[arg-type]
    for i in range(9):
        link.write(memoryview(framed(encode(sink.run, i, 50))), np.array([i]), sink)
    # Five alone; the other four wait, and go together when the first answer comes.
    assert len(transport.written) == 5
    stream = b"".join(answered(code) for code in codes[:6])
    ends = [*sorted({c for c in cuts if c < len(stream)}), len(stream)]
    for a, b in zip([0, *ends], ends, strict=False):
        link.data_received(stream[a:b])
    assert len(transport.written) == 6
    by_number = [*codes[:5], *[codes[5]] * 4]
    assert sink.acked == [i for i, code in enumerate(by_number) if code == 0]
    assert [n for n, _ in sink.refusals] == [i for i, code in enumerate(by_number) if code == 10]
    assert sink.unanswered == [i for i, code in enumerate(by_number) if code == 7]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 200))
def test_a_batch_cut_off_is_left_for_the_next_fetch(counts: list[int], cut: int) -> None:
    stream, ends, numbers, n = b"", [0], [0], 0
    for count in counts:
        batch = _packed([encode(brokers.RUN, n + i, 40) for i in range(count)])
        stream += struct.pack(">q", n) + batch[8:]  # the broker writes the first offset
        n += count
        ends.append(len(stream))
        numbers.append(n)
    got = Batches.of(stream[: max(0, len(stream) - cut)], 0)
    whole = max(i for i, end in enumerate(ends) if end <= max(0, len(stream) - cut))
    assert got.numbers(brokers.RUN).tolist() == list(range(numbers[whole]))
    assert got.next_offset(0) == numbers[whole]
    assert len(list(got.payloads())) == numbers[whole]
