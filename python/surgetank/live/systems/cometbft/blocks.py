"""Follows a CometBFT chain on all of its nodes: the time of each block at each node.

A node's `NewBlockHeader` event comes after it has committed and executed the block; its arrival is
the time of delivery at that node. The content of a block is requested once per height, from the
node that announced it first, so that following costs the nodes little and the request is not in the
delays.

Decided: the time at which the last precommit needed for more than 2/3 of the validators was signed,
from the block's own commit (wall clock of the validators). Voting powers are assumed to be equal.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from surgetank.live.payload import Numbers, numbers_in
from surgetank.live.systems.cometbft.rpc import Rpc, RpcError
from surgetank.live.target import Block, Sink, TargetError

__all__ = ["Content", "Follower", "content_of", "monotonic", "transactions_of"]

_RETRY_S: Final = 0.2


def wall_offset_ns() -> int:
    """The difference of this machine's monotonic clock and its wall clock, ns."""
    return time.monotonic_ns() - time.time_ns()


def monotonic(stamp: str, offset_ns: int) -> int:
    """A time of CometBFT's (`2026-01-02T03:04:05.123456789Z`) on our monotonic clock."""
    whole, _, part = stamp.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 1_000_000_000 + int(part.ljust(9, "0") or 0) + offset_ns


@dataclass(frozen=True, eq=False)
class Content:
    """The content of a block."""

    height: int
    round: int
    numbers: Numbers
    proposer: str
    """Address of the proposer."""
    hash: str
    time_ns: int
    """Time in the header, ns: the median of the votes for the previous block."""
    decided_ns: int


def transactions_of(block: Mapping[str, Any]) -> list[bytes]:
    """A block's transactions, in order."""
    return [b64decode(text) for text in block["data"]["txs"] or ()]


def content_of(
    answer: Mapping[str, Any], commit: Mapping[str, Any], run: int, offset_ns: int
) -> Content:
    """The content of a block from the answers of the calls `block` and `commit`."""
    header, votes = answer["block"]["header"], commit["signed_header"]["commit"]
    stamps = sorted(
        monotonic(vote["timestamp"], offset_ns)
        for vote in votes["signatures"]
        if vote["block_id_flag"] == 2
    )
    enough = 2 * len(votes["signatures"]) // 3 + 1
    return Content(
        height=int(header["height"]),
        round=int(votes["round"]),
        numbers=numbers_in(run, transactions_of(answer["block"])),
        proposer=header["proposer_address"],
        hash=answer["block_id"]["hash"],
        time_ns=monotonic(header["time"], offset_ns),
        decided_ns=stamps[min(enough, len(stamps)) - 1],
    )


