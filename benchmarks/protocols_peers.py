"""Client libraries that publish acknowledged messages, each in a process of its own.

    python protocols_peers.py WHO HOST PORT NAME COUNT

prints, as JSON, the seconds and the CPU seconds from the first message to the last answer.
Connecting is not counted. As many messages may be unanswered as surgetank's clients may have here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

SIZE_BYTES = 128
SLICE = 64
WINDOW = 1_024
PAYLOAD = b"." * SIZE_BYTES

Finish = Callable[[], dict[str, float]]


def stopwatch() -> Finish:
    """Starts; what it returns gives the seconds since."""
    wall, cpu = time.perf_counter(), time.process_time()
    return lambda: {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


async def windowed(count: int, publish: Callable[[], Awaitable[Any]]) -> None:
    """`count` calls, at most `WINDOW` of them unanswered."""
    room = asyncio.Semaphore(WINDOW)

    async def one() -> None:
        await publish()
        room.release()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            await room.acquire()
            tasks.create_task(one())


async def nats_py(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """`publish`, and `flush` (a PING and its PONG) after each slice."""
    import nats

    client = await nats.connect(f"nats://{host}:{port}")
    finish = stopwatch()
    for _ in range(count // SLICE):
        for _ in range(SLICE):
            await client.publish(name, PAYLOAD)
        await client.flush(timeout=30)
    found = finish()
    await client.close()
    return found


async def nats_py_jetstream(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """`publish_async`."""
    import nats

    client = await nats.connect(f"nats://{host}:{port}")
    stream = client.jetstream(publish_async_max_pending=WINDOW)
    finish = stopwatch()
    for _ in range(count):
        await stream.publish_async(name, PAYLOAD)
    await asyncio.wait_for(stream.publish_async_completed(), 60)
    found = finish()
    await client.close()
    return found


async def redis_py(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """A pipeline of `XADD`s per slice, with hiredis."""
    import redis.asyncio

    client = redis.asyncio.Redis(host=host, port=port)
    await client.ping()
    finish = stopwatch()
    for _ in range(count // SLICE):
        pipe = client.pipeline(transaction=False)
        for _ in range(SLICE):
            pipe.xadd(name, {"p": PAYLOAD})
        await pipe.execute()
    found = finish()
    await client.aclose()
    return found


async def aiokafka_producer(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """`send`, whose future is the answer."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=f"{host}:{port}", acks="all", linger_ms=0)
    await producer.start()
    await producer.send_and_wait(name, PAYLOAD, partition=0)
    finish = stopwatch()

    async def publish() -> None:
        await (await producer.send(name, PAYLOAD, partition=0))

    await windowed(count, publish)
    found = finish()
    await producer.stop()
    return found


async def aio_pika_publisher(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """`publish` to the default exchange, which returns at the confirmation."""
    import aio_pika  # type: ignore[import-not-found]

    link = await aio_pika.connect(f"amqp://guest:guest@{host}:{port}/")
    channel = await link.channel(publisher_confirms=True)
    message = aio_pika.Message(PAYLOAD, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    finish = stopwatch()
    await windowed(
        count, lambda: channel.default_exchange.publish(message, routing_key=name, mandatory=True)
    )
    found = finish()
    await link.close()
    return found


async def websockets_client(host: str, port: int, name: str, count: int) -> dict[str, float]:
    """`send` of a JSON-RPC call per transaction, `recv` of its answer."""
    import secrets
    from base64 import b64encode

    from websockets.asyncio.client import connect

    run, room = secrets.token_hex(4), asyncio.Semaphore(WINDOW)
    texts = []
    for number in range(count):
        transaction = (f"SGT1{run}{number:08x}=".encode()).ljust(SIZE_BYTES + 1, b".")
        params = {"tx": b64encode(transaction).decode()}
        call = {"jsonrpc": "2.0", "id": f"{number:08x}", "method": name, "params": params}
        texts.append(json.dumps(call))
    async with connect(f"ws://{host}:{port}/websocket", compression=None, max_queue=None) as link:
        finish = stopwatch()

        async def answers() -> None:
            for _ in range(count):
                answer = json.loads(await link.recv())
                if "error" in answer or answer["result"]["code"]:
                    raise SystemExit(str(answer))
                room.release()

        receiving = asyncio.create_task(answers())
        for text in texts:
            await room.acquire()
            await link.send(text)
        await receiving
        return finish()


PEERS = {
    "nats-py": nats_py,
    "nats-py, JetStream": nats_py_jetstream,
    "redis-py": redis_py,
    "aiokafka": aiokafka_producer,
    "aio-pika": aio_pika_publisher,
    "websockets": websockets_client,
}


def main() -> None:
    """The command line's entry point."""
    who, host, port, name, count = sys.argv[1:]
    peer = PEERS[who](host, int(port), name, int(count))
    try:
        import uvloop
    except ImportError:
        found = asyncio.run(peer)
    else:
        found = uvloop.run(peer)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
