"""An Apache Kafka broker that surgetank starts: one process, broker and controller in one (KRaft).

Kafka is in no Linux distribution's packages. Maven fetches its jars once, from the repositories in
its configuration, into the user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import uuid
from base64 import urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from surgetank.live.process import Process, wait_until
from surgetank.live.server import Server, free_port
from surgetank.live.target import TargetError, Where

__all__ = ["VERSION", "KafkaBroker", "jars"]

VERSION: Final = "3.9.1"
_SCALA: Final = "2.13"
_FETCH_S: Final = 600.0
_FORMAT_S: Final = 60.0
_START_S: Final = 60.0
_LOOPBACK: Final = "127.0.0.1"
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>surgetank</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{scala}</artifactId><version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
_SETTINGS: Final = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{loopback}:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{loopback}:{port},CONTROLLER://{loopback}:{controller}
advertised.listeners=PLAINTEXT://{loopback}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
"""


def jars() -> Path:
    """The cache folder of this version's jars; it may not exist yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "surgetank" / f"kafka-{VERSION}"


def _fetched() -> Path:
    """The jars, fetched by Maven if this is the first use."""
    cached = jars()
    if cached.is_dir():
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    print(
        f"surgetank: fetching Apache Kafka {VERSION} by Maven into {cached} (about 50 MB, once) …",
        file=sys.stderr,
        flush=True,
    )
    work = Path(tempfile.mkdtemp(prefix="kafka-", dir=cached.parent))
    try:
        (work / "pom.xml").write_text(_POM.format(scala=_SCALA, version=VERSION), encoding="utf-8")
        argv = ["mvn", "-B", "-q", "dependency:copy-dependencies"]
        argv += [f"-DoutputDirectory={work / 'jars'}", "-DincludeScope=runtime"]
        done = subprocess.run(argv, cwd=work, capture_output=True, text=True, timeout=_FETCH_S)
        if done.returncode:
            raise _failed("\n".join((done.stdout + done.stderr).splitlines()[-8:]))
        try:
            (work / "jars").rename(cached)
        except OSError:
            if not cached.is_dir():  # else another process was faster
                raise
    except (subprocess.TimeoutExpired, OSError) as error:
        raise _failed(str(error)) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return cached


def _failed(why: str) -> TargetError:
    return TargetError(
        f"Maven could not fetch Kafka {VERSION}: {why}", place="kafka:", hint="Is mvn set up?"
    )


class KafkaBroker(Server):
    """One Kafka node."""

    name: ClassVar[str] = "kafka"
    stop_s: ClassVar[float] = 10.0

    def __init__(self, folder: Path, where: Where) -> None:
        super().__init__(folder, where)
        self.port = where.port or free_port()
        self._controller = free_port()
        self._settings = folder / "server.properties"
        argv = self._java("kafka.Kafka", str(self._settings))
        self.processes = [Process(argv, folder, "kafka.log")]

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            shutil.which("java") or "java",
            "-Xmx512m",
            "-XX:+UseG1GC",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            str(jars() / "*"),
            main,
            *arguments,
        ]

    @classmethod
    def missing(cls) -> str | None:
        """Debian's command that installs Java, or Maven before the first use; None if both are
        installed."""
        if shutil.which("java") is None:
            return "apt-get install default-jre-headless maven"
        here = jars().is_dir() or shutil.which("mvn") is not None
        return None if here else "apt-get install maven"

    def start(self) -> Where:
        """Starts it; see `Server.start`. The first use fetches Kafka, which takes a minute."""
        _fetched()
        self.data[0].mkdir(parents=True, exist_ok=True)
        text = _SETTINGS.format(
            loopback=_LOOPBACK, port=self.port, controller=self._controller, data=self.data[0]
        )
        self._settings.write_text(text, encoding="utf-8")
        self._format()
        self.restart()
        at = (_LOOPBACK, self.port)
        return replace(self.where, host=at[0], port=at[1], addresses=(at,))

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        arguments = ("format", "--cluster-id", cluster, "--config", str(self._settings))
        tool = self._java("kafka.tools.StorageTool", *arguments, "--ignore-formatted")
        done = subprocess.run(tool, capture_output=True, text=True, timeout=_FORMAT_S)
        if done.returncode:
            raise TargetError(
                f"its storage could not be formatted: {(done.stdout + done.stderr)[-500:]}",
                place="kafka:",
            )

    def restart(self, node: int = 0) -> None:
        """Starts it again on its folder; returns when it answers as a broker."""
        self.processes[0].start()
        try:
            wait_until(self._answers, _START_S, "an answer of Kafka", self.processes[0])
        except TargetError:
            self.stop()
            raise

    def _answers(self) -> bool:
        # ApiVersions, version 0.
        asked = struct.pack(">hhih", 18, 0, 1, -1)
        with socket.create_connection((_LOOPBACK, self.port), 1.0) as link:
            link.settimeout(2.0)
            link.sendall(struct.pack(">i", len(asked)) + asked)
            return len(link.recv(8)) == 8

    @property
    def data(self) -> list[Path]:
        """The folder of its logs."""
        return [self.folder / "data"]

    def version(self) -> str:
        """The version, such as `Apache Kafka 3.9.1`."""
        return f"Apache Kafka {VERSION}"
