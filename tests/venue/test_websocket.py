"""JSON-RPC over WebSocket on real venues: order flow, books, refusals, bounds, TLS."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import surgetank as st
from surgetank.venue.process import RunningVenue, start
from surgetank.venue.serving import ServedVenue
from websocket_client import LONG_S, Json, RpcError, WebSocketClient

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "websocket.md").read_text()
SCHEMA = json.loads((ROOT / "docs" / "websocket.schema.json").read_text())
ANY_PORT = "127.0.0.1:0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A venue as `surgetank init --venue` writes it, with an insignificant price feed."""
    from surgetank.venue.keys import write_keys
    from surgetank.venue.starter import STARTER, starter_keys

    write_keys(tmp_path / "demo.keys.toml", starter_keys())
    path = tmp_path / "demo.toml"
    path.write_text(STARTER.replace("NAME", "demo"))
    return path


def keys_of(file: Path) -> Path:
    return file.parent / "demo.keys.toml"


@pytest.fixture
def venue(file: Path) -> Iterator[ServedVenue]:
    with st.serve(file, listen_ws=ANY_PORT) as served:
        yield served


def client(venue: ServedVenue, key: str = "desk", **options: Any) -> WebSocketClient:
    assert venue.ws_address is not None
    keys = venue.file.parent / "demo.keys.toml"
    connected = WebSocketClient(venue.ws_address, keys, **options)
    return connected.log_on(key) if key else connected


def order(cl_ord_id: int, price: float = 60_000.0, amount: float = 0.002) -> Json:
    name = {"instrument_name": "BTC-PERP", "cl_ord_id": str(cl_ord_id)}
    return name | {"price": price, "amount": amount}


def matches(shown: Any, said: Any) -> bool:
    """Whether what was said is what the page shows, where `…` is anything."""
    if shown == "…":
        return True
    if isinstance(shown, dict) and isinstance(said, dict):
        return shown.keys() == said.keys() and all(matches(shown[k], said[k]) for k in shown)
    if isinstance(shown, list) and isinstance(said, list):
        return len(shown) == len(said) and all(map(matches, shown, said))
    return bool(shown == said)


#: Until the venue publishes them; remove the mark then.
BLOCKS = re.findall(r"```text\n((?:→|←).*?)```", PAGE, flags=re.DOTALL)
OF_BOOKS = [block for block in BLOCKS if "book.BTC-PERP" in block]


def play(desk: WebSocketClient, blocks: list[str]) -> None:
    """Calls of the page in their order, and what the venue says, which is of the schema."""
    definitions = {"$defs": SCHEMA["$defs"]}
    call: Json = {}
    for line in "".join(blocks).splitlines():
        arrow, text = line.split(" ", maxsplit=1)
        if arrow == "→":
            call = json.loads(text)
            if call["method"] == "public/auth":
                call["params"] |= desk.auth("desk")
            if "signature" in call:
                lines = (call["method"], json.dumps(call["params"]))
                call["signature"] = desk.signature("desk", "surgetank/call/1", *lines)
            desk.socket.send(json.dumps(call))
            continue
        said = desk.heard.pop(0) if desk.heard else desk.receive()
        assert matches(json.loads(text), said), (line, said)
        if "result" in said:
            of = SCHEMA["methods"][call["method"]]
            jsonschema.validate(said["result"], of["result"] | definitions)
            jsonschema.validate(call["params"], of["params"] | definitions)
        elif said.get("method") == "subscription":
            jsonschema.validate(
                said["params"], SCHEMA["notifications"]["subscription"] | definitions
            )


def test_the_page_shows_what_a_venue_says(venue: ServedVenue) -> None:
    """Every example of docs/websocket.md, in its order."""
    with client(venue, "") as desk:
        challenge = {"jsonrpc": "2.0", "method": "challenge", "params": desk.challenge}
        desk.heard.append(challenge)
        play(desk, [block for block in BLOCKS if block not in OF_BOOKS])
    shown = re.findall(r'^→ .*?"method": "(.*?)"', PAGE, flags=re.MULTILINE)
    assert set(shown) == set(SCHEMA["methods"]), "each method has an example"


def test_the_page_shows_how_a_book_begins(venue: ServedVenue) -> None:
    with client(venue) as desk:
        play(desk, OF_BOOKS)