@dataclass
class _Node:
    rpc: Rpc
    announced: int = 0
    """The last height in `waiting`."""
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    """Heights announced and not yet delivered, with their times, ns."""
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Follower:
    """Follows all nodes of a chain from one process."""

    def __init__(self, addresses: Sequence[tuple[str, int]], since_height: int, alive: int) -> None:
        """Follows blocks after `since_height`; `alive` nodes can be followed from the start."""
        self.since_height = since_height
        self._alive = alive
        self.executed_ns: dict[int, dict[int, int]] = {}
        """Height → node → when it announced it."""
        self.proposed_ns: dict[tuple[int, int], int] = {}
        """(height, round) → when the first node had the whole proposal."""
        self._contents: dict[int, asyncio.Future[Content]] = {}
        self._nodes: list[_Node] = []
        for number, (host, port) in enumerate(addresses):
            node = _Node(Rpc(host, port), since_height)
            node.rpc.on_event = self._listener(number, node)
            self._nodes.append(node)

    def content(self, height: int) -> Content | None:
        """The content of a block; None if it was not announced."""
        found = self._contents.get(height)
        return found.result() if found is not None and _has_result(found) else None

    async def follow(self, sink: Sink) -> None:
        """Reports every block of every node to the sink, in the order of heights at each node,
        until cancelled."""
        following: set[int] = set()

        def follows(number: int) -> None:
            following.add(number)
            if len(following) == self._alive:
                sink.subscribed()

        try:
            async with asyncio.TaskGroup() as tasks:
                for number, node in enumerate(self._nodes):
                    tasks.create_task(self._keep(number, node, follows))
                    tasks.create_task(self._report_blocks(number, node, sink))
        finally:
            for node in self._nodes:
                node.rpc.close()

    def _listener(self, number: int, node: _Node) -> Any:
        def on_event(name: str, value: dict[str, Any], at_ns: int) -> None:
            if name == "NewBlockHeader":
                self._seen(number, node, int(value["header"]["height"]), at_ns)
            else:
                self.proposed_ns.setdefault((int(value["height"]), value["round"]), at_ns)

        return on_event

    def _seen(self, number: int, node: _Node, height: int, at_ns: int) -> None:
        """Notes that a node announced a height; heights that were missed in between count from
        now."""
        for each in range(node.announced + 1, height + 1):
            self.executed_ns.setdefault(each, {})[number] = at_ns
            node.waiting.append((each, at_ns))
            node.announced = each
        node.news.set()

    async def _keep(self, number: int, node: _Node, follows: Callable[[int], None]) -> None:
        """Keeps a connection to a node, and connects again when it ends."""
        while True:
            with contextlib.suppress(OSError, RpcError, TargetError):
                await node.rpc.connect()
                for event in ("NewBlockHeader", "CompleteProposal"):
                    await node.rpc.subscribe(event)
                status = await node.rpc.call("status")
                height = int(status["sync_info"]["latest_block_height"])
                self._seen(number, node, height, time.monotonic_ns())
                follows(number)
                await node.rpc.lost.wait()
            node.rpc.close()
            await asyncio.sleep(_RETRY_S)

    async def _report_blocks(self, number: int, node: _Node, sink: Sink) -> None:
        while True:
            while node.waiting:
                height, at_ns = node.waiting[0]
                content = await self._content(height, number, sink.run)
                node.waiting.popleft()
                decided = min(content.decided_ns, at_ns)
                sink.delivered(
                    content.numbers, at_ns, node=number, decided_ns=decided, height=height
                )
            node.news.clear()
            await node.news.wait()

    async def _content(self, height: int, first: int, run: int) -> Content:
        """The content of a block, requested once; waits until some node answers."""
        if height not in self._contents:
            self._contents[height] = asyncio.get_running_loop().create_future()
            self._contents[height].set_result(await self._ask(height, first, run))
        return await asyncio.shield(self._contents[height])

    async def _ask(self, height: int, first: int, run: int) -> Content:
        order = [self._nodes[first], *self._nodes]
        while True:
            for node in order:
                if not node.rpc.connected or node.announced < height:
                    continue
                with contextlib.suppress(OSError, RpcError):
                    answer, commit = await asyncio.gather(
                        node.rpc.call("block", height=str(height)),
                        node.rpc.call("commit", height=str(height)),
                    )
                    return content_of(answer, commit, run, wall_offset_ns())
            await asyncio.sleep(_RETRY_S)


def _has_result(future: asyncio.Future[Content]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def block_of(
    content: Content,
    size_bytes: int,
    validators: Mapping[str, int],
    follower: Follower | None,
) -> Block:
    """A block with a follower's observations of it; without a follower, `proposed_ns` is the
    header's time.

    `validators`: address → number of the node; an unknown proposer is one more than there are.
    """
    executed: Mapping[int, int] = {}
    proposed = content.time_ns
    if follower is not None:
        executed = follower.executed_ns.get(content.height, {})
        proposed = follower.proposed_ns.get((content.height, content.round), proposed)
    first = min(executed.values(), default=content.decided_ns)
    decided = min(content.decided_ns, first)
    return Block(
        height=content.height,
        round=content.round,
        proposer=validators.get(content.proposer, len(validators)),
        messages=len(content.numbers),
        size_bytes=size_bytes,
        proposed_ns=min(proposed, decided),
        decided_ns=decided,
        hash=content.hash,
        executed_ns=executed,
    )
