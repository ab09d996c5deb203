"""A Redis server that surgetank starts: one process, with its files in a folder of the run.

The option `ack` sets how durable an acknowledged message is
(`surgetank.live.systems.redis.target`), here by `appendonly` and `appendfsync`. With `maxmemory`
(Redis' own notation, such as `64mb`) it refuses messages that do not fit. Snapshots (RDB) are off.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import TargetError, Where
from surgetank.live.url_options import choice, size

__all__ = ["ACKS", "ACK_USUAL", "Redis"]

#: Level of acknowledgement → `appendonly`, `appendfsync`. Weakest first.
ACKS: Final[dict[str, tuple[str, str]]] = {
    "none": ("no", "no"),
    "memory": ("no", "no"),
    "everysec": ("yes", "everysec"),
    "always": ("yes", "always"),
}
#: Redis' own default with a log.
ACK_USUAL: Final = "everysec"
_START_S: Final = 20.0
_SIZE: Final = re.compile(r"\d{1,15}([kmg]b?|b)?", re.IGNORECASE)


class Redis(Server):
    """redis-server from Debian or elsewhere on the path."""

    name: ClassVar[str] = "redis"

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        self.port = where.port or free_port()
        argv = [shutil.which("redis-server") or "redis-server", str(folder / "redis.conf")]
        self.processes = [Process(argv, folder, "redis.log")]

    @classmethod
    def missing(cls) -> str | None:
        """Debian's command that installs it; None if it is installed."""
        return None if shutil.which("redis-server") else "apt-get install redis-server"

    def start(self) -> Where:
        """Starts it; see `Server.start`."""
        self.data[0].mkdir(parents=True, exist_ok=True)
        (self.folder / "redis.conf").write_text(self.configuration(), encoding="utf-8")
        self.restart()
        at = ("127.0.0.1", self.port)
        return replace(self.where, host=at[0], port=at[1], addresses=(at,))

    def configuration(self) -> str:
        """The text of redis.conf.

        Raises:
            TargetError: an option has a value that it cannot have.
        """
        only, sync = ACKS[choice(self.where, "ack", ACKS, ACK_USUAL)]
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{self.data[0]}"',
            'logfile ""',
            "daemonize no",
            'save ""',
            f"appendonly {only}",
            f"appendfsync {sync}",
        ]
        if "maxmemory" in self.where.options:
            most = size(self.where, "maxmemory", _SIZE, "64mb")
            lines += [f"maxmemory {most}", "maxmemory-policy noeviction"]
        return "\n".join(lines) + "\n"

    def restart(self, node: int = 0) -> None:
        """Starts it again on its folder; returns when its log is loaded and it answers."""
        self.processes[0].start()
        try:
            wait_until(self._answers, _START_S, "an answer of redis-server", self.processes[0])
        except TargetError:
            self.stop()
            raise

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1.0) as link:
            link.sendall(b"PING\r\n")
            return link.recv(64).startswith(b"+PONG")

    @property
    def data(self) -> list[Path]:
        """The folder of its append-only log."""
        return [self.folder / "data"]

    def version(self) -> str:
        """The version, such as `redis-server 7.0.15`."""
        with contextlib.suppress(OSError, subprocess.SubprocessError, IndexError):
            output = subprocess.run(
                [self.processes[0].argv[0], "--version"], capture_output=True, text=True, timeout=10
            ).stdout
            return f"redis-server {output.split('v=')[1].split()[0]}"
        return "redis-server"