def test_orders_trade_and_both_sides_hear_of_it(venue: ServedVenue) -> None:
    with client(venue) as desk, client(venue, "maker") as maker:
        maker.call("private/subscribe", {"channels": ["user.orders"]})
        assert maker.call("private/sell", order(1))["sequence"] == 1
        desk.call("private/subscribe", {"channels": ["user.orders.BTC-PERP"]})
        desk.call("private/buy", order(2, amount=0.001))
        filled = [desk.wait("subscription", "user.orders.BTC-PERP") for _ in range(2)]
        assert [report["exec_type"] for report in filled] == ["new", "trade"]
        assert (filled[1]["last_price"], filled[1]["last_amount"]) == (60_000, 0.001)
        resting = [maker.wait("subscription", "user.orders") for _ in range(2)]
        assert resting[1]["leaves_amount"] == 0.001
        assert resting[1]["prev_change_id"] == resting[0]["change_id"] == 1
        state = maker.call("private/get_order_state", {"cl_ord_id": "1"})
        assert state["resting"]["amount"] == 0.001
        [position] = desk.call("private/get_positions")
        assert position["size"] == 0.001
        again = desk.call("private/buy", order(2, amount=0.001))
        assert (again["duplicate"], again["sequence"]) == (True, 2), "not executed twice"
        with pytest.raises(RpcError) as rejected:
            desk.call("private/buy", order(3, amount=100_000.0))
        assert rejected.value.data["reason"] == "insufficient-margin"


def test_pipelined_requests_and_batches_are_each_answered_once(venue: ServedVenue) -> None:
    with client(venue) as desk:
        calls = [desk.send("private/buy", order(10 + i, 100.0)) for i in range(300)]
        answered = [desk.receive() for _ in calls]
        assert sorted(said["id"] for said in answered) == calls
        assert sorted(said["result"]["sequence"] for said in answered) == list(range(1, 301))
        batch = [
            {"jsonrpc": "2.0", "id": f"b{i}", "method": "public/test", "params": {}}
            for i in range(3)
        ]
        desk.socket.send(json.dumps([*batch, {"jsonrpc": "2.0", "id": "x"}]))
        together = desk.receive()
        assert [said["id"] for said in together] == ["b0", "b1", "b2", None]


@contextmanager
def running(file: Path, tmp_path: Path) -> Iterator[RunningVenue]:
    """A venue in this process, which says why connections have ended."""
    venue = start(file, data=tmp_path / "data", listen=ANY_PORT, listen_ws=ANY_PORT)
    assert venue.wait_started(LONG_S)
    try:
        yield venue
    finally:
        venue.drain()
        assert venue.wait(LONG_S) is not None


def ends(venue: RunningVenue) -> dict[str, int]:
    counted: dict[str, int] = venue.overview(LONG_S)["connections"]["cut"]
    return counted


def test_replayed_forged_and_expired_logons_are_refused_and_counted(
    file: Path, tmp_path: Path
) -> None:
    with running(file, tmp_path) as venue:
        assert venue.ws_address is not None

        def refused(params: Json) -> str:
            with WebSocketClient(str(venue.ws_address), keys_of(file)) as other:
                with pytest.raises(RpcError) as error:
                    other.call("public/auth", params)
                assert error.value.data["reason"] == other.close_reason()
                return str(error.value.data["reason"])

        with WebSocketClient(venue.ws_address, keys_of(file)) as desk:
            used = desk.auth("desk")
            desk.call("public/auth", used)
            with pytest.raises(RpcError, match="a connection logs on once"):
                desk.call("public/auth", used)
            assert refused(used) == "logon-refused", "of another connection"
        with WebSocketClient(venue.ws_address, keys_of(file)) as fresh:
            with pytest.raises(RpcError) as late:
                fresh.call("public/auth", fresh.auth("desk", age_s=31.0))
            assert late.value.data["reason"] == "clock-skew"
        forger = WebSocketClient(venue.ws_address, keys_of(file))
        with forger, pytest.raises(RpcError):
            forger.call("public/auth", forger.auth("desk") | {"client_id": "operator"})
        early = WebSocketClient(venue.ws_address, keys_of(file))
        with early, pytest.raises(RpcError, match="needs a logon"):
            early.call("private/buy", order(1))
        counted = ends(venue)
    assert (counted["logon-refused"], counted["clock-skew"]) == (2, 1)


def test_withdrawals_are_signed_and_a_copy_is_not_paid_again(venue: ServedVenue) -> None:
    with client(venue) as desk:
        before = desk.call("private/get_account_summary")["cash"]
        paid = {"amount": 10.5, "cl_ord_id": "5"}
        with pytest.raises(RpcError, match="wrong-signature"):
            desk.call("private/withdraw", paid)
        first = desk.call("private/withdraw", paid, signed_by="desk")
        again = desk.call("private/withdraw", paid, signed_by="desk")
        assert (again["duplicate"], again["sequence"]) == (True, first["sequence"])
        assert desk.call("private/get_account_summary")["cash"] == before - 10.5
    with client(venue) as desk, pytest.raises(RpcError, match="not-permitted"):
        desk.call("private/deposit", {"amount": 1, "cl_ord_id": "6"})


