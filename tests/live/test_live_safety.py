"""Live runs harm no one: loopback only, bounded, gone afterwards, errors in one line."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import numpy as np
import psutil
import pytest

from live_command import SMALL, Command
from surgetank.cli import main
from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Rig, Schedule, Snapshot, parse
from surgetank.live.driver.workplace import Workplace
from surgetank.live.safety import owned
from surgetank.live.server import free_port
from surgetank.live.systems.nats.server import NatsServer
from surgetank.live.systems.rabbitmq.server import RabbitMQ
from surgetank.live.systems.redis.server import Redis
from surgetank.trace import Trace

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]


def alive(processes: list[psutil.Process], within_s: float = 10.0) -> list[psutil.Process]:
    """Those that still run after so long; a zombie does not run."""
    _, left = psutil.wait_procs(processes, timeout=within_s)
    return [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name has these addresses."""

    def answer(host: str, port: int | None, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port or 0)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "[2001:db8::1]", "[::ffff:192.0.2.1]"])
def test_other_machines_are_refused(host: str) -> None:
    """Documentation addresses: no one's."""
    where = parse(f"nats://{host}:4222")
    with pytest.raises(SurgetankError, match="is not this machine") as error:
        owned(where, own_system=False)
    assert "--i-own-this-system" in error.value.hint
    owned(where, own_system=True)
    with pytest.raises(SurgetankError, match="is not this machine"), Rig(f"nats://{host}:4222"):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "[::1]"])
def test_this_machine_is_allowed(host: str) -> None:
    """Loopback, by number and by name."""
    owned(parse(f"nats://{host}:4222"), own_system=False)


def test_a_class_of_the_users_is_held_to_the_same() -> None:
    """Its host is an option of the URL."""
    url = "docs.target_example:OrderGateway?host=192.0.2.1&port=80"
    with pytest.raises(SurgetankError, match="is not this machine"):
        owned(parse(url), own_system=False)


def test_a_name_is_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its addresses count, whatever the name looks like."""
    where = parse("nats://localhost.example:4222")
    resolves_to(monkeypatch, "127.0.0.1")
    owned(where, own_system=False)
    resolves_to(monkeypatch, "127.0.0.1", "192.0.2.7")
    with pytest.raises(SurgetankError, match=r"localhost\.example \(192\.0\.2\.7\) is not this"):
        owned(where, own_system=False)


def test_the_address_that_was_looked_at_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is resolved again may answer otherwise (DNS rebinding)."""
    resolves_to(monkeypatch, "127.0.0.1")
    where = owned(parse("nats://rebound.example:4222?ports=4223"), own_system=False)
    assert where.host == "127.0.0.1"
    assert list(where.addresses) == [("127.0.0.1", 4222), ("127.0.0.1", 4223)]


@pytest.mark.parametrize(
    "url",
    [
        "redis:?maxmemory=64mb%0Abind%200.0.0.0",
        "redis:?maxmemory=64mb%20bind",
        "rabbitmq:?memory=1GB%0Alisteners.tcp.1=0.0.0.0:5672",
        "rabbitmq:?disk_free=50MB%20x",
        "nats:///orders%0Aport:%201",
    ],
)
def test_options_do_not_write_configuration(url: str, tmp_path: Path) -> None:
    """A value that would end its line, or is no size, is refused before a server is made."""
    with pytest.raises(SurgetankError) as error:
        where = parse(url)
        server = (Redis if where.scheme == "redis" else RabbitMQ)(tmp_path, where)
        server.configuration()
    assert "is not" in error.value.message


def test_a_name_that_no_one_knows_is_one_error() -> None:
    """`.invalid` never resolves (RFC 6761)."""
    with pytest.raises(SurgetankError, match="is not known"):
        owned(parse("nats://nowhere.invalid:4222"), own_system=False)


