"""NATS core against a real server; its protocol cut anywhere."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brokers
from brokers import RUN, RecordingSink, do, flow, named, opened, started, until, until_accepted
from surgetank.live.payload import Finder, encode, hex_numbers, traceparent_of
from surgetank.live.registry import parse
from surgetank.live.server import Server
from surgetank.live.systems.nats.connection import Connection
from surgetank.live.systems.nats.protocol import Cutter, errors, messages, pings, pongs, pub
from surgetank.live.systems.nats.server import NatsServer
from surgetank.live.systems.nats.target import Nats
from surgetank.live.target import Disconnected, Outgoing, TargetError, Where

pytestmark = pytest.mark.live

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    assert NatsServer.missing() is None, "NATS is never skipped"
    with started("nats:", tmp_path_factory.mktemp("nats")) as server:
        yield server


# ---- the protocol

NUMBERS = st.integers(0, 2**32 - 1)


def with_headers(number: int) -> bytes:
    """As the server passes an HPUB on."""
    sent = pub("a.b 1", encode(RUN, number, 80, PARENT), "reply", {"traceparent": PARENT})
    return sent.replace(b"HPUB", b"HMSG", 1)


BLOCK = st.one_of(
    st.just(("PING", b"PING\r\n")),
    st.just(("PONG", b"PONG\r\n")),
    st.just(("+OK", b"+OK\r\n")),
    st.just(("-ERR", b"-ERR 'Slow Consumer'\r\n")),
    st.builds(
        lambda n, size: (n, b"MSG a.b 1 %d\r\n%b\r\n" % (size, encode(RUN, n, size))),
        NUMBERS,
        st.integers(21, 90),
    ),
    st.builds(lambda n: (n, with_headers(n)), NUMBERS),
    # A foreign payload: binary, and of another run.
    st.builds(
        lambda raw: ("-", b"MSG a.b 1 %d\r\n%b\r\n" % (len(raw), raw)), st.binary(max_size=40)
    ),
    st.builds(lambda n: ("-", b"MSG a.b 1 30\r\n%b\r\n" % encode(RUN + 1, n, 30)), NUMBERS),
)


@given(st.lists(BLOCK, max_size=12), st.lists(st.integers(1, 200), max_size=20))
def test_cuts_anywhere_change_nothing(blocks: list[tuple[object, bytes]], cuts: list[int]) -> None:
    """Same numbers, control lines and messages as in one piece; nothing is held back at the end."""
    stream = b"".join(raw for _, raw in blocks)
    ours = re.compile(b"SGT1%08x([0-9a-f]{8})[-T]" % RUN)
    cutter, at, pieces = Cutter(), 0, []
    for size in [*cuts, len(stream)]:
        pieces.append(cutter.feed(stream[at : at + size]))
        at = min(len(stream), at + size)
    assert b"".join(pieces) == stream
    numbers = [n for p in pieces for n in hex_numbers(b"".join(ours.findall(p))).tolist()]
    assert numbers == [n for n, _ in blocks if isinstance(n, int)]
    if any(b"\r\n" in raw[:-2].partition(b"\r\n")[2] for n, raw in blocks if n == "-"):
        return  # A foreign payload with lines of its own could look like control lines.
    names = [name for name, _ in blocks]
    assert sum(map(pings, pieces)) == names.count("PING")
    assert sum(map(pongs, pieces)) == names.count("PONG")
    assert [e for p in pieces for e in errors(p)] == ["Slow Consumer"] * names.count("-ERR")
    found = [m.payload for p in pieces for m in messages(p)]
    assert len(found) == len([n for n in names if n == "-" or isinstance(n, int)])


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(lambda n: encode(RUN, n, 30), NUMBERS),
            st.builds(lambda n: encode(RUN, n, 90, PARENT), NUMBERS),
            st.builds(lambda n: encode(RUN + 1, n, 30), NUMBERS),
            st.builds(lambda n, k: encode(RUN, n, 21)[:k], NUMBERS, st.integers(1, 21)),
            st.just(b"SGT1%08xTTTTTTTT-" % RUN),
            st.just(b"SGT1%08x0000000fX" % RUN),
        ),
        max_size=40,
    )
)
def test_large_pieces_are_searched_like_small_ones(parts: list[bytes]) -> None:
    """Two ways of looking, one answer: whatever else stands in the piece."""
    piece = b"".join(parts)
    for whole in (piece, b"T" * 9_000 + piece + b"T"):
        expected = re.findall(b"SGT1%08x([0-9a-f]{8})[-T]" % RUN, whole)
        assert Finder(RUN).numbers(whole).tolist() == [int(found, 16) for found in expected]


def test_a_payload_that_looks_like_a_message_does_not_stop_the_stream() -> None:
    """It promises bytes that never come; what follows is late, not lost."""
    liar = b"MSG a 1 23\r\n...\r\nMSG a 1 99999999\r\nx\r\n"
    cutter = Cutter()
    got = cutter.feed(liar)
    for number in range(30):
        got += cutter.feed(b"MSG a 1 400000\r\n%b\r\n" % encode(RUN, number, 400_000))
    ours = re.findall(b"SGT1%08x([0-9a-f]{8})-" % RUN, got)
    assert hex_numbers(b"".join(ours)).tolist() == list(range(30))


def test_frames() -> None:
    nats = Nats(Where("nats", "127.0.0.1", 1, "a.b"))
    payload = encode(RUN, 7, 30)
    assert nats.frame(Outgoing(7, "order", 0, payload)) == b"PUB a.b 30\r\n%b\r\n" % payload
    sampled = nats.frame(Outgoing(7, "order", 0, encode(RUN, 7, 90, PARENT), PARENT))
    head = f"NATS/1.0\r\ntraceparent: {PARENT}\r\n\r\n".encode()
    assert sampled.startswith(b"HPUB a.b %d %d\r\n%b" % (len(head), len(head) + 90, head))


# ---- against a server


def test_all_that_is_sent_arrives_once_and_in_order(server: Server) -> None:
    """What is published before anybody listens is gone: that is NATS core."""

    async def run(ack: str) -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, f"through.{ack}", ack=ack)
        async with (
            opened(where) as publisher,
            opened(where) as subscriber,
            brokers.listening(subscriber, received),
        ):
            await flow(publisher, 300, sent)
            assert await until(lambda: len(received.arrivals) >= 300)
        assert received.arrivals == list(range(300))
        assert sent.acked == (list(range(300)) if ack == "pong" else [])
        assert not sent.refusals and not sent.unanswered

    for ack in ("none", "pong"):
        do(run(ack))


def test_payloads_one_by_one_and_trace_context(server: Server) -> None:
    async def run() -> None:
        async with opened(named(server, "one", ack="pong")) as target:
            coming = aiter(target.subscribe())
            first = asyncio.ensure_future(anext(coming))
            await asyncio.sleep(0.1)
            await target.publish(Outgoing(1, "order", 0, encode(RUN, 1, 90, PARENT), PARENT))
            assert traceparent_of(await first) == PARENT
            await target.close()
            with pytest.raises(Disconnected):
                await target.publish(brokers.message(2))

    do(run())


def test_what_the_server_complains_of_is_reported(server: Server) -> None:
    """A payload beyond its maximum: it says so and closes; the target comes back by itself."""

    async def run() -> None:
        sent = RecordingSink()
        reported: list[str] = []
        sent.refused = lambda numbers, at_ns, reason: reported.append(reason)  # type: ignore[method-assign]
        async with opened(named(server, "large", ack="pong")) as target:
            assert isinstance(target, Nats)
            large = Outgoing(0, "order", 0, encode(RUN, 0, 2 << 20))
            target.write(memoryview(target.frame(large)), np.array([0]), sent)
            assert await until(lambda: sent.unanswered == [0])
            assert await until(lambda: target._link.up)
            assert await until_accepted(target, 1)
        assert any("Maximum Payload Violation" in text for text in reported), reported

    do(run())


def test_a_kill_in_mid_flow_is_reported_and_survived(server: Server) -> None:
    async def run() -> None:
        sent, received = RecordingSink(), RecordingSink()
        where = named(server, "killed", ack="pong")
        async with (
            opened(where) as publisher,
            opened(where) as subscriber,
            brokers.listening(subscriber, received),
        ):
            sending = asyncio.create_task(flow(publisher, 600, sent, per_s=300))
            assert await until(lambda: len(sent.acked) >= 100)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.05)
            assert server.pids == [0]
            await asyncio.to_thread(server.restart)
            await sending
            assert sent.unanswered and sorted(sent.acked + sent.unanswered) == list(range(600))
            assert isinstance(subscriber, Nats)
            assert await until(lambda: subscriber._link.up)
            assert await until_accepted(publisher, 1000)
            assert await until(lambda: bool(received.arrivals) and received.arrivals[-1] >= 1000)
        # Order holds, and nothing comes twice.
        assert received.arrivals == sorted(set(received.arrivals))

    do(run())


def test_without_connection_messages_without_acks_are_disconnected_too(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def run(server: Server) -> None:
        sent = RecordingSink()
        async with opened(named(server, "gone")) as target:
            await flow(target, 10, sent)
            await asyncio.to_thread(server.kill)
            assert isinstance(target, Nats)
            assert await until(lambda: not target._link.up)
            await flow(target, 10, sent, first=10)
        assert sent.unanswered == list(range(10, 20))

    with started("nats:", tmp_path_factory.mktemp("gone")) as server:
        do(run(server))


def test_wrong_options_and_names_are_said() -> None:
    for options, name, words in (
        ({"akc": "none"}, "x", "no option `akc`"),
        ({"ack": "file"}, "x", "`ack` file is not known"),
        ({}, "a b", "not a subject"),
        ({}, "", "not a subject"),
    ):
        with pytest.raises(TargetError, match=words):
            Nats(Where("nats", "127.0.0.1", 1, name, options))


def test_a_host_alone_means_the_usual_port() -> None:
    where = parse("nats://127.0.0.1/mine?ack=pong")
    assert (where.port, where.name, where.addresses) == (4222, "mine", (("127.0.0.1", 4222),))
    assert parse("nats:").port == 0


def test_no_one_there_is_one_clear_error() -> None:
    async def run() -> None:
        await Nats(Where("nats", "127.0.0.1", 1, "x")).open()

    with pytest.raises(TargetError, match="no NATS server can be used there"):
        do(run())


# ---- a server that does not read


class _Deaf:
    """Shakes hands, then reads nothing until asked to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.link: socket.socket | None = None
        threading.Thread(target=self._greet, daemon=True).start()

    def _greet(self) -> None:
        link, _ = self._listener.accept()
        link.sendall(b'INFO {"max_payload":1048576}\r\n')
        got = b""
        while not got.endswith(b"PING\r\n"):
            got += link.recv(4096)
        link.sendall(b"PONG\r\n")
        self.link = link

    def read(self, size: int) -> int:
        """Reads so many bytes, or what comes within a second."""
        assert self.link is not None
        self.link.settimeout(1.0)
        got = 0
        while got < size:
            try:
                got += len(self.link.recv(1 << 20))
            except TimeoutError:
                break
        return got

    def close(self) -> None:
        self._listener.close()
        if self.link is not None:
            self.link.close()


