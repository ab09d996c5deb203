"""Streams and consumers, by NATS' own client, which carries no messages of a run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import nats
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from surgetank.live.target import TargetError, Where

__all__ = ["last_sequence", "managed", "payloads", "stream_info"]

_ANSWER_S: Final = 5.0
_CLOSE_S: Final = 2.0
_BATCH: Final = 512


async def _silent(error: Exception) -> None:
    """Discards an error callback: errors are raised where they are awaited, and the client would
    log them as well."""
    del error


@contextlib.asynccontextmanager
async def managed(where: Where) -> AsyncIterator[JetStreamContext]:
    """A separate connection for requests.

    Raises:
        TargetError: no answer comes in time, there is no JetStream, or it refuses a request.
    """
    login = {key: where.options.get(key) for key in ("user", "password", "token")}
    place = f"{where.host}:{where.port}"
    try:
        # The client's own timeout covers single steps of connecting only.
        async with asyncio.timeout(_ANSWER_S):
            client = await nats.connect(
                f"nats://{place}", error_cb=_silent, allow_reconnect=False, **login
            )
        try:
            yield client.jetstream(timeout=_ANSWER_S)
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.close(), _CLOSE_S)
    except ServiceUnavailableError:
        raise TargetError("JetStream is not enabled there", place=place) from None
    except APIError as error:
        raise TargetError(error.description or str(error), place=place) from None
    except (Error, OSError, TimeoutError) as error:
        raise TargetError(str(error) or type(error).__name__, place=place) from None


async def stream_info(manager: JetStreamContext, name: str) -> StreamInfo | None:
    """A stream's configuration and state; None if there is none."""
    try:
        return await manager.stream_info(name)
    except NotFoundError:
        return None


async def payloads(manager: JetStreamContext, stream: str) -> AsyncIterator[bytes]:
    """All payloads of a stream whose only subject has its name, oldest first.

    Raises:
        TargetError: the stream is not there.
    """
    info = await stream_info(manager, stream)
    if info is None:
        raise TargetError("is not there", place=f"stream {stream}")
    left = info.state.messages
    if not left:
        return
    settings = ConsumerConfig(
        deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE, inactive_threshold=10.0
    )
    pulled = await manager.pull_subscribe(stream, stream=stream, config=settings)
    while left:
        for message in await pulled.fetch(_BATCH, timeout=_ANSWER_S):
            yield message.data
            left = message.metadata.num_pending
    await pulled.unsubscribe()


def last_sequence(reply: str) -> int:
    """Sequence number within the stream, from a delivered message's reply subject `$JS.ACK.…`
    (nine words, or eleven with domain and account)."""
    fields = reply.split(".")
    return int(fields[5] if len(fields) == 9 else fields[7])