@pytest.mark.parametrize(
    ("bound", "flag"),
    [
        ({"messages_max": 99}, "--messages-max"),
        ({"seconds_max": 2.5}, "--seconds-max"),
        ({"rate_max_per_s": 49.0}, "--rate-max"),
    ],
)
def test_beyond_a_bound_nothing_is_sent(bound: dict[str, Any], flag: str) -> None:
    """Refused before the target is touched; the same run within the bounds goes through."""
    schedule = Schedule.plain(np.arange(100) * 20_000_000, drain_s=1.0)
    seen: list[Snapshot] = []

    def watch(snapshot: Snapshot) -> bool:
        seen.append(snapshot)
        return True

    with Rig("memory:", LiveOptions(**bound)) as rig:
        with pytest.raises(SurgetankError, match="more than the") as error:
            rig.play(schedule, watch=watch)
        assert flag in error.value.hint
        assert seen == []


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A NATS server that is not the run's, with somebody's stream; its port."""
    server = NatsServer(tmp_path_factory.mktemp("foreign"), parse("jetstream:"))
    where = server.start()

    async def fill() -> None:
        client = await nats.connect(where.url.replace("jetstream", "nats"))
        stream = client.jetstream()
        await stream.add_stream(name="orders", subjects=["orders"])
        for i in range(10):
            await stream.publish("orders", b"%d" % i)
        await client.close()

    try:
        asyncio.run(fill())
        yield where.port
    finally:
        server.stop()


def streams(port: int) -> dict[str, int]:
    """Streams of a server and how many messages they hold."""

    async def ask() -> dict[str, int]:
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        found = await client.jetstream().streams_info()
        await client.close()
        return {str(s.config.name): s.state.messages for s in found}

    return asyncio.run(ask())


@pytest.mark.parametrize("target", ["nats:", "memory:"])
def test_ctrl_c_keeps_the_run_and_leaves_no_process(target: str, tmp_path: Path) -> None:
    """What was measured so far is written, marked incomplete; exit code 4, or 3 where the machine
    was too busy for the generator."""
    command = Command(tmp_path, target)
    processes = command.in_the_middle()
    assert len(processes) >= 3, "a server, a publisher, a subscriber"
    command.process.send_signal(signal.SIGINT)
    code, out, errors = command.end()
    assert code in (3, 4), errors
    assert "Stopped before the end" in out
    assert "Traceback" not in errors
    assert alive(processes) == []
    assert list(command.temporary.iterdir()) == []
    trace = Trace.load(command.out)
    assert not trace.complete
    assert trace["deliveries"].height > 0


FAULTS = """
[[faults]]
kind = "stall"
at_s = 1.0
duration_s = 25.0
nodes = [0]
[[faults]]
kind = "{kind}"
at_s = 1.0
duration_s = 25.0
nodes = [0]
"""


@pytest.mark.parametrize("kind", ["slow", "crash"])
def test_ctrl_c_amid_faults_leaves_no_process(kind: str, tmp_path: Path) -> None:
    """A stopped server, a dead one, a proxy that holds everything back."""
    faults = FAULTS.format(kind=kind) + ("factor = 5.0\n" if kind == "slow" else "")
    command = Command(tmp_path, "nats:", faults=faults)
    processes = command.in_the_middle(f"{kind} on")
    command.process.send_signal(signal.SIGINT)
    code, out, errors = command.end()
    assert code in (3, 4), out + errors
    assert "Traceback" not in errors
    assert alive(processes) == []
    assert list(command.temporary.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_foreign_server_is_left_as_it_was(
    how: signal.Signals, foreign: int, tmp_path: Path
) -> None:
    """Only the run's own stream goes, also when the run is stopped in its middle."""
    assert streams(foreign) == {"orders": 10}
    command = Command(tmp_path, f"jetstream://127.0.0.1:{foreign}")
    processes = command.in_the_middle()
    during = streams(foreign)
    assert len(during) == 2
    assert during.pop("orders") == 10
    command.process.send_signal(how)
    command.end()
    assert alive(processes) == []
    assert streams(foreign) == {"orders": 10}
    assert list(command.temporary.iterdir()) == []


