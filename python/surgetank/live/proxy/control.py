"""The driver's control of the proxy's process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self

from surgetank.errors import SurgetankError
from surgetank.live.proxy.fate import Fate, Link
from surgetank.live.proxy.readings import LinkReading

__all__ = ["Proxy"]

_ENDS_WITHIN_S: Final = 5.0


class Proxy:
    """Starts and controls the proxy's process; use it as a context manager.

    Its methods can be called from any thread. It ends with the context, and with its parent.
    """

    def __init__(self, links: Sequence[Link], seed: int = 0) -> None:
        """The same seed draws the same delays for the same chunks.

        Raises:
            SurgetankError: two links have one name.
        """
        names = [link.name for link in links]
        for name in names:
            if names.count(name) > 1:
                raise SurgetankError("two links have this name", place=name, hint="Rename one")
        self.links: dict[str, Link] = {link.name: link for link in links}
        self._seed = seed
        self._ports: dict[str, int] = {}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, links: Sequence[Link]) -> None:
        """Adds links that become known later, and listens on their ports.

        Raises:
            SurgetankError: a name is there already.
        """
        for link in links:
            if link.name in self.links:
                raise SurgetankError("two links have this name", place=link.name, hint="Rename one")
        answer = self._ask(do="begin", links=[asdict(link) for link in links], seed=self._seed)
        self.links |= {link.name: link for link in links}
        self._ports |= answer["ports"]

    def start(self) -> Self:
        """Listens on every link's port.

        Raises:
            SurgetankError: the process did not start, or a port is taken.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "surgetank.live.proxy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        links = [asdict(link) for link in self.links.values()]
        try:
            self._ports = self._ask(do="begin", links=links, seed=self._seed)["ports"]
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the process; connections through it are closed. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
            process.wait(_ENDS_WITHIN_S)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id, for the CPU time; 0 if it does not run."""
        return self._process.pid if self._process is not None else 0

    def address(self, name: str) -> tuple[str, int]:
        """The address to connect to in order to go through a link."""
        return "127.0.0.1", self._ports[name]

    def between(self, some: Iterable[int], others: Iterable[int] | None = None) -> list[str]:
        """Names of the links between two groups of nodes (-1 = clients); without the second group,
        of all links that end at the first."""
        first = set(some)
        second = None if others is None else set(others)
        found = []
        for link in self.links.values():
            if second is None:
                meets = link.a in first or link.b in first
            else:
                meets = (link.a in first and link.b in second) or (
                    link.a in second and link.b in first
                )
            if meets:
                found.append(link.name)
        return found

    def set(self, names: str | Iterable[str] | None, fate: Fate) -> int:
        """Sets the fate of links (None = all) and resets their counts.

        Returns:
            When it took effect, by `time.monotonic_ns`.
        """
        return int(self._ask(do="set", names=self._named(names), fate=fate.to_json())["at_ns"])

    def reset(self, names: str | Iterable[str] | None = None) -> int:
        """Resets all connections of links (None = all) and returns how many."""
        return int(self._ask(do="reset", names=self._named(names))["resets"])

    def readings(self) -> dict[str, LinkReading]:
        """The reading of each link since its fate was last set."""
        found = [LinkReading.from_json(data) for data in self._ask(do="readings")["readings"]]
        return {reading.name: reading for reading in found}

    def cpu_s(self) -> float:
        """CPU time of its process, s: a proxy that needs a whole core delays the traffic."""
        return float(self._ask(do="cost")["cpu_s"])

    def _named(self, names: str | Iterable[str] | None) -> list[str]:
        if names is None:
            return list(self.links)
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self.links:
                raise SurgetankError(
                    f"there is no link {name}",
                    place="proxy",
                    hint=f"There are {', '.join(self.links)}",
                )
        return chosen

    def _ask(self, **request: Any) -> dict[str, Any]:
        process = self._process
        if process is None:
            raise SurgetankError("is not running", place="proxy", hint="Start it first")
        assert process.stdin is not None and process.stdout is not None
        with self._lock:
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:
                line = b""
        if not line:
            raise SurgetankError(
                f"has ended (code {process.poll()})", place="proxy", hint="Run again", exit_code=3
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SurgetankError(answer["error"], place="proxy", hint="Give other links")
        return answer
