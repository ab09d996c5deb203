"""The proxy's process: `python -m surgetank.live.proxy`.

It reads requests as lines of JSON on its standard input and answers each with a line on its
standard output; it ends when its input ends, so it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from surgetank.live.event_loop import Alarms, run_loop
from surgetank.live.proxy.fate import Fate, Link
from surgetank.live.proxy.listener import Listener


class _Requests:
    """Reads requests and carries them out."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarms = Alarms(loop)
        self._links: dict[str, Listener] = {}

    async def _begin(self, request: dict[str, Any]) -> dict[str, Any]:
        ports = {}
        for data in request["links"]:
            data["to"] = tuple(data["to"])
            listener = Listener(Link(**data), int(request["seed"]), self._alarms)
            self._links[listener.link.name] = listener
            ports[listener.link.name] = await listener.listen()
        return {"ports": ports}

    def _set(self, request: dict[str, Any]) -> dict[str, Any]:
        fate = Fate.from_json(request["fate"])
        for name in request["names"]:
            self._links[name].set(fate)
        return {"at_ns": time.monotonic_ns()}

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carries out a request and returns the answer."""
        what = request["do"]
        if what == "begin":
            return await self._begin(request)
        if what == "set":
            return self._set(request)
        if what == "reset":
            return {"resets": sum(self._links[name].reset() for name in request["names"])}
        if what == "cost":
            return {"cpu_s": time.process_time()}
        if what == "readings":
            return {"readings": [one.reading().to_json() for one in self._links.values()]}
        raise ValueError(f"unknown request {what}")


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    handler = _Requests(loop)
    while line := await requests.readline():
        try:
            answer = await handler.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Runs until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_loop(_serve())


if __name__ == "__main__":
    main()