def test_a_server_that_does_not_read_never_blocks_and_memory_is_bounded() -> None:
    """What finds no room is refused with the reason; what waits is sent when it reads again."""

    async def run(deaf: _Deaf) -> None:
        sink = RecordingSink()
        target = Nats(Where("nats", "127.0.0.1", deaf.port, "deaf"))
        target._link = Connection(target.where, target._blocks, target._lost, pending_max=1 << 20)
        await target.open()
        frame = target.frame(Outgoing(0, "order", 0, encode(RUN, 0, 1 << 18)))
        for number in range(200):
            target.write(memoryview(frame), np.array([number]), sink)
        assert target._link.pending_bytes <= 1 << 20
        assert sink.refusals and "reads too slowly" in sink.refusals[0][1]
        taken = 200 - len(sink.refusals)
        reading = asyncio.create_task(asyncio.to_thread(deaf.read, taken * len(frame)))
        assert await target._link.drain(10)
        assert await reading == taken * len(frame)
        # And what waits when it goes is given up, and reported.
        before = len(sink.refusals)
        for number in range(200, 400):
            target.write(memoryview(frame), np.array([number]), sink)
        assert len(sink.refusals) > before
        deaf.close()
        assert await until(lambda: bool(sink.unanswered))
        assert set(sink.unanswered).isdisjoint(n for n, _ in sink.refusals)
        await target.close()

    deaf = _Deaf()
    try:
        do(run(deaf))
    finally:
        deaf.close()