def test_oversized_binary_and_broken_texts_end_the_connection(venue: ServedVenue) -> None:
    with client(venue) as desk:
        desk.socket.send("x" * (65 << 10))
        assert desk.close_reason() == "too-large"
    with client(venue, "") as early:
        early.socket.send(json.dumps(["x" * 5000]))
        assert early.close_reason() == "too-large"
    with client(venue) as desk:
        desk.socket.send(b"\0")
        assert desk.close_reason() == "malformed"
    with client(venue) as desk:
        desk.socket.send("{")
        assert desk.receive()["error"]["code"] == -32_700
        assert desk.call("public/test") == {"version": "1"}, "it goes on"
        desk.call("private/logout")
        assert desk.close_reason() == "logged-out"


def test_slow_handshakes_and_floods_are_bounded(file: Path, tmp_path: Path) -> None:
    """Neither keeps a place for longer than `logon_s`, and others are turned away at once."""
    bounds = "[connections]\nunauthenticated_max = 2\nlogon_s = 1.5"
    file.write_text(file.read_text().replace("[connections]", bounds))
    with running(file, tmp_path) as venue:
        host, port = str(venue.ws_address).rsplit(":", 1)
        slow = [socket.create_connection((host, int(port)), LONG_S) for _ in range(2)]
        for one in slow:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with socket.create_connection((host, int(port)), LONG_S) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503 ")
        assert [one.recv(100) for one in slow] == [b"", b""], "cut, though its header never ended"
        with WebSocketClient(str(venue.ws_address), keys_of(file)) as silent:
            assert silent.close_reason() == "logon-timeout"
        counted = ends(venue)
        for one in slow:
            one.close()
    assert counted["no-websocket-handshake"] == 2
    assert counted["too-many-connections"] >= 1


def test_a_reader_that_does_not_read_is_cut_and_delays_no_other(file: Path, tmp_path: Path) -> None:
    file.write_text(
        file.read_text().replace("[connections]", "[connections]\noutbound_bytes_max = 65536")
    )
    with running(file, tmp_path) as venue:
        maker = WebSocketClient(str(venue.ws_address), keys_of(file)).log_on("maker")
        lazy = WebSocketClient(str(venue.ws_address), keys_of(file), max_queue=1)
        lazy.log_on("maker", session="lazy")
        channels = [f"user.orders{name}" for name in ("", ".BTC-PERP")]
        lazy.call("private/subscribe", {"channels": channels})
        for i in range(200):
            batch = [
                {
                    "jsonrpc": "2.0",
                    "id": 1000 * i + j,
                    "method": "private/buy",
                    "params": order(1 + 250 * i + j, 100.0),
                }
                for j in range(250)
            ]
            maker.socket.send(json.dumps(batch))
            assert len(maker.receive()) == 250
            if ends(venue).get("slow-reader"):
                break
        assert ends(venue)["slow-reader"] == 1
        maker.close()
        lazy.close()


