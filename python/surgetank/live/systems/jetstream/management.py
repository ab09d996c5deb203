"""JetStream's management: requests in JSON with an answer each, and reading a stream back.

Source: docs.nats.io, "JetStream wire API reference" (`$JS.API.…`) and the layout of a delivered
message's reply subject (`$JS.ACK.…`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

from surgetank.live.systems.nats.connection import Connection
from surgetank.live.systems.nats.protocol import Message, messages, pub
from surgetank.live.target import TargetError, Where

__all__ = ["NOT_FOUND", "Api", "ApiError", "pending_of", "sequence_of"]

NOT_FOUND: Final = 404
_ANSWER_S: Final = 5.0
_BATCH: Final = 512


class ApiError(Exception):
    """JetStream said no."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Api:
    """A connection of its own for requests."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self._inbox = f"_INBOX.{secrets.token_hex(8)}"
        self._answers: dict[str, asyncio.Queue[Message]] = {}
        self._link = Connection(where, self._take)

    async def __aenter__(self) -> Api:
        self._link.keep(f"SUB {self._inbox}.* 1\r\n".encode())
        await self._link.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    def _take(self, blocks: bytes, at_ns: int) -> None:
        for message in messages(blocks):
            key = message.subject.rpartition(".")[2]
            # Messages of a stream come with its subject; they belong to the one pull that runs.
            queue = self._answers.get(key) or self._answers.get("pull")
            if queue is not None:
                queue.put_nowait(message)

    async def call(self, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request `$JS.API.<what>`.

        Raises:
            ApiError: the answer is an error.
            TargetError: no answer, or no JetStream.
        """
        key = secrets.token_hex(4)
        queue: asyncio.Queue[Message] = asyncio.Queue()
        self._answers[key] = queue
        try:
            data = json.dumps(body).encode() if body is not None else b""
            why = self._link.send(pub(f"$JS.API.{what}", data, f"{self._inbox}.{key}"))
            if why is not None:
                raise self._trouble(why)
            answer = await asyncio.wait_for(queue.get(), _ANSWER_S)
        except TimeoutError:
            raise self._trouble(f"no answer to {what}") from None
        finally:
            del self._answers[key]
        if answer.status == 503:
            raise self._trouble("JetStream is not enabled there")
        told: dict[str, Any] = json.loads(answer.payload)
        if "error" in told:
            error = told["error"]
            raise ApiError(int(error.get("code", 0)), str(error.get("description", error)))
        return told

    async def info(self, stream: str) -> dict[str, Any] | None:
        """A stream's configuration and state; None if there is none."""
        try:
            return await self.call(f"STREAM.INFO.{stream}")
        except ApiError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    async def read(self, stream: str) -> AsyncIterator[bytes]:
        """All payloads of a stream, oldest first.

        Raises:
            TargetError: the stream is not there, or stops answering.
        """
        info = await self.info(stream)
        if info is None:
            raise TargetError("is not there", place=f"stream {stream}")
        if not info["state"]["messages"]:
            return
        settings = {"deliver_policy": "all", "ack_policy": "none", "inactive_threshold": 10**10}
        body = {"stream_name": stream, "config": settings}
        made = await self.call(f"CONSUMER.CREATE.{stream}", body)
        name = made["name"]
        queue: asyncio.Queue[Message] = asyncio.Queue()
        self._answers["pull"] = queue
        try:
            left = 1
            while left:
                ask = json.dumps({"batch": _BATCH, "expires": 2 * 10**9}).encode()
                subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"
                self._link.send(pub(subject, ask, f"{self._inbox}.pull"))
                for _ in range(_BATCH):
                    message = await asyncio.wait_for(queue.get(), _ANSWER_S)
                    if message.status:
                        break
                    yield message.payload
                    left = pending_of(message.reply)
                    if not left:
                        break
        except TimeoutError:
            raise self._trouble("the stream stopped answering") from None
        finally:
            del self._answers["pull"]
            await self.call(f"CONSUMER.DELETE.{stream}.{name}")

    def _trouble(self, why: str) -> TargetError:
        return TargetError(why, place=f"{self.where.host}:{self.where.port}")


def _words(reply: str) -> list[str]:
    """delivered, stream sequence, consumer sequence, time, pending."""
    words = reply.split(".")
    return words[4:9] if len(words) == 9 else words[6:11]


def sequence_of(reply: str) -> int:
    """Sequence number within the stream, from a delivered message's reply subject."""
    return int(_words(reply)[1])


def pending_of(reply: str) -> int:
    """How many messages wait behind this one."""
    return int(_words(reply)[4])
