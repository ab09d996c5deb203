"""Publishers of others against the same NATS server, each in a process of its own.

    python live_peers.py nats-py|jetstream HOST PORT SECONDS

prints messages a second, until the server has confirmed the last one. No one subscribes: the peers
have less to do than surgetank's generator, whose every message is received and counted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

SIZE_BYTES = 128
PAYLOAD = b"." * SIZE_BYTES
#: Unanswered asynchronous publishes, nats-py's own default.
PENDING = 4_000
USERS = 20

LOCUSTFILE = """
import time
from gevent import socket
from locust import User, task

FRAME = b"PUB peer.locust {size}\\r\\n" + b"." * {size} + b"\\r\\n"


class Publisher(User):
    wait_time = lambda self: 0

    def on_start(self):
        self.link = socket.create_connection(("{host}", {port}))
        self.link.sendall(b'CONNECT {{"verbose":false}}\\r\\nPING\\r\\n')
        while b"PONG" not in self.link.recv(65536):
            pass

    @task
    def publish(self):
        began = time.perf_counter()
        self.link.sendall(FRAME)
        self.environment.events.request.fire(
            request_type="PUB",
            name="nats",
            response_time=(time.perf_counter() - began) * 1e3,
            response_length=0,
            exception=None,
            context={{}},
        )
"""


async def nats_py(host: str, port: int, seconds: float) -> float:
    """`await publish` in a loop, one `flush` at the end."""
    import nats

    client = await nats.connect(f"nats://{host}:{port}")
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(100):
            await client.publish("peer.nats-py", PAYLOAD)
        count += 100
    await client.flush(timeout=30)
    per_s = count / (time.perf_counter() - began)
    await client.close()
    return per_s


async def jetstream(host: str, port: int, seconds: float) -> float:
    """`publish_async` into a stream in a file, at most `PENDING` unanswered."""
    import nats

    client = await nats.connect(f"nats://{host}:{port}")
    stream = client.jetstream(publish_async_max_pending=PENDING)
    await stream.add_stream(name="peer-jetstream", subjects=["peer-jetstream"])
    try:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            for _ in range(100):
                await stream.publish_async("peer-jetstream", PAYLOAD)
            count += 100
        await asyncio.wait_for(stream.publish_async_completed(), 30)
        return count / (time.perf_counter() - began)
    finally:
        await stream.delete_stream("peer-jetstream")
        await client.close()


def locust(host: str, port: int, seconds: float) -> tuple[float | None, str]:
    """Locust with a user class of ours, in an environment made for it; or why not."""
    with tempfile.TemporaryDirectory(prefix="surgetank-locust-") as folder:
        place = Path(folder)
        try:
            venv.create(place / "venv", with_pip=True)
            pip = [str(place / "venv/bin/python"), "-m", "pip", "install", "--quiet", "locust"]
            subprocess.run(pip, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError) as error:
            return None, f"not installable here ({type(error).__name__})"
        path = place / "locustfile.py"
        path.write_text(LOCUSTFILE.format(host=host, port=port, size=SIZE_BYTES))
        command = [str(place / "venv/bin/locust"), "-f", str(path), "--headless", "--json"]
        command += ["-u", str(USERS), "-r", str(USERS), "-t", f"{seconds:g}s", "--loglevel=ERROR"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds + 60, cwd=folder
            )
            rows = json.loads(done.stdout[done.stdout.index("[") :])
            row = rows[0]
            span = row["last_request_timestamp"] - row["start_time"]
            version = subprocess.run(
                [command[0], "--version"], capture_output=True, text=True, timeout=30
            ).stdout.split()[1]
            return row["num_requests"] / span, f"Locust {version}, {USERS} users, closed loop"
        except (subprocess.SubprocessError, ValueError, LookupError) as error:
            return None, f"did not run ({type(error).__name__}: {error})"


def alone(which: str, host: str, port: int, seconds: float) -> float:
    """A peer in a process of its own."""
    command = [sys.executable, __file__, which, host, str(port), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    return float(done.stdout)


if __name__ == "__main__":
    peer = {"nats-py": nats_py, "jetstream": jetstream}[sys.argv[1]]
    print(asyncio.run(peer(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
