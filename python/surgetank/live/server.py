"""The interface of a server that surgetank starts itself: its processes, its folder, its ports.

All processes that a server starts are in process groups of their own and end with `stop`, also on
Ctrl-C. It touches no other process.
"""

from __future__ import annotations

import abc
import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from surgetank.live.process import Process
from surgetank.live.target import Where

__all__ = ["Server", "free_port", "free_ports"]


class Server(abc.ABC):
    """One or several processes on loopback, from binaries of this machine."""

    name: ClassVar[str]
    stop_s: ClassVar[float] = 5.0
    """Time that it may take to end by itself, s; 0 = it is killed at once."""

    def __init__(self, folder: Path, where: Where) -> None:
        """`folder` is for its data, logs and configuration; `where` has the options of the URL."""
        self.folder = folder
        self.where = where
        self.processes: list[Process] = []
        """The process that holds the data of each node, by node number."""

    @classmethod
    @abc.abstractmethod
    def missing(cls) -> str | None:
        """None if its programs are installed; else the command that installs them."""

    @abc.abstractmethod
    def start(self) -> Where:
        """Starts it, waits until it answers, and returns its address.

        Raises:
            TargetError: it did not start; the message ends with the last lines of its log.
        """

    @abc.abstractmethod
    def restart(self, node: int = 0) -> None:
        """Starts a killed node again on the same folder and port; returns when it answers."""

    def stop(self) -> None:
        """Ends all of its processes; safe to call twice."""
        for process in self.processes:
            if self.stop_s:
                process.stop(self.stop_s)
            else:
                process.kill()

    @property
    def pids(self) -> list[int]:
        """Process ids by node, 0 for a node that is down."""
        return [process.pid for process in self.processes]

    def kill(self, node: int = 0) -> None:
        """Sends SIGKILL, so that the process cannot write anything more; returns when it has
        ended."""
        self.processes[node].kill()

    def pause(self, node: int = 0) -> None:
        """Sends SIGSTOP: the node stops and keeps its connections."""
        self.processes[node].pause()

    def resume(self, node: int = 0) -> None:
        """Sends SIGCONT: the node continues."""
        self.processes[node].resume()

    def cpu_s(self) -> float | None:
        """CPU time of its processes, s; None if one is down."""
        used = [process.cpu_s() for process in self.processes]
        return None if None in used else sum(each for each in used if each is not None)

    @property
    def data(self) -> list[Path]:
        """Folder of each node's durable data, for faults of the disk."""
        return []

    def links(self) -> dict[tuple[int, int], tuple[str, int]]:
        """(a, b) → the address at which node a reaches node b; known before `start`."""
        return {}

    def route(self, addresses: Mapping[tuple[int, int], tuple[str, int]]) -> None:  # noqa: B027
        """Makes node a reach node b at another address (a link proxy's). Call it before `start`."""

    def version(self) -> str:
        """Program and version, for the report."""
        return self.name


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def free_ports(n: int) -> list[int]:
    """`n` different loopback ports that are free now."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(n)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in found]
