"""A RabbitMQ node that surgetank starts, with its own name, folder, cookie, ports and epmd.

Erlang nodes find each other through a daemon, epmd, of which a machine usually has one that
outlives the nodes. This server starts another on a port of its own, which ends with the node.

Debian's `rabbitmq-server` on the path changes the user and writes under /var; the script below it
is called instead. `-noinput` and `RABBITMQ_ALLOW_INPUT` make that script *become* the Erlang
machine, so that its id is the server's.
"""

from __future__ import annotations

import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import TargetError, Where
from surgetank.live.url_options import size

__all__ = ["RabbitMQ"]

_LOOPBACK: Final = "127.0.0.1"
_START_S: Final = 60.0
_SIZE: Final = re.compile(r"\d{1,15}([kMGTP](i?B)?)?")
_PLACES: Final = ("/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/opt/rabbitmq/lib")


def _script() -> Path | None:
    for place in _PLACES:
        found = sorted(Path(place).glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if found:
            return found[-1]
    return None


class RabbitMQ(Server):
    """One node of rabbitmq-server from Debian."""

    name: ClassVar[str] = "rabbitmq"
    stop_s: ClassVar[float] = 10.0

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        self.port = where.port or free_port()
        self._epmd_port, self._node_port = free_port(), free_port()
        self._epmd = Process(
            [shutil.which("epmd") or "epmd", "-port", f"{self._epmd_port}", "-address", _LOOPBACK],
            folder,
            "epmd.log",
        )
        argv = [str(_script() or "rabbitmq-server"), "-noinput"]
        self.processes = [Process(argv, folder, "rabbitmq.log", self._environment())]

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "HOME": str(folder),
            "ERL_EPMD_PORT": f"{self._epmd_port}",
            "ERL_EPMD_ADDRESS": _LOOPBACK,
            "RABBITMQ_NODENAME": f"surgetank-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": _LOOPBACK,
            "RABBITMQ_NODE_PORT": f"{self.port}",
            "RABBITMQ_DIST_PORT": f"{self._node_port}",
            "RABBITMQ_MNESIA_BASE": str(self.data[0]),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"
            ),
        }

    @classmethod
    def missing(cls) -> str | None:
        """Debian's command that installs it; None if it is installed."""
        here = _script() is not None and shutil.which("erl") and shutil.which("epmd")
        return None if here else "apt-get install rabbitmq-server"

    def start(self) -> Where:
        """Starts it, which takes five to fifteen seconds; see `Server.start`."""
        self.data[0].mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(self.configuration(), encoding="utf-8")
        (self.folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        self.restart()
        at = (_LOOPBACK, self.port)
        return replace(self.where, host=at[0], port=at[1], addresses=(at,))

    def configuration(self) -> str:
        """The text of rabbitmq.conf.

        Raises:
            TargetError: an option has a value that it cannot have.
        """
        memory = size(self.where, "memory", _SIZE, "1GB")
        disk_free = size(self.where, "disk_free", _SIZE, "50MB")
        return (
            "log.console.level = warning\n"
            f"vm_memory_high_watermark.absolute = {memory}\n"
            f"disk_free_limit.absolute = {disk_free}\n"
        )

    def stop(self) -> None:
        """Asks the node to end, then kills it, and ends its epmd."""
        super().stop()
        self._epmd.kill()

    def restart(self, node: int = 0) -> None:
        """Starts it again on its folder; returns when it answers over AMQP."""
        try:
            if not self._epmd.running:
                self._epmd.start()
                wait_until(self._named, _START_S, "an answer of epmd", self._epmd)
            self.processes[0].start()
            wait_until(self._answers, _START_S, "an answer of rabbitmq-server", self.processes[0])
        except TargetError:
            self.stop()
            raise

    def _named(self) -> bool:
        with socket.create_connection((_LOOPBACK, self._epmd_port), 1.0):
            return True

    def _answers(self) -> bool:
        with socket.create_connection((_LOOPBACK, self.port), 1.0) as link:
            link.settimeout(2.0)
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(1) == b"\x01"

    @property
    def data(self) -> list[Path]:
        """The folder of its queues' logs."""
        return [self.folder / "data"]

    def version(self) -> str:
        """The version, such as `rabbitmq-server 3.10.8`."""
        script = _script()
        found = script.parent.parent.name.rpartition("-")[2] if script else ""
        return f"rabbitmq-server {found}".strip()
