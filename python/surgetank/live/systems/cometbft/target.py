"""CometBFT: transactions to every validator's RPC, deliveries from committed blocks.

Acknowledgement levels: `sync` answers with the application's CheckTx code, `async` when the node
has taken the transaction into its mempool's queue, whatever CheckTx says. Neither guarantees that
it is ever in a block, since a validator's mempool is in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Final

from surgetank.live.payload import HEADER_BYTES, MAGIC, Numbers
from surgetank.live.systems.addressing import addressed, dealt
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.systems.cometbft.blocks import (
    Content,
    Follower,
    block_of,
    content_of,
    transactions_of,
    wall_offset_ns,
)
from surgetank.live.systems.cometbft.rpc import Rpc, RpcError, broadcast_frame, learn
from surgetank.live.target import (
    Block,
    Capabilities,
    Clock,
    Disconnected,
    Outgoing,
    Refused,
    Sink,
    TargetError,
    Where,
)

__all__ = ["CometBFT", "payload_of", "transaction_of"]

_KEY_BYTES: Final = HEADER_BYTES - 1
_RETRY_S: Final = 0.25
_AT_ONCE: Final = 20


def transaction_of(payload: bytes) -> bytes:
    """`key=value` for the key-value store: the header without its flag is the key, unique within
    and across runs, and the rest the value."""
    return payload[:_KEY_BYTES] + b"=" + payload[_KEY_BYTES:]


def payload_of(transaction: bytes) -> bytes | None:
    """The payload that was made a transaction; None for a foreign one."""
    if not transaction.startswith(MAGIC) or transaction[_KEY_BYTES : _KEY_BYTES + 1] != b"=":
        return None
    return transaction[:_KEY_BYTES] + transaction[_KEY_BYTES + 1 :]


class CometBFT(CheckedTarget):
    """`cometbft:?ack=sync` or `cometbft://127.0.0.1:26657?ports=26660,26663`.

    A message goes to node `account` modulo the number of nodes, and nowhere else if that node is
    down. `ports` are the RPC ports of further nodes on the same host.
    """

    options: ClassVar[tuple[str, ...]] = (
        *("ack", "ports", "validators", "app", "block_max_bytes", "mempool_size", "recheck"),
        *("timeout_commit_ms", "timeout_propose_ms", "timeout_vote_ms"),
        *("gossip_sleep_ms", "flush_throttle_ms"),
    )
    acks: ClassVar[tuple[str, ...]] = ("async", "sync")
    ack_usual: ClassVar[str] = "sync"

    def __init__(self, where: Where) -> None:
        super().__init__(where)
        self._addresses = list(where.addresses) or [(where.host, where.port)]
        self._rpcs = [Rpc(host, port) for host, port in self._addresses]
        self._validators: dict[str, int] = {}
        self._since_height = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._follower: Follower | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Accounts keep their order, a publisher with several accounts does not: they go to
        different validators."""
        return Capabilities(
            acks=self.acks,
            ack=self._ack,
            ordered=len(self._addresses) == 1,
            stamps=("decided",),
            copies=len(self._addresses),
        )

    async def open(self) -> None:
        """Connects to all nodes, and keeps trying those that do not answer.

        Raises:
            TargetError: none answers, or one is something else.
        """
        found = await asyncio.gather(*(learn(rpc) for rpc in self._rpcs), return_exceptions=True)
        statuses = {i: each for i, each in enumerate(found) if isinstance(each, dict)}
        if not statuses:
            raise next(each for each in found if isinstance(each, BaseException))
        chains = {status["node_info"]["network"] for status in statuses.values()}
        if len(chains) > 1:
            raise TargetError(f"these are nodes of different chains: {chains}", place="cometbft")
        self._validators = {s["validator_info"]["address"]: i for i, s in statuses.items()}
        self._since_height = max(
            int(status["sync_info"]["latest_block_height"]) for status in statuses.values()
        )
        self._keepers = [asyncio.create_task(_stay(rpc)) for rpc in self._rpcs]

    def frame(self, message: Outgoing) -> bytes:
        """A WebSocket frame, addressed to the account's node."""
        made = broadcast_frame(
            f"broadcast_tx_{self._ack}", message.number, transaction_of(message.payload)
        )
        return addressed(message.account % len(self._rpcs), made)

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """See `Batched`. Messages for a node that is down are reported as disconnected."""
        for node, (part, whose) in dealt(frames, numbers).items():
            self._rpcs[node].broadcast(part, whose, sink)

    async def publish(self, message: Outgoing) -> None:
        """See `Target`. One call; the generator uses `write`."""
        rpc = self._rpcs[message.account % len(self._rpcs)]
        text = b64encode(transaction_of(message.payload)).decode()
        try:
            result = await rpc.call(f"broadcast_tx_{self._ack}", tx=text)
        except RpcError as error:
            raise Refused(str(error)) from None
        except OSError:
            raise Disconnected from None
        if result["code"] != 0:
            raise Refused(f"CheckTx code {result['code']}")

    async def receive(self, sink: Sink) -> None:
        """Follows the blocks of every node."""
        self._follower = Follower(self._addresses, self._since_height, len(self._validators))
        await self._follower.follow(sink)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads of the blocks of whichever node answers, by asking ten times a second."""
        height = self._since_height
        while True:
            latest = height
            for rpc in self._rpcs:
                with contextlib.suppress(OSError, RpcError):
                    status = await rpc.call("status")
                    latest = int(status["sync_info"]["latest_block_height"])
                    break
            while height < latest:
                height += 1
                for payload in await self._payloads(height):
                    yield payload
            await asyncio.sleep(0.1)

    async def stored(self) -> AsyncIterator[bytes]:
        """Payloads of all blocks that the first node that answers still has."""
        status = await self._ask("status")
        first = int(status["sync_info"]["earliest_block_height"])
        for height in range(max(1, first), int(status["sync_info"]["latest_block_height"]) + 1):
            for payload in await self._payloads(height):
                yield payload

    async def blocks(self, run: int) -> list[Block]:
        """See `Chain`."""
        found: list[Block] = []
        offset = wall_offset_ns()
        latest = await self._latest()
        for low in range(self._since_height + 1, latest + 1, _AT_ONCE):
            high = min(low + _AT_ONCE - 1, latest)
            metas = await self._ask("blockchain", minHeight=str(low), maxHeight=str(high))
            sizes = {int(m["header"]["height"]): int(m["block_size"]) for m in metas["block_metas"]}
            for height in range(low, high + 1):
                content = None if self._follower is None else self._follower.content(height)
                if content is None:
                    content = await self._content(height, run, offset)
                if height not in sizes:
                    raise TargetError(f"tells no size of block {height}", place=self.where.url)
                size = sizes[height]
                found.append(block_of(content, size, self._validators, self._follower))
        return found

    def clock(self) -> Clock:
        """The validators' wall clock is this machine's; `delivered` and `blocks` already return
        converted times."""
        before = time.monotonic_ns()
        offset = wall_offset_ns()
        return Clock(offset_ns=offset, error_ns=time.monotonic_ns() - before)

    async def close(self) -> None:
        """See `Target`."""
        for task in self._keepers:
            task.cancel()
        for rpc in self._rpcs:
            rpc.close()

    async def _payloads(self, height: int) -> Sequence[bytes]:
        answer = await self._ask("block", height=str(height))
        made = (payload_of(each) for each in transactions_of(answer["block"]))
        return [payload for payload in made if payload is not None]

    async def _content(self, height: int, run: int, offset_ns: int) -> Content:
        answer, commit = await asyncio.gather(
            self._ask("block", height=str(height)), self._ask("commit", height=str(height))
        )
        return content_of(answer, commit, run, offset_ns)

    async def _latest(self) -> int:
        heights = [0]
        for rpc in self._rpcs:
            with contextlib.suppress(OSError, RpcError):
                status = await rpc.call("status")
                heights.append(int(status["sync_info"]["latest_block_height"]))
        return max(heights)

    async def _ask(self, method: str, **params: Any) -> Any:
        """The result of a call to the first node that answers."""
        last_error: Exception | None = None
        for rpc in self._rpcs:
            try:
                return await rpc.call(method, **params)
            except (OSError, RpcError) as error:
                last_error = error
        raise TargetError(f"no node answers `{method}` ({last_error})", place="cometbft")


async def _stay(rpc: Rpc) -> None:
    """Connects again whenever the connection is lost."""
    while True:
        if rpc.connected:
            await rpc.lost.wait()
        with contextlib.suppress(OSError, TargetError):
            await rpc.connect()
            continue
        await asyncio.sleep(_RETRY_S)
