"""The link proxy alone, against an echo server: order kept, nothing lost, faults measured."""

from __future__ import annotations

import random
import socket
import statistics
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo import Echo, connect, echo, read
from surgetank.errors import SurgetankError
from surgetank.live.proxy import Fate, Link, Proxy
from surgetank.live.proxy.fate import RTO_NS, Draws
from surgetank.live.proxy.line import LinkDirection
from surgetank.live.proxy.readings import Delays

pytestmark = pytest.mark.live

_ECHO_LINK = "echo"


@pytest.fixture(scope="module")
def server() -> Iterator[Echo]:
    with echo() as found:
        yield found


@pytest.fixture(scope="module")
def shared(server: Echo) -> Iterator[Proxy]:
    links = [Link(_ECHO_LINK, a=-1, b=0, to=server.address)]
    links += [Link(f"{a}-{b}", a=a, b=b, to=server.address) for a, b in ((0, 1), (1, 2), (2, 0))]
    with Proxy(links, seed=7) as found:
        yield found


@pytest.fixture
def proxy(shared: Proxy) -> Iterator[Proxy]:
    shared.set(None, Fate())
    shared.reset()
    yield shared
    shared.set(None, Fate())


def _exchange(address: tuple[str, int], size: int, seed: int) -> bool:
    """Sends random bytes in random chunks and reads them back; whether they are the same."""
    draws = random.Random(seed)
    sent = draws.randbytes(size)
    got: list[bytes] = []
    with connect(address) as client:
        reader = threading.Thread(target=lambda: got.append(read(client, size)))
        reader.start()
        start = 0
        while start < size:
            end = start + draws.randint(1, 9_000)
            client.sendall(sent[start:end])
            start = end
        reader.join(30)
    return got == [sent]


@pytest.mark.parametrize(
    "fate",
    [
        Fate(),
        Fate(delay_ms=2, jitter_ms=3, distribution="heavy"),
        Fate(jitter_ms=1, distribution="uniform", bandwidth_mbps=200),
        Fate(retransmit_p=0.002),
    ],
)
def test_bytes_arrive_whole_and_in_order(proxy: Proxy, fate: Fate) -> None:
    proxy.set(_ECHO_LINK, fate)
    results: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda i=i: results.append(_exchange(proxy.address(_ECHO_LINK), 300_000, i))
        )
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True, True, True]
    reading = proxy.readings()[_ECHO_LINK]
    assert reading.by_direction == {"up": 900_000, "down": 900_000}
    assert reading.held_bytes == 0


def test_the_delay_asked_is_added_and_measured(proxy: Proxy) -> None:
    """Never less than asked, by the sender's own clock; and the readings say the same."""
    proxy.set(_ECHO_LINK, Fate(delay_ms=10))
    took_ms = []
    with connect(proxy.address(_ECHO_LINK)) as client:
        for _ in range(20):
            began_ns = time.monotonic_ns()
            client.sendall(b"x" * 64)
            read(client, 64)
            took_ms.append((time.monotonic_ns() - began_ns) / 1e6)
    reading = proxy.readings()[_ECHO_LINK]
    assert min(took_ms) >= 20
    assert reading.delays == 40
    assert reading.delay_asked_ms == 10
    assert reading.delay_p50_ms >= 10
    assert 20 <= 2 * reading.delay_mean_ms <= statistics.fmean(took_ms)


def test_a_partition_lets_nothing_pass_and_loses_nothing(proxy: Proxy, server: Echo) -> None:
    with connect(proxy.address(_ECHO_LINK)) as client:
        client.sendall(b"before")
        assert read(client, 6) == b"before"
        accepted = server.accepted
        proxy.set(_ECHO_LINK, Fate(cut="hang"))
        client.sendall(b"during")
        late = connect(proxy.address(_ECHO_LINK))
        late.sendall(b"late")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        reading = proxy.readings()[_ECHO_LINK]
        assert (reading.bytes, reading.held_bytes >= 6) == (0, True)
        assert server.accepted == accepted
        proxy.set(_ECHO_LINK, Fate())
        client.settimeout(20)
        assert read(client, 6) == b"during"
        with late:
            assert read(late, 4) == b"late"


def test_only_the_links_between_the_groups_are_cut(proxy: Proxy) -> None:
    assert proxy.between([0], [1, 2]) == ["0-1", "2-0"]
    assert proxy.between([-1]) == [_ECHO_LINK]
    proxy.set(proxy.between([0], [1, 2]), Fate(cut="refuse"))
    assert _exchange(proxy.address("1-2"), 1_000, 1)
    with pytest.raises(OSError), connect(proxy.address("0-1")) as client:
        client.sendall(b"x")
        if not client.recv(1):
            raise ConnectionResetError
    assert proxy.readings()["0-1"].refused == 1


def test_a_stall_holds_and_a_reset_resets(proxy: Proxy) -> None:
    with connect(proxy.address(_ECHO_LINK)) as client:
        client.sendall(b"a")
        assert read(client, 1) == b"a"
        proxy.set(_ECHO_LINK, Fate(stall=True))
        client.sendall(b"b")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert proxy.readings()[_ECHO_LINK].connections == 1
        client.settimeout(20)
        assert proxy.reset(_ECHO_LINK) == 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_full_link_holds_its_sender_back(proxy: Proxy) -> None:
    """Bounded buffers: a stalled link does not swallow what is sent permanently."""
    proxy.set(_ECHO_LINK, Fate(stall=True))
    with connect(proxy.address(_ECHO_LINK), 0.5) as client:
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 28:
                sent += client.send(b"x" * (1 << 20))
        assert proxy.readings()[_ECHO_LINK].held_bytes < 8 << 20


