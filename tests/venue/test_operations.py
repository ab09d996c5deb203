"""What operators see of real served venues: exact counts, health, the page in Chromium, the log."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from prometheus_client.parser import text_string_to_metric_families

import surgetank as st
from accessible import violations
from binary_client import BUY, SELL, BinaryClient, order
from chromium import Visit, needs_chromium
from surgetank.errors import SurgetankError
from surgetank.operations import Health, Readings, serve_operations
from surgetank.operations.metrics import METRICS
from surgetank.venue import ServedVenue, VenueKey
from surgetank.venue.config import of_mapping
from surgetank.venue.keys import write_keys
from surgetank.venue.process import start

pytestmark = pytest.mark.live

DOCS = Path(__file__).parents[2] / "docs"
DESK, MAKER = VenueKey.new("desk", 1000), VenueKey.new("maker", 1001)
VENUE = """
[market]
name = "BTC-PERP"
tick_usd = 0.1
lot = 0.001
[market.price.path]
kind = "gbm"
start_usd = 60000.0
volatility = 0.0
[[accounts]]
id = 1000
deposit_usd = 1_000_000.0
[[accounts]]
id = 1001
deposit_usd = 1_000_000.0
[connections]
unauthenticated_max = 4
"""
LONG_S = 30.0


@pytest.fixture(scope="module")
def venue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("venue")
    write_keys(folder / "keys.toml", [DESK, MAKER])
    (folder / "venue.toml").write_text(VENUE)
    return folder / "venue.toml"


@pytest.fixture(scope="module")
def venue(venue_file: Path) -> Iterator[ServedVenue]:
    with st.serve(venue_file, listen_http="127.0.0.1:0") as served:
        yield served


def get(address: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and content."""
    request = urllib.request.Request(address.rstrip("/") + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=LONG_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


Samples = dict[tuple[str, tuple[str, ...]], float]


def scraped(venue: ServedVenue) -> Samples:
    """Samples of a scrape, as Prometheus' own parser reads them, by name and label values."""
    status, text = get(venue.page, "/metrics")
    assert status == 200
    return {
        (sample.name.removeprefix("surgetank_venue_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def until(venue: ServedVenue, holds: Callable[[Samples], bool]) -> Samples:
    """Scrapes until something holds: readings are up to 50 ms old."""
    latest = time.monotonic() + LONG_S
    while not holds(found := scraped(venue)):
        assert time.monotonic() < latest, found
        time.sleep(0.02)
    return found


def grown(before: Samples, now: Samples, name: str, *labels: str) -> float:
    return now.get((name, labels), 0) - before.get((name, labels), 0)


def test_counts_agree_with_what_a_client_did(venue: ServedVenue) -> None:
    before = scraped(venue)
    desk, maker = BinaryClient(venue.address, DESK), BinaryClient(venue.address, MAKER)
    asks = [order(1001, 10 + i, SELL, 600_000, 5) for i in range(7)]
    assert [kind for kind, _ in maker.ask(*asks)] == [1] * 7
    assert desk.ask(order(1000, 20, BUY, 600_000, 3))[0][0] == 1
    assert desk.ask(order(1000, 20, BUY, 600_000, 3))[0][0] == 3, "a copy"
    # Of another account; and beyond the margin.
    assert desk.ask(order(1001, 21, BUY, 600_000, 3)) == [(2, 1)]
    assert desk.ask(order(1000, 22, BUY, 500_000, 900_000_000))[0][0] == 1
    now = until(venue, lambda found: grown(before, found, "requests_received_total") == 11)
    assert grown(before, now, "requests_sealed_total") == 9
    assert grown(before, now, "requests_duplicate_total") == 1
    assert grown(before, now, "requests_refused_total", "not-permitted") == 1
    assert sum(v for (name, _), v in now.items() if name == "requests_rejected_total") == 1
    assert grown(before, now, "durable_seconds_count") == 9
    assert grown(before, now, "batch_requests_sum") == 9
    assert grown(before, now, "journal_sequence") == 9
    assert grown(before, now, "trades_total", "BTC-PERP") == 1
    assert now["traded_total", ("BTC-PERP",)] == pytest.approx(0.003)
    assert now["open_interest", ("BTC-PERP",)] == pytest.approx(0.003)
    assert now["resting_orders", ("BTC-PERP",)] == 7
    assert (now["sessions", ()], now["connections_open", ()]) == (2, 2)
    assert grown(before, now, "sync_seconds_count") >= 1
    assert now["state", ("serving",)] == 1 and now["state", ("draining",)] == 0
    desk.close()
    maker.close()
    until(venue, lambda found: grown(before, found, "connections_lost_total") == 2)


def forged(client: BinaryClient) -> bytes:
    frame = bytearray(client.frame(struct.pack("<BQ", 7, 1)))
    frame[-1] ^= 1
    return bytes(frame)


def replayed(client: BinaryClient) -> bytes:
    return client.requests([order(1000, 1_000, BUY, 500_000, 1)]) * 2


def skipped(client: BinaryClient) -> bytes:
    client.frame(struct.pack("<BQ", 7, 1))
    return client.frame(struct.pack("<BQ", 7, 2))


def oversized(_: BinaryClient) -> bytes:
    return struct.pack("<I", 1 << 20)


@pytest.mark.parametrize(
    ("wrong", "number", "reason"),
    [
        (oversized, 2, "too-large"),
        (forged, 6, "wrong-mac"),
        (replayed, 7, "frame-number"),
        (skipped, 7, "frame-number"),
    ],
)
def test_what_is_forged_replayed_or_oversized_is_cut_and_counted(
    venue: ServedVenue, wrong: Callable[[BinaryClient], bytes], number: int, reason: str
) -> None:
    before = scraped(venue)
    client = BinaryClient(venue.address, DESK, session=reason)
    client.socket.sendall(wrong(client))
    assert client.cut() == number
    now = until(venue, lambda found: grown(before, found, "connections_cut_total", reason) == 1)
    assert grown(before, now, "connections_opened_total") == 1


def test_every_connection_is_counted_once(venue: ServedVenue) -> None:
    """Turned away, refused at the logon, replaced and lost ones: opened = cut + lost + open."""
    before = scraped(venue)
    first = BinaryClient(venue.address, DESK, session="twice")
    second = BinaryClient(venue.address, DESK, session="twice")
    assert first.cut() == 11
    with pytest.raises(Exception, match="4"):
        BinaryClient(venue.address, VenueKey.new("desk", 1000))
    host, _, port = venue.address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(5)]
    until(venue, lambda f: grown(before, f, "connections_cut_total", "too-many-connections") == 1)
    for one in silent:
        one.close()
    second.close()
    now = until(venue, lambda found: found["connections_open", ()] == 0)
    for reason in ("replaced", "logon-refused"):
        assert grown(before, now, "connections_cut_total", reason) == 1
    ended = now["connections_lost_total", ()]
    ended += sum(v for (name, _), v in now.items() if name == "connections_cut_total")
    assert now["connections_opened_total", ()] == ended


def test_health_says_what_the_venue_does(venue_file: Path, tmp_path: Path) -> None:
    """On a venue in this process, whose server outlives it."""
    any_port = "127.0.0.1:0"
    running = start(venue_file, data=tmp_path / "data", listen=any_port, listen_http=any_port)
    readings = Readings(running)
    server = serve_operations(readings, running.config)
    assert server is not None
    with server:
        assert running.wait_started(LONG_S)
        status, text = get(server.address, "/health")
        assert (status, json.loads(text)["state"]) == (200, "serving")
        running.drain()
        assert running.wait(LONG_S) is not None
        status, text = get(server.address, "/health")
        assert (status, json.loads(text)["state"]) == (503, "stopped")
        assert "has ended" in get(server.address, "/")[1]
        assert 'surgetank_venue_state{state="stopped"} 1.0' in get(server.address, "/metrics")[1]


@pytest.mark.parametrize(
    ("said", "state", "serves"),
    [
        ({"stage": "recovering"}, "recovering", False),
        ({}, "serving", True),
        ({"space": "reserve"}, "serving", True),
        ({"space": "full"}, "disk-full", False),
        ({"silent_ns": 60_000_000_000}, "stalled", False),
        ({"stage": "draining", "space": "full"}, "draining", False),
        ({"stage": "stopping"}, "stopped", False),
        ({"ended": True}, "stopped", False),
    ],
)
def test_states_of_health(said: dict[str, Any], state: str, serves: bool) -> None:
    plain = {"stage": "serving", "space": "ample", "ended": False, "silent_ns": 0}
    health = Health.of(plain | said)
    assert (health.state, health.serves) == (state, serves)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "["])
def test_another_host_s_name_is_refused(venue: ServedVenue, host: str) -> None:
    for path in ("/", "/metrics", "/health", "/events"):
        status, text = get(venue.page, path, Host=host)
        assert status == 403 and "surgetank_" not in text
    assert get(venue.page, "/health", Host="localhost:1")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(venue: ServedVenue, method: str) -> None:
    connection = http.client.HTTPConnection(venue.page[7:-1], timeout=LONG_S)
    connection.request(method, "/", body=b"")
    assert connection.getresponse().status == 501
    connection.close()


def test_the_page_is_open_to_other_machines_only_if_the_file_says_so(
    venue_file: Path, tmp_path: Path
) -> None:
    scenario = {"scenario": "calm", "listen_http": "0.0.0.0:7480"}
    with pytest.raises(SurgetankError, match="http_beyond_loopback = true"):
        of_mapping(scenario)
    assert of_mapping(scenario | {"http_beyond_loopback": True}).http_beyond_loopback
    with pytest.raises(SurgetankError, match="neither HOST:PORT nor"):
        of_mapping(scenario | {"listen_http": "here"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SurgetankError, match="is in use"):
            st.serve(venue_file, data=tmp_path / "data", listen_http=address).start()


def test_the_log_says_what_was_refused_and_cut(venue_file: Path, tmp_path: Path) -> None:
    with st.serve(venue_file, data=tmp_path / "data") as venue:
        assert venue.page == ""
        client = BinaryClient(venue.address, DESK)
        assert client.ask(order(1001, 1, BUY, 500_000, 1)) == [(2, 1)]
        assert client.ask(order(1000, 1, BUY, 500_000, 1))[0][0] == 1
        client.socket.sendall(forged(client))
        assert client.cut() == 6
        said: dict[str, Any] = {}
        while not {"requests-refused", "connections-ended"} <= said.keys():
            event = venue.events.get(timeout=LONG_S)
            said[event["event"]] = event
        assert said["requests-refused"]["refused"] == {"not-permitted": 1}
        assert said["connections-ended"]["cut"] == {"wrong-mac": 1}
        venue.stop()
        last = [venue.events.get_nowait() for _ in range(venue.events.qsize())]
        snapshots = [event for event in last if event["event"] == "snapshot"]
        assert len(snapshots) == 1 and snapshots[0]["bytes"] > 0


def visited(browser: Browser, venue: ServedVenue, width: int, scheme: Any, **more: Any) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, **more
    )
    page = context.new_page()
    page.goto(venue.page)
    return page


@needs_chromium
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_shows_a_trade_without_a_reload(
    browser: Browser, venue: ServedVenue, width: int, scheme: str
) -> None:
    said: list[str] = []
    page = visited(browser, venue, width, scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.get_by_role("status").filter(has_text="Live").wait_for()
    trades = page.locator(".trades tbody tr")
    page.evaluate("window.loaded = 1")
    price = 600_000 + width
    desk, maker = (BinaryClient(venue.address, key, f"page-{width}") for key in (DESK, MAKER))
    assert maker.ask(order(1001, 10_000 + width, SELL, price, 12))[0][0] == 1
    # What rests below this price trades first.
    assert desk.ask(order(1000, 10_000 + width, BUY, price, 1_000, rests=False))[0][0] == 1
    trades.filter(has_text=f"{price / 10:,.1f}").first.wait_for()
    page.get_by_text(f"desk / page-{width}").wait_for()
    assert page.evaluate("window.loaded") == 1
    assert said == []
    wide = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(wide) <= 0
    visit = Visit.__new__(Visit)
    visit.page = page
    assert violations(visit) == []
    desk.close()
    maker.close()
    page.context.close()


@needs_chromium
def test_the_page_can_be_read_without_its_script(browser: Browser, venue: ServedVenue) -> None:
    page = visited(browser, venue, 1280, "light", java_script_enabled=False)
    text = page.locator("main").inner_text()
    for words in ("serving", "BTC-PERP", "Last durable request", "the journal was whole"):
        assert words in text
    assert page.locator("button:visible, .scripted:visible").count() == 0
    page.context.close()


def test_the_page_of_docs_lists_every_metric() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_]+)` \| (?:counter|gauge|histogram) ", page, re.M)
    names = [m.name + ("_total" if m.kind == "counter" else "") for m in METRICS]
    assert listed == names
