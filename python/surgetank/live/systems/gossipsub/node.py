"""One node of a gossipsub mesh: py-libp2p under trio, in a process of its own.

It imports nothing of surgetank, so that it starts faster. Clients connect over loopback and send
one line first: `PUB topic`, `SUB topic`, `JOIN topic`, `LEAVE topic`, `STAT topic` or `DIAL -`.

- `PUB`: then payloads, each behind its length in 4 bytes. For each the node answers `A` (handed to
  its router) or `R` (it raised) and the payload's number (8 bytes as they are in the payload).
- `SUB`: the node sends an empty payload when it listens, then each message of another node when it
  has first received it: length of the payload in 4 bytes, `time.monotonic_ns()` in 8, payload.
- `JOIN`, `LEAVE`, `STAT`, `DIAL` (connect to the peers of the plan): answered by a line of JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from libp2p.pubsub.gossipsub import PROTOCOL_ID, PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

__all__ = ["Node", "key_of", "main"]

_RETRY_S: Final = 0.5
_DIAL_S: Final = 20.0
_QUEUED_MAX: Final = 100_000
_LINE_MAX: Final = 1_024
_PAYLOAD_MAX: Final = 1 << 20
_NUMBER: Final = slice(12, 20)
"""Position of a payload's number in the format of `surgetank.live.payload`."""


def key_of(seed: str, node: int) -> KeyPair:
    """The node's key, from the run's seed, so that all know each other's ids beforehand. For a mesh
    on loopback that lives for a test; nothing is kept secret by it."""
    return create_new_key_pair(f"{seed}-{node}".encode().ljust(32, b".")[:32])


@dataclass
class _Topic:
    """A topic that the node has joined, and the subscribers to its messages."""

    listeners: list[trio.MemorySendChannel[bytes]] = field(default_factory=list)
    missed: int = 0
    """Number of messages dropped because a subscriber was too slow."""
    reading: trio.CancelScope = field(default_factory=trio.CancelScope)


class Node:
    """A node; `plan` has `number`, `port`, `control`, `peers` and gossipsub's parameters."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._host = new_host(key_pair=key_of(plan["seed"], plan["number"]))
        self._router = GossipSub(
            protocols=[PROTOCOL_ID_V11, PROTOCOL_ID],
            degree=plan["d"],
            degree_low=plan["d_low"],
            degree_high=plan["d_high"],
            heartbeat_interval=plan["heartbeat_s"],
            # py-libp2p's own additions, made for an open network: 10 messages a second and topic
            # from one peer, and peers from at least three addresses.
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
            adaptive_gossip_enabled=False,
        )
        self._pubsub = Pubsub(self._host, self._router)
        self._topics: dict[str, _Topic] = {}
        self._dialled = False

    async def run(self) -> None:
        """Serves until it is cancelled."""
        listen = Multiaddr(f"/ip4/127.0.0.1/tcp/{self._plan['port']}")
        async with (
            self._host.run(listen_addrs=[listen]),
            background_trio_service(self._pubsub),
            background_trio_service(self._router),
            trio.open_nursery() as nursery,
        ):
            self._nursery = nursery
            await self._pubsub.wait_until_ready()
            await trio.serve_tcp(self._serve, self._plan["control"], host="127.0.0.1")

    async def _keep(self, peer: PeerInfo) -> None:
        """Keeps a connection to a peer at the address in the plan."""
        while True:
            if peer.peer_id not in self._host.get_connected_peers():
                # The peer may have given us other addresses; those would go round a proxy.
                self._host.get_peerstore().clear_addrs(peer.peer_id)
                try:
                    with trio.move_on_after(_DIAL_S):
                        await self._host.connect(peer)
                except Exception as error:  # it is down; whatever the library raises then
                    logging.info("no %s: %r", peer.peer_id, error)
            await trio.sleep(_RETRY_S)

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            word, _, topic = (await _line(stream)).partition(" ")
            if word == "PUB":
                await self._publish(topic, stream)
            elif word == "SUB":
                await self._forward_receipts(topic, stream)
            else:
                if word == "DIAL" and not self._dialled:
                    self._dialled = True
                    for peer in self._plan["peers"]:
                        at = PeerInfo(_id(peer), [Multiaddr(peer["address"])])
                        self._nursery.start_soon(self._keep, at)
                elif word == "JOIN" and topic not in self._topics:
                    self._topics[topic] = _Topic()
                    self._nursery.start_soon(self._read, topic, self._topics[topic])
                elif word == "LEAVE" and topic in self._topics:
                    self._topics.pop(topic).reading.cancel()
                    await self._pubsub.unsubscribe(topic)
                await stream.send_all(json.dumps(self._state(topic)).encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError, ValueError):
            return

    def _state(self, topic: str) -> dict[str, Any]:
        found = self._topics.get(topic)
        return {
            "peers": len(self._host.get_connected_peers()),
            "mesh": len(self._router.mesh.get(topic, ())),
            "knows": len(self._pubsub.peer_topics.get(topic, ())),
            "missed": 0 if found is None else found.missed,
            "topics": {name: len(self._router.mesh.get(name, ())) for name in self._topics},
        }

    async def _publish(self, topic: str, stream: trio.SocketStream) -> None:
        data = bytearray()
        while piece := await stream.receive_some(1 << 16):
            data += piece
            while len(data) >= 4 and len(data) >= 4 + (n := int.from_bytes(data[:4])):
                if n > _PAYLOAD_MAX:
                    raise ValueError("payload too long")
                payload = bytes(data[4 : 4 + n])
                del data[: 4 + n]
                try:
                    await self._pubsub.publish(topic, payload)
                    answer = b"A"
                except Exception as error:
                    logging.warning("publish: %r", error)
                    answer = b"R"
                await stream.send_all(answer + payload[_NUMBER])

    async def _read(self, topic: str, into: _Topic) -> None:
        """Time-stamps received messages and passes them on to the subscribers."""
        own = self._host.get_id().to_bytes()
        with into.reading:
            subscription = await self._pubsub.subscribe(topic)
            while True:
                message = await subscription.get()
                at = time.monotonic_ns()
                if message.from_id == own:
                    continue
                receipt = len(message.data).to_bytes(4) + at.to_bytes(8) + message.data
                for listener in into.listeners:
                    try:
                        listener.send_nowait(receipt)
                    except (trio.WouldBlock, trio.BrokenResourceError):
                        into.missed += 1

    async def _forward_receipts(self, topic: str, stream: trio.SocketStream) -> None:
        if topic not in self._topics:
            return
        send, receive = trio.open_memory_channel[bytes](_QUEUED_MAX)
        listeners = self._topics[topic].listeners
        send.send_nowait(bytes(4) + time.monotonic_ns().to_bytes(8))
        listeners.append(send)
        try:
            async for receipt in receive:
                await stream.send_all(receipt)
        finally:
            listeners.remove(send)


def _id(peer: dict[str, str]) -> ID:
    return ID.from_base58(peer["id"])


async def _line(stream: trio.SocketStream) -> str:
    """Reads one line byte by byte, so that the bytes after it stay in the stream."""
    line = b""
    while not line.endswith(b"\n"):
        piece = await stream.receive_some(1)
        if not piece or len(line) > _LINE_MAX:
            raise ValueError("no line")
        line += piece
    return line.decode("ascii", "replace").strip()


def main() -> int:
    """Entry point: `python -P node.py PLAN_FILE`."""
    logging.basicConfig(level=logging.WARNING)
    node = Node(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    trio.run(node.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