def test_half_closed_connections_pass_on(proxy: Proxy) -> None:
    with connect(proxy.address(_ECHO_LINK)) as client:
        proxy.set(_ECHO_LINK, Fate(delay_ms=20))
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        assert read(client, 5) == b"last"
    deadline = time.monotonic() + 10
    while proxy.readings()[_ECHO_LINK].connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert proxy.readings()[_ECHO_LINK].connections == 0


def test_bandwidth_is_measured_where_bytes_wait(proxy: Proxy) -> None:
    proxy.set(_ECHO_LINK, Fate(bandwidth_mbps=40))
    began_ns = time.monotonic_ns()
    assert _exchange(proxy.address(_ECHO_LINK), 1_000_000, 3)
    least_s = 1_000_000 * 8 / 40e6
    assert time.monotonic_ns() - began_ns >= least_s * 1e9 * 0.99
    measured = proxy.readings()[_ECHO_LINK].bandwidth_mbps
    assert measured is not None and measured <= 40


def test_a_server_that_is_away_resets_the_client() -> None:
    with socket.socket() as no_one:
        no_one.bind(("127.0.0.1", 0))
        with Proxy([Link("x", to=no_one.getsockname())]) as proxy:
            # Already connecting may see it.
            with pytest.raises(ConnectionResetError), connect(proxy.address("x")) as client:
                client.recv(1)
            assert proxy.readings()["x"].refused == 1


def test_the_process_ends_with_its_context() -> None:
    with Proxy([]) as proxy:
        process = proxy._process
        assert process is not None and process.poll() is None
    assert process.poll() == 0
    with pytest.raises(SurgetankError, match="is not running"):
        proxy.readings()


def test_wrong_fates_and_names_are_refused(proxy: Proxy) -> None:
    with pytest.raises(SurgetankError, match="`retransmit_p` cannot be 1"):
        Fate(retransmit_p=1)
    with pytest.raises(SurgetankError, match="there is no link moon"):
        proxy.set("moon", Fate())
    with pytest.raises(SurgetankError, match="two links have this name"):
        Proxy([Link("x"), Link("x")])


@pytest.mark.parametrize("distribution", ["exponential", "uniform", "heavy"])
def test_draws_are_seeded_and_have_the_mean_asked(distribution: str) -> None:
    fate = Fate(delay_ms=1, jitter_ms=4, distribution=distribution)  # type: ignore[arg-type]
    one, same, other = Draws(1, "x"), Draws(1, "x"), Draws(2, "x")
    first = [one.delay_ns(fate) for _ in range(40_000)]
    assert first == [same.delay_ns(fate) for _ in range(40_000)]
    assert first[:10] != [other.delay_ns(fate) for _ in range(10)]
    assert min(first) >= 1_000_000
    # Standard deviations of the three: 4, 2.3 and at most 9 ms (Lomax with α = 2.5).
    error_ms = 5 * 9 / 200
    assert statistics.fmean(first) / 1e6 == pytest.approx(5, abs=error_ms)


def test_lost_segments_cost_retransmission_timeouts() -> None:
    draws, fate, n = Draws(3, "x"), Fate(retransmit_p=0.1), 20_000
    found = [draws.lost(fate, 1) for _ in range(n)]
    lost = sum(count for count, _ in found)
    assert lost / n == pytest.approx(0.1, abs=5 * (0.09 / n) ** 0.5)
    assert {wait for _, wait in found} >= {0, RTO_NS, 3 * RTO_NS}
    assert all((wait > 0) == (count > 0) for count, wait in found)


def test_serialisation_is_in_order_and_at_the_rate() -> None:
    """A line's own arithmetic, without clocks: release times of what arrives at once."""
    line = LinkDirection("x", 1)
    line.begin(Fate(bandwidth_mbps=8, delay_ms=1))
    first = line.pieces(b"x" * 10_000, 0, 0)
    second = line.pieces(b"y" * 10_000, 0, first[-1].release_ns)
    releases = [piece.release_ns for piece in first + second]
    assert releases == sorted(releases)
    # 20,000 bytes at a byte a microsecond, and 1 ms.
    assert releases[-1] == pytest.approx(21_000_000, rel=1e-6)
    assert b"".join(p.data for p in first) == b"x" * 10_000


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(1, 9_000)), min_size=2),
    late=st.lists(st.integers(0, 30_000_000), min_size=1),
    more=st.sampled_from([{}, {"jitter_ms": 5}, {"retransmit_p": 0.05}, {"delay_ms": 3}]),
)
def test_a_proxy_that_is_late_does_not_make_its_link_look_wide(
    arrivals: list[tuple[int, int]], late: list[int], more: dict[str, float]
) -> None:
    """However late each piece leaves, in order, and whatever else holds it up."""
    line = LinkDirection("x", 1)
    line.begin(Fate(bandwidth_mbps=8, **more))  # type: ignore[arg-type]
    now_ns = last_ns = due_ns = 0
    for index, (gap_ns, size) in enumerate(arrivals):
        now_ns += gap_ns
        pieces = line.pieces(b"x" * size, now_ns, due_ns)
        due_ns = pieces[-1].release_ns
        for piece in pieces:
            last_ns = max(last_ns, piece.release_ns + late[index % len(late)])
            line.passed(piece, last_ns, blocked=False)
    assert line.busy_bytes * 8e3 <= 8 * line.busy_ns
    if max(late) == 0 and line.busy_ns:
        assert line.busy_bytes * 8e3 / line.busy_ns == pytest.approx(8)


def test_quantiles_are_within_their_cells() -> None:
    delays = Delays()
    for value in range(1, 100_001):
        delays.note(value)
    for q in (0.01, 0.5, 0.99, 1.0):
        assert delays.quantile_ns(q) == pytest.approx(q * 100_000, rel=1 / 32)
    assert delays.sum_ns / delays.n == 50_000.5