def certify(file: Path, name: str) -> ssl.SSLContext:
    """Writes a new certificate of 127.0.0.1 for the venue; what its clients need."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    (file.parent / "crt.pem").write_bytes(pem)
    path = file.parent / "key.pem"
    path.touch(mode=0o600)
    no_password = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, no_password))
    return ssl.create_default_context(cadata=pem.decode())


def test_both_gateways_speak_tls_and_read_a_new_certificate(file: Path) -> None:
    tls = '\n[tls]\ncertificate = "crt.pem"\nkey = "key.pem"\n'
    file.write_text(file.read_text() + tls)
    old = certify(file, "old")
    with st.serve(file, listen_ws=ANY_PORT) as venue:
        kept = client(venue, ssl=old)
        host, port = venue.address.rsplit(":", 1)
        with old.wrap_socket(
            socket.create_connection((host, int(port)), LONG_S), server_hostname=host
        ) as binary:
            # The challenge of the binary protocol: length, number 0, type 129.
            assert struct.unpack("<IIB", binary.recv(9))[1:] == (0, 129)
        with socket.create_connection((host, int(port)), LONG_S) as plain:
            plain.sendall(b"\0" * 9)
            assert b"challenge" not in plain.recv(100), "nothing is said in clear"
        new = certify(file, "new")
        os.kill(venue.pid, signal.SIGHUP)
        said = [venue.events.get(timeout=LONG_S)["event"] for _ in range(2)]
        assert said == ["keys-read", "tls-read"]
        with pytest.raises(ssl.SSLCertVerificationError):
            client(venue, ssl=old)
        with client(venue, "maker", ssl=new) as after:
            assert after.call("public/test") == {"version": "1"}
        assert kept.call("private/buy", order(1))["sequence"] == 1, "open connections stay"
        (file.parent / "crt.pem").write_text("nothing")
        os.kill(venue.pid, signal.SIGHUP)
        said = [venue.events.get(timeout=LONG_S)["event"] for _ in range(2)]
        assert said == ["keys-read", "tls-refused"]
        client(venue, "maker", ssl=new).close()
        kept.close()


def test_a_key_file_that_others_can_read_is_refused(file: Path) -> None:
    certify(file, "old")
    (file.parent / "key.pem").chmod(0o640)
    file.write_text(file.read_text() + '\n[tls]\ncertificate = "crt.pem"\nkey = "key.pem"\n')
    with pytest.raises(st.SurgetankError, match="others may read it"):
        st.serve(file).start()


def test_after_a_kill_nothing_is_executed_twice_and_reports_go_on(venue: ServedVenue) -> None:
    with client(venue, "maker") as maker:
        maker.call("private/subscribe", {"channels": ["user.orders"]})
        placed = [maker.call("private/sell", order(i))["sequence"] for i in (1, 2, 3)]
        reports = [maker.wait("subscription", "user.orders") for _ in range(3)]
        venue.kill()
    venue.restart()
    with client(venue, "maker") as maker:
        again = maker.call("private/sell", order(2))
        assert (again["duplicate"], again["sequence"]) == (True, placed[1])
        state = maker.call("private/get_order_state", {"cl_ord_id": "3"})
        assert (state["state"], state["sequence"]) == ("placed", placed[2])
        assert state["resting"]["amount"] == 0.002
        first = reports[0]
        place = {"epoch": first["epoch"], "number": first["change_id"]}
        maker.call(
            "private/subscribe", {"channels": ["user.orders"], "after": {"user.orders": place}}
        )
        maker.call("private/cancel", {
            "instrument_name": "BTC-PERP", "orig_cl_ord_id": "1", "cl_ord_id": "4"
        })  # fmt: skip
        numbers: list[int] = []
        missing: set[int] = set()
        while not numbers or numbers[-1] < 4:
            said = maker.heard.pop(0) if maker.heard else maker.receive()
            if said.get("method") == "gap":
                gap = said["params"]
                missing |= set(range(gap["from"], gap["to"] + 1))
            elif said.get("method") == "subscription":
                numbers.append(said["params"]["data"]["change_id"])
        assert sorted(missing | set(numbers)) == [2, 3, 4], "sent, or named as a gap"


def test_a_book_stays_equal_through_snapshot_and_changes(venue: ServedVenue) -> None:
    with client(venue, "maker") as maker, client(venue) as desk:
        for i in range(5):
            maker.call("private/sell", order(1 + i, 60_000.0 + i))
        channel = "book.BTC-PERP.raw"
        desk.call("public/subscribe", {"channels": [channel]})
        book: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
        at = 0

        def follow(until: int) -> None:
            nonlocal at
            while at < until:
                data = desk.wait("subscription", channel)
                assert data["type"] == ("change" if at else "snapshot")
                assert not at or data["prev_change_id"] == at
                at = data["change_id"]
                for side, levels in book.items():
                    for _, price, amount in data[side]:
                        levels.pop(price, None)
                        levels |= {price: amount} if amount else {}

        for i in range(40):
            side = "private/buy" if i % 3 else "private/sell"
            maker.call(side, order(10 + i, 59_990.0 + i % 7, 0.001 * (1 + i % 4)))
            if i % 5 == 4:
                name = {"instrument_name": "BTC-PERP"}
                ids = {"orig_cl_ord_id": str(6 + i), "cl_ord_id": str(100 + i)}
                with_rejections(maker, "private/cancel", name | ids)
        asked = {"instrument_name": "BTC-PERP", "depth": 100}
        whole = desk.call("public/get_order_book", asked)
        follow(whole["change_id"])
        assert {side: sorted(levels.items()) for side, levels in book.items()} == {
            side: sorted((price, amount) for price, amount in whole[side]) for side in book
        }
        assert whole["bids"] or whole["asks"]


def with_rejections(of: WebSocketClient, method: str, params: Json) -> None:
    """A call that the market may reject."""
    try:
        of.call(method, params)
    except RpcError as error:
        assert error.code >= 12_000
