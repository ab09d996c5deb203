"""The worked example of a user's own target, against a real gateway."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import surgetank as st
from surgetank.live import Disconnected, LiveOptions, Outgoing, Refused, Rig, TargetError, parse
from surgetank.live.payload import decode, encode
from surgetank.live.process import Process, wait_until
from surgetank.live.registry import target_class
from surgetank.live.server import free_port
from surgetank.live.target import Target
from surgetank.trace import Outcome

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
RUN = 0xABCD


@contextmanager
def gateway(folder: Path, *options: str) -> Iterator[int]:
    """A gateway in a process of its own; its port."""
    port = free_port()
    script = str(ROOT / "tests/support/gateway.py")
    process = Process([sys.executable, script, str(port), *options], folder, "gateway.log")
    process.start()

    def answers() -> bool:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True

    try:
        wait_until(answers, 15, "the gateway", process)
        yield port
    finally:
        process.stop()


def url(port: int) -> str:
    """As a user gives it to `--target`."""
    return f"docs.target_example:OrderGateway?port={port}"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are looked for in the current directory."""
    monkeypatch.chdir(ROOT)


def example(port: int) -> Target:
    """The target of docs/target_example.py."""
    where = parse(url(port))
    return target_class(where)(where)


def order(number: int) -> Outgoing:
    """A message as the generator makes it."""
    return Outgoing(number, "order", 3, encode(RUN, number, 64))


async def exchange(port: int, messages: int) -> tuple[list[int], dict[int, str], list[int]]:
    """Publishes all at once: accepted, rejected with their reasons, delivered in their order."""
    publisher, subscriber = example(port), example(port)
    await publisher.open()
    await subscriber.open()
    delivered: list[int] = []
    accepted: list[int] = []
    rejected: dict[int, str] = {}

    async def receive() -> None:
        async for payload in subscriber.subscribe():
            number = decode(RUN, payload)
            assert number is not None
            delivered.append(number)

    async def publish(number: int) -> None:
        try:
            await publisher.publish(order(number))
        except Refused as answer:
            rejected[number] = answer.reason
        except Disconnected:
            rejected[number] = "disconnected"
        else:
            accepted.append(number)

    receiving = asyncio.create_task(receive())
    await asyncio.sleep(0.3)
    await asyncio.wait_for(asyncio.gather(*map(publish, range(messages))), 20)
    while len(delivered) < len(accepted):
        await asyncio.sleep(0.01)
    receiving.cancel()
    await publisher.close()
    await subscriber.close()
    return accepted, rejected, delivered


def test_the_example_speaks_to_the_gateway(tmp_path: Path) -> None:
    """Accepted and delivered in order; rejected with the gateway's own words."""
    with gateway(tmp_path, "--reject-every", "10") as port:
        accepted, rejected, delivered = asyncio.run(asyncio.wait_for(exchange(port, 200), 60))
    assert rejected == dict.fromkeys(range(9, 200, 10), "price out of band")
    assert delivered == sorted(accepted) == [n for n in range(200) if n not in rejected]


def test_a_session_that_ends_leaves_no_one_waiting(tmp_path: Path) -> None:
    """Whether the rest arrived is not known, and that is what is said."""
    with gateway(tmp_path, "--stop-after", "50") as port:
        accepted, rejected, delivered = asyncio.run(asyncio.wait_for(exchange(port, 200), 60))
    assert len(accepted) + len(rejected) == 200
    assert set(rejected.values()) == {"disconnected"}
    assert set(accepted) <= set(delivered) <= set(range(50))


def test_no_gateway_is_one_line() -> None:
    """And what answers but is no gateway, too."""
    with pytest.raises(TargetError, match="no gateway answers"):
        asyncio.run(example(free_port()).open())
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        port = foreign.getsockname()[1]

        async def hang_up() -> None:
            foreign.setblocking(False)
            opening = asyncio.create_task(example(port).open())
            peer, _ = await asyncio.get_running_loop().sock_accept(foreign)
            peer.close()
            await opening

        with pytest.raises(TargetError, match="no gateway answers"):
            asyncio.run(hang_up())


def test_a_scenario_runs_against_it(tmp_path: Path) -> None:
    """Through `Rig`, as `surgetank run --target` does: processes of their own, one trace."""
    short = st.load("calm").with_values({"duration_s": 2.0, "warmup_s": 0.5, "drain_s": 3.0})
    with (
        gateway(tmp_path, "--reject-every", "10") as port,
        Rig(url(port), LiveOptions(workers=2)) as rig,
    ):
        trace = rig.run(short, seed=7)
    said = trace.live
    messages = trace["messages"]
    outcomes = dict(messages["outcome"].value_counts().iter_rows())
    executed, refused = (outcomes.get(Outcome.named(o), 0) for o in ("executed", "refused"))
    assert said.target_errors == ()
    assert executed + refused == messages.height == said.sent
    assert said.refusals == {"price out of band": refused}
    assert refused == messages.height // 10
    assert trace["deliveries"].height == executed


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("import no_such_client\n", "No module named 'no_such_client'"),
        ("class Other: ...\n", "has no class Mine"),
        ("class Mine: ...\n", "is not a Target"),
        ("1 / 0\n", "fails when it is imported (ZeroDivisionError"),
        ("class Mine(\n", "fails when it is imported (SyntaxError"),
    ],
)
def test_a_module_with_a_mistake_is_one_error(
    text: str, reported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found in the current directory, and named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "wrong_target", raising=False)
    (tmp_path / "wrong_target.py").write_text(text)
    with pytest.raises(st.SurgetankError) as error, Rig("wrong_target:Mine?port=1"):
        pass
    assert reported in str(error.value)
    assert "wrong_target" in error.value.place