def test_a_whole_run_leaves_a_foreign_server_as_it_was(foreign: int, tmp_path: Path) -> None:
    """Exit code of the verdict."""
    target = f"jetstream://127.0.0.1:{foreign}"
    code, out, errors = Command(tmp_path, target, "--quiet", seconds=2.0).end()
    # INVALID where the machine was too busy for the generator.
    assert code in (0, 3), out + errors
    assert streams(foreign) == {"orders": 10}


def test_an_impatient_second_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    """The run is lost; nothing else is."""
    command = Command(tmp_path, "nats:")
    processes = command.in_the_middle()
    command.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    command.process.send_signal(signal.SIGINT)
    code, _, _ = command.end()
    assert code != 0
    assert alive(processes) == []


def test_a_killed_driver_leaves_no_process_and_its_folder_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL: it could not clean up, and its processes end all the same. Of the folders that lie
    there the next run removes those that no one holds."""
    command = Command(tmp_path, "nats:")
    processes = command.in_the_middle()
    monkeypatch.setattr(tempfile, "tempdir", str(command.temporary))
    (command.temporary / "surgetank-of-somebody").mkdir()
    (held,) = command.temporary.glob("surgetank-*/surgetank-workplace.lock")
    running = Workplace()
    assert held.exists()
    command.process.kill()
    assert alive(processes) == []
    command.end()
    assert held.exists()
    last = Workplace()
    assert not held.parent.exists() and running.folder.exists()
    running.remove()
    last.remove()
    assert [path.name for path in command.temporary.iterdir()] == ["surgetank-of-somebody"]


@pytest.fixture(scope="module")
def mute() -> Iterator[int]:
    """Takes connections and says nothing that anybody expects; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        open_ = True

        def serve() -> None:
            while open_:
                try:
                    peer, _ = server.accept()
                except TimeoutError:
                    continue
                peer.sendall(b"220 mail.example ESMTP\r\n")
                peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        open_ = False
        thread.join()


@pytest.mark.parametrize(
    ("target", "reported"),
    [
        ("nat:", "did you mean nats:"),
        ("nats", "--target: 'nats' is not a target"),
        ("nats://127.0.0.1:99999", "ort out of range"),
        ("nats://127.0.0.1:{dead}", "127.0.0.1:{dead}"),
        ("memory://127.0.0.1:{dead}", "no answer"),
        ("nats://127.0.0.1:{mute}", "127.0.0.1:{mute}"),
        ("redis://127.0.0.1:{mute}", "127.0.0.1:{mute}"),
        ("docs.target_example:OrderGateway?port={mute}", "no gateway answers"),
        ("memory:?service_us=slow", "`service_us` slow is not a number"),
        ("memory:?service_us=nan", "`service_us` nan is not a number"),
        ("memory:?capacity=-1", "`capacity` -1 is not a number"),
        ("memory:?servic_us=1", "did you mean service_us?"),
        ("nats:?sync=never", "`sync` never is not a duration"),
        ("cometbft:?validator=4", "did you mean validators?"),
        ("no_such_module:Gateway", "Put no_such_module.py into the current directory"),
    ],
)
def test_an_error_is_one_line(
    target: str,
    reported: str,
    mute: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 before a run, and no traceback."""
    places = {"dead": free_port(), "mute": mute}
    (tmp_path / "small.toml").write_text(SMALL.format(seconds=1.0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    asked = ["surgetank", "run", "small.toml", "--target", target.format(**places), "--no-report"]
    monkeypatch.setattr(sys, "argv", asked)
    handlers = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        for which, handler in handlers.items():
            signal.signal(which, handler)
    out, errors = capfd.readouterr()
    assert ended.value.code == 2, out + errors
    assert len(errors.splitlines()) == 1, errors
    assert errors.startswith("error: ")
    assert reported.format(**places) in errors
    assert out == ""
