"""A client of the venue's WebSocket, for tests: calls one after the other, notifications kept."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import json
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

Json = dict[str, Any]
#: Longer than anything takes.
LONG_S: Final = 30.0


class RpcError(Exception):
    """The venue has answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(json.dumps(error))
        self.code: int = error["code"]
        self.data: Json = error["data"]


class WebSocketClient:
    """A connection. `keys` is the venue's file of keys, all of whose secrets are shared ones."""

    def __init__(self, address: str, keys: Path, **options: Any) -> None:
        scheme = "wss" if "ssl" in options else "ws"
        opening: Any = connect(
            f"{scheme}://{address}", compression=None, open_timeout=LONG_S, **options
        )
        self._opened = contextlib.ExitStack()
        self.socket: ClientConnection = self._opened.enter_context(opening)
        self.keys = tomllib.loads(keys.read_text())
        self.heard: list[Json] = []
        self.number = 0
        self.challenge: Json = self.wait("challenge")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._opened.close()

    def receive(self) -> Any:
        """The next text, whatever it is."""
        return json.loads(self.socket.recv(timeout=LONG_S))

    def wait(self, method: str, channel: str | None = None) -> Json:
        """Content of the next notification of this method, and channel."""
        while True:
            for i, said in enumerate(self.heard):
                params = said["params"]
                if said["method"] == method and channel in (None, params.get("channel")):
                    del self.heard[i]
                    content: Json = params if channel is None else params["data"]
                    return content
            self.heard.append(self.receive())

    def send(self, method: str, params: Json | None = None, *, signed_by: str = "") -> int:
        """Sends a call; its id."""
        self.number += 1
        call = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params or {}}
        if signed_by:
            call["signature"] = self.signature(
                signed_by, "surgetank/call/1", method, json.dumps(params)
            )
        self.socket.send(json.dumps(call))
        return self.number

    def answer(self, number: int) -> Any:
        """Waits for the answer to a call."""
        while True:
            said = self.receive()
            if "method" in said:
                self.heard.append(said)
            elif said["id"] == number:
                if "error" in said:
                    raise RpcError(said["error"])
                return said["result"]
            else:
                raise AssertionError(f"another answer: {said}")

    def call(self, method: str, params: Json | None = None, *, signed_by: str = "") -> Any:
        """The result of a call."""
        return self.answer(self.send(method, params, signed_by=signed_by))

    def signature(self, key: str, first: str, *lines: str) -> str:
        """A signature under a key of the file."""
        names = [first, self.challenge["venue"], self.challenge["challenge"]]
        secret = bytes.fromhex(self.keys[key]["hmac"])
        return hmac.new(secret, "\n".join([*names, *lines]).encode(), hashlib.sha256).hexdigest()

    def auth(self, key: str, *, age_s: float = 0.0, session: str = "main") -> Json:
        """Parameters of a logon."""
        timestamp = int((datetime.datetime.now(datetime.UTC).timestamp() - age_s) * 1000)
        lines = [key, session, str(timestamp), "n", "disk", "false"]
        return {
            "grant_type": "client_signature",
            "client_id": key,
            "session": session,
            "timestamp": timestamp,
            "nonce": "n",
            "signature": self.signature(key, "surgetank/auth/1", *lines),
        }

    def log_on(self, key: str, *, session: str = "main") -> Self:
        """Logs on with a key of the file."""
        self.call("public/auth", self.auth(key, session=session))
        return self

    def close_reason(self) -> str:
        """Waits for the end of the connection: the reason that the venue gives."""
        try:
            while True:
                self.heard.append(self.receive())
        except ConnectionClosed as closed:
            return closed.rcvd.reason if closed.rcvd is not None else ""
