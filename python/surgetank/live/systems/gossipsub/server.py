"""A gossipsub mesh on loopback: py-libp2p nodes, each a process of its own.

Options of the URL: `nodes` (8), `graph` (`full` or `random-regular` with `links`), `seed` of the
graph, and gossipsub's parameters `d` (6), `d_low` (4), `d_high` (12) and `heartbeat_ms` (1000), the
defaults of its specification.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import random
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from surgetank.extras import install_command
from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_ports
from surgetank.live.target import TargetError, Where
from surgetank.live.url_options import choice, whole_number

__all__ = ["LIMITS", "GossipsubServer", "ask", "regular_graph"]

_NODES_MAX: Final = 64
_START_S: Final = 60.0
_ANSWER_S: Final = 2.0
#: Option → its default and its bounds.
LIMITS: Final[dict[str, tuple[int, int, int]]] = {
    "nodes": (8, 2, _NODES_MAX),
    "links": (6, 2, _NODES_MAX - 1),
    "seed": (7, 0, 2**32 - 1),
    "d": (6, 1, _NODES_MAX),
    "d_low": (4, 1, _NODES_MAX),
    "d_high": (12, 1, _NODES_MAX),
    "heartbeat_ms": (1_000, 50, 60_000),
}

_NODE: Final = Path(__file__).with_name("node.py")

Address = tuple[str, int]


class GossipsubServer(Server):
    """Nodes of py-libp2p with gossipsub, a process each: `gossipsub:?nodes=8`."""

    name: ClassVar[str] = "gossipsub"
    stop_s: ClassVar[float] = 0.0

    def __init__(self, folder: Path, where: Where) -> None:
        """Chooses ports and the graph, so that `links` is known before `start`.

        Raises:
            TargetError: an option has a value that it cannot have.
        """
        super().__init__(folder, where)
        self._chosen = {key: whole_number(where, key, *LIMITS[key]) for key in LIMITS}
        self.nodes = n = self._chosen["nodes"]
        graph = choice(where, "graph", ("full", "random-regular"), "full")
        links = n - 1 if graph == "full" else self._chosen["links"]
        if links >= n or links * n % 2:
            text = f"`links` {links} cannot be had by each of {n} nodes"
            raise TargetError(text, place="gossipsub:", hint="Their product must be even")
        self.graph = regular_graph(n, links, self._chosen["seed"])
        """Pairs (a, b) with a < b; a dials b."""
        ports = free_ports(2 * n)
        self.control: list[Address] = [("127.0.0.1", port) for port in ports[:n]]
        self._peer: list[Address] = [("127.0.0.1", port) for port in ports[n:]]
        self._key = secrets.token_hex(8)
        self._routes: Mapping[tuple[int, int], Address] = {}

    @classmethod
    def missing(cls) -> str | None:
        found = importlib.util.find_spec("libp2p")
        return None if found else install_command("gossipsub")

    def links(self) -> dict[tuple[int, int], Address]:
        """See `Server`. The node with the lower number dials and, after a restart, the restarted
        node: the others may take a minute to detect that a connection is dead."""
        both = [*self.graph, *((b, a) for a, b in self.graph)]
        return {(a, b): self._peer[b] for a, b in sorted(both)}

    def route(self, addresses: Mapping[tuple[int, int], Address]) -> None:
        """See `Server`."""
        self._routes = dict(addresses)

    def start(self) -> Where:
        self.folder.mkdir(parents=True, exist_ok=True)
        for node in range(self.nodes):
            plan = self._write_plan(node, [b for a, b in self.graph if a == node])
            # As a script, not a module: a node has no need of surgetank, whose import takes longer
            # than libp2p's; `-P` keeps this folder's names (redis, nats) out of its way.
            argv = [sys.executable, "-P", str(_NODE), str(plan)]
            self.processes.append(Process(argv, self.folder, f"node{node}.log"))
        try:
            for process in self.processes:
                process.start()
            # Dialled when all listen: py-libp2p is slow to try again.
            for node in range(self.nodes):
                self._wait(node, 0)
            for address in self.control:
                ask(address, "DIAL -")
            for node in range(self.nodes):
                self._wait(node, self._degree(node))
        except BaseException:
            self.stop()
            raise
        host, port = self.control[0]
        chosen = {key: str(self._chosen[key]) for key in ("d_low", "heartbeat_ms")}
        options = {**self.where.options, **chosen}
        return replace(
            self.where, host=host, port=port, options=options, addresses=tuple(self.control)
        )

    def restart(self, node: int = 0) -> None:
        """Starts the node again. It has lost its topics; `Gossipsub.receive` makes it join
        again."""
        self._write_plan(node, [b for a, b in self.links() if a == node])
        self.processes[node].start()
        self._wait(node, 0)
        ask(self.control[node], "DIAL -")
        self._wait(node, 1)

    def mesh_degrees(self) -> list[int]:
        """Number of mesh peers of each node that answers, in the topic of the current run."""
        found = []
        for address in self.control:
            with contextlib.suppress(OSError):
                found += ask(address, "STAT -")["topics"].values()
        return found

    def version(self) -> str:
        libp2p = importlib.metadata.version("libp2p")
        return f"py-libp2p {libp2p} gossipsub 1.1, {self.nodes} nodes, D {self._chosen['d']}"

    def _wait(self, node: int, peers: int) -> None:
        what = f"{peers} connections of node {node}"
        wait_until(partial(self._connected, node, peers), _START_S, what, self.processes[node])

    def _connected(self, node: int, peers: int) -> bool:
        return int(ask(self.control[node], "STAT -")["peers"]) >= peers

    def _degree(self, node: int) -> int:
        return sum(node in pair for pair in self.graph)

    def _write_plan(self, node: int, dials: Sequence[int]) -> Path:
        from libp2p.peer.id import ID

        from surgetank.live.systems.gossipsub.node import key_of

        peers = []
        for b in dials:
            host, port = self._routes.get((node, b), self._peer[b])
            name = ID.from_pubkey(key_of(self._key, b).public_key).to_base58()
            peers.append({"id": name, "address": f"/ip4/{host}/tcp/{port}/p2p/{name}"})
        chosen = {key: self._chosen[key] for key in ("d", "d_low", "d_high")}
        plan = {
            **chosen,
            "number": node,
            "seed": self._key,
            "heartbeat_s": self._chosen["heartbeat_ms"] / 1e3,
            "port": self._peer[node][1],
            "control": self.control[node][1],
            "peers": peers,
        }
        path = self.folder / f"node{node}.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        return path


def ask(address: Address, line: str) -> dict[str, Any]:
    """A node's answer to a request of one line.

    Raises:
        OSError: it does not answer.
    """
    with socket.create_connection(address, _ANSWER_S) as link:
        link.settimeout(_ANSWER_S)
        link.sendall(line.encode() + b"\n")
        with link.makefile("rb") as answer:
            reply = answer.readline()
    if not reply:
        raise ConnectionResetError("no answer")
    try:
        found: dict[str, Any] = json.loads(reply)
    except ValueError:
        raise ConnectionResetError("something else listens there") from None
    return found


def regular_graph(n: int, links: int, seed: int) -> list[tuple[int, int]]:
    """A connected graph in which each of `n` nodes has `links` neighbours: a ring lattice whose
    edges are switched in pairs at random, ten times as often as there are edges."""
    draw = random.Random(seed)
    lattice = {tuple(sorted((i, (i + k) % n))) for i in range(n) for k in range(1, links // 2 + 1)}
    if links % 2:
        lattice |= {(i, i + n // 2) for i in range(n // 2)}
    edges = sorted((a, b) for a, b in lattice)
    while True:
        for _ in range(10 * len(edges)):
            i, j = draw.randrange(len(edges)), draw.randrange(len(edges))
            (a, b), (c, d) = edges[i], edges[j]
            if draw.random() < 0.5:
                c, d = d, c
            one, two = (min(a, c), max(a, c)), (min(b, d), max(b, d))
            if len({a, b, c, d}) == 4 and one not in edges and two not in edges:
                edges[i], edges[j] = one, two
        if _is_connected(n, edges):
            return sorted(edges)


def _is_connected(n: int, edges: list[tuple[int, int]]) -> bool:
    reached, fresh = {0}, [0]
    while fresh:
        at = fresh.pop()
        for pair in edges:
            if at in pair:
                other = pair[0] + pair[1] - at
                if other not in reached:
                    reached.add(other)
                    fresh.append(other)
    return len(reached) == n
