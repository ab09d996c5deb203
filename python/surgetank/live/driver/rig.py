"""A target with its server, and runs on it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from surgetank.errors import SurgetankError
from surgetank.live.driver.facts import Played, trace_of
from surgetank.live.driver.monitor import Monitor
from surgetank.live.driver.recording import now_ns
from surgetank.live.driver.run import LiveRun
from surgetank.live.driver.schedule import Schedule
from surgetank.live.driver.workplace import Workplace
from surgetank.live.faults import Disks, Faults, disks_for, needs_proxy
from surgetank.live.options import LiveOptions
from surgetank.live.proxy import Link, Proxy
from surgetank.live.registry import parse, server_class, target_class
from surgetank.live.safety import owned
from surgetank.live.server import Server
from surgetank.live.snapshot import Watch
from surgetank.live.target import Target
from surgetank.live.url_options import check_options
from surgetank.scenario import Scenario
from surgetank.scenario.faults import Fault
from surgetank.trace import Trace

__all__ = ["Rig"]

_T = TypeVar("_T")


class Rig:
    """A live system under test, started by us if the URL names no host.

    Use it as a context manager: it ends what it started and removes what it created, also on
    Ctrl-C.

    Raises:
        SurgetankError: the URL names no target, the user has not declared the system as their own,
        or it is not installed. TargetError: it does not answer.
    """

    def __init__(
        self,
        url: str,
        options: LiveOptions | None = None,
        *,
        proxied: bool = False,
        faults: Sequence[Fault] = (),
        disks: Disks | None = None,
    ) -> None:
        """With `proxied` all connections of clients, and those between nodes that surgetank starts,
        go through a link proxy, so that faults of the network can be played. `faults` are those
        that runs will play: the disks that they need, or `disks` where these are given, are mounted
        before the server starts."""
        self.url = url
        self.options = options or LiveOptions()
        self.server: Server | None = None
        self.proxy = Proxy([]) if proxied or needs_proxy(faults) else None
        """The link proxy, if there is one; node −1 stands for the clients."""
        self.where = parse(url)
        self.disks = disks or disks_for(faults)
        self._loop = _Loop()
        self._place: Workplace | None = None

    def __enter__(self) -> Self:
        self.where = owned(self.where, own_system=self.options.own_system)
        check_options(self.where, target_class(self.where).options)
        self._place = Workplace()
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        kind = None if self.where.host else server_class(self.where)
        if kind is not None:
            command = kind.missing()
            if command is not None:
                raise SurgetankError(
                    "its server is not installed here",
                    place=f"--target {self.url}",
                    hint=f"Install it: {command}",
                )
            (self._folder / "server").mkdir()
            self.server = kind(self._folder / "server", self.where)
            self.disks.mount(self.server, self._folder / "disks")
        if self.proxy is not None:
            self.proxy.start()
            self._between_nodes(self.proxy)
        if self.server is not None:
            self.where = self.server.start()
        if self.proxy is not None:
            self._from_clients(self.proxy)
        self._loop.start()

    def _between_nodes(self, proxy: Proxy) -> None:
        links = self.server.links() if self.server is not None else {}
        if not links or self.server is None:
            return
        proxy.add([Link(f"{a}-{b}", a, b, to) for (a, b), to in links.items()])
        self.server.route({(a, b): proxy.address(f"{a}-{b}") for a, b in links})

    def _from_clients(self, proxy: Proxy) -> None:
        addresses = self.where.addresses
        if not addresses:
            raise SurgetankError(
                "its clients cannot be led through a link proxy, which faults need",
                place=f"--target {self.url}",
                hint="Leave the faults out: --set faults=[]",
            )
        proxy.add([Link(f"clients-{b}", -1, b, to) for b, to in enumerate(addresses)])
        through = tuple(proxy.address(f"clients-{b}") for b in range(len(addresses)))
        host, port = through[0]
        self.where = replace(self.where, host=host, port=port, addresses=through)

    @property
    def _folder(self) -> Path:
        assert self._place is not None
        return self._place.folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self.server is not None:
            self.server.stop()
        self.disks.unmount()
        if self.proxy is not None:
            self.proxy.stop()
        self._loop.stop()
        if self._place is not None:
            self._place.remove()

    def run(
        self,
        scenario: Scenario,
        *,
        seed: int | None = None,
        watch: Watch | None = None,
    ) -> Trace:
        """Plays the scenario's flow and faults against the target and returns the trace.

        Raises:
            SurgetankError: the scenario cannot be played here.
            TargetError: the target is gone.
        """
        chosen = scenario.seed if seed is None else seed
        schedule = Schedule.of(scenario, chosen)
        played = self.play(schedule, faults=scenario.faults, name=scenario.name, watch=watch)
        return trace_of(played, scenario, chosen)

    def play(
        self,
        schedule: Schedule,
        *,
        faults: Sequence[Fault] = (),
        name: str = "schedule",
        watch: Watch | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Played:
        """Plays a schedule; `options` are added to the URL's for this run."""
        direct = self.where.addresses if self.proxy is None else ()
        playing = Faults(faults, self.server, self.proxy, self.disks, direct)
        with self.prepared(schedule, options) as run, playing:
            return self._play(run, name, watch, playing)

    @contextlib.contextmanager
    def prepared(
        self, schedule: Schedule, options: Mapping[str, str] | None = None
    ) -> Iterator[LiveRun]:
        """A run of a schedule. What it needs on the target is created before it and removed
        afterwards.

        Raises:
            SurgetankError: the schedule is beyond the bounds.
            TargetError: the target does not answer, or has something of that name already.
        """
        schedule.bounded(self.options)
        number = secrets.randbits(32)
        where = self.where
        if options:
            where = replace(where, options={**where.options, **options})
        if not where.name:
            where = replace(where, name=f"surgetank-{number:08x}")
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        target = target_class(where)(where)
        try:
            self._loop.do(target.open())
            self._loop.do(target.prepare())
            try:
                yield LiveRun(schedule, target, where, number, folder, self.options)
            finally:
                self._dispose(target)
        finally:
            with contextlib.suppress(Exception):
                self._loop.do(target.close(), patience_s=3)
            shutil.rmtree(folder, ignore_errors=True)

    def _play(self, run: LiveRun, name: str, watch: Watch | None, faults: Faults) -> Played:
        schedule, recording = run.schedule, run.recording
        monitor = Monitor(recording, schedule, self.url, name, run.capabilities, watch)
        monitor.faults = faults.active
        with run:
            start = run.begin(monitor.preparing)
            wall = time.time_ns() + start - now_ns()
            monitor.begin(start)
            faults.begin(start)
            usage = _Usage(self.proxy, self.server)
            flow_end = start + schedule.flow_end_ns
            whole = run.sent(flow_end + int(self.options.patience_s * 1e9), monitor.tick)
            if whole:
                drained = flow_end + schedule.drain_ns
                whole = run.drain(drained, lambda: monitor.settled, monitor.tick)
            ended = now_ns()
            usage.read()
            finished = run.finish()
            monitor.finish()
        blocks = [
            block
            for end in finished.values()
            if end.subscriber is not None
            for block in end.subscriber.blocks
        ]
        return Played(
            schedule=schedule,
            sending=recording.copied().since(start),
            deliveries=monitor.deliveries,
            capabilities=run.capabilities,
            options=self.options,
            url=self.url,
            version=self.server.version() if self.server else self.where.url,
            start_ns=start,
            end_ns=ended,
            start_unix_ns=wall,
            finished=finished,
            complete=whole,
            blocks=blocks,
            faults=faults.end(),
            fault_errors=faults.errors,
            cpu_share={} if usage.proxy is None else {"link proxy": usage.proxy},
            server_cores=usage.server,
            nodes=len(self.server.pids) if self.server else max(1, len(self.where.addresses)),
            run=run.number,
        )

    def _dispose(self, target: Target) -> None:
        """Removes what the run created. A failure to remove it must not hide the run's own
        error."""
        try:
            self._loop.do(target.dispose(), patience_s=10)
        except Exception as error:
            if self.server is None:  # a server started here ends with all of its data
                text = f"{self.url}: what this run made there could not be removed ({error})"
                warnings.warn(text, stacklevel=2)

    def do(self, work: Coroutine[Any, Any, _T], patience_s: float = 60) -> _T:
        """Runs a coroutine in the driver's event loop."""
        return self._loop.do(work, patience_s)


class _Usage:
    """Cores used by the link proxy and the server between construction and `read`."""

    def __init__(self, proxy: Proxy | None, server: Server | None) -> None:
        self._proxy, self._server = proxy, server
        self.proxy: float | None = None
        self.server: float | None = None
        """Mean number of cores; None where surgetank did not start the server, or a process of it
        was down."""
        self._before = self._now()

    def _now(self) -> tuple[float, float | None, list[int], float | None]:
        proxy, server = self._proxy, self._server
        return (
            time.monotonic(),
            None if proxy is None else proxy.cpu_s(),
            [] if server is None else server.pids,
            None if server is None else server.cpu_s(),
        )

    def read(self) -> None:
        """Sets `proxy` and `server` to the use since construction."""
        began, proxy_before, pids_before, server_before = self._before
        ended, proxy, pids, server = self._now()
        seconds = max(1e-3, ended - began)
        if proxy is not None and proxy_before is not None:
            self.proxy = (proxy - proxy_before) / seconds
        if server is not None and server_before is not None and pids == pids_before:
            self.server = (server - server_before) / seconds


class _Loop:
    """An event loop in a thread of its own, for the driver's own requests to a target."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, _T], patience_s: float = 60) -> _T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience_s)

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()
            self._loop = None
