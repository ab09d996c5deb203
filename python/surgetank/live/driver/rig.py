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
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from surgetank.errors import SurgetankError
from surgetank.live.driver.facts import Played, trace_of
from surgetank.live.driver.monitor import Meter
from surgetank.live.driver.recording import Recording, now_ns
from surgetank.live.driver.schedule import Schedule
from surgetank.live.driver.worker import Job
from surgetank.live.driver.workers import Crew
from surgetank.live.driver.workplace import Workplace
from surgetank.live.export.traces import sampled, traceparent
from surgetank.live.faults import Disks, Faults, needs_proxy
from surgetank.live.options import Options
from surgetank.live.proxy import Link, Proxy
from surgetank.live.registry import check_options, parse, server_class, target_class
from surgetank.live.safety import owned
from surgetank.live.server import Server
from surgetank.live.snapshot import Watch
from surgetank.live.target import Target, Where
from surgetank.scenario import Scenario
from surgetank.scenario.faults import Fault
from surgetank.tape import Tape
from surgetank.trace import Trace

__all__ = ["Rig"]

_T = TypeVar("_T")


class Rig:
    """A live system under test, started by us if the URL names no host.

    Use it as a context: what it started and made is gone afterwards, also on Ctrl-C.

    Raises:
        SurgetankError: not a target, not ours to put under load, not installed.
        TargetError: it does not answer.
    """

    def __init__(
        self,
        url: str,
        options: Options | None = None,
        *,
        proxied: bool = False,
        faults: Sequence[Fault] = (),
    ) -> None:
        """With `proxied` all connections of clients, and those between nodes that surgetank starts,
        go through a link proxy, so that faults of the network can be played. `faults` are those
        that runs will play: what they need is laid before the server starts."""
        self.url = url
        self.options = options or Options()
        self.server: Server | None = None
        self.proxy = Proxy([]) if proxied or needs_proxy(faults) else None
        """The link proxy, if there is one: node −1 is the clients."""
        self.where = parse(url)
        self._disks = Disks(faults)
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
                    mend=f"Install it: {command}",
                )
            (self._folder / "server").mkdir()
            self.server = kind(self._folder / "server", self.where)
            self._disks.lay(self.server, self._folder / "disks")
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
                mend="Leave the faults out: --set faults=[]",
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
        self._disks.end()
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
        tape: Tape | None = None,
        watch: Watch | None = None,
    ) -> Trace:
        """The scenario's flow and faults against the target.

        Raises:
            SurgetankError: the scenario cannot be played here.
            TargetError: the target is gone.
        """
        chosen = scenario.seed if seed is None else seed
        schedule = Schedule.of(scenario, chosen, tape)
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
        schedule.bounded(self.options)
        direct = self.where.addresses if self.proxy is None else ()
        playing = Faults(faults, self.server, self.proxy, self._disks, direct)
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
                play = _Play(self, schedule, where, number, folder, target)
                with playing:
                    return play.through(name, watch, playing)
            finally:
                self._dispose(target)
        finally:
            with contextlib.suppress(Exception):
                self._loop.do(target.close(), patience_s=3)
            shutil.rmtree(folder, ignore_errors=True)

    def _dispose(self, target: Target) -> None:
        """Removes what the run made; that it cannot be removed must not hide what happened."""
        try:
            self._loop.do(target.dispose(), patience_s=10)
        except Exception as error:
            if self.server is None:  # a server of our own ends with all that it holds
                text = f"{self.url}: what this run made there could not be removed ({error})"
                warnings.warn(text, stacklevel=2)

    def do(self, work: Coroutine[Any, Any, _T], patience_s: float = 60) -> _T:
        """Runs a coroutine in the driver's event loop."""
        return self._loop.do(work, patience_s)


class _Play:
    """One run."""

    def __init__(
        self,
        rig: Rig,
        schedule: Schedule,
        where: Where,
        number: int,
        folder: Path,
        target: Target,
    ) -> None:
        self._rig, self._schedule, self._where = rig, schedule, where
        self._number, self._folder, self._target = number, folder, target

    def through(self, name: str, watch: Watch | None, faults: Faults) -> Played:
        """All of it."""
        rig, schedule, options = self._rig, self._schedule, self._rig.options
        recording = Recording.create(self._folder, schedule)
        promises = self._target.capabilities
        meter = Meter(recording, schedule, rig.url, name, promises, watch)
        meter.faults = faults.active
        with Crew(self._folder) as crew:
            self._engage(crew, promises.in_process)
            patience = time.monotonic() + options.patience_s
            if not crew.wait("ready", patience, meter.preparing):
                raise SurgetankError(
                    f"its clients were not ready after {options.patience_s:g} s",
                    place=f"--target {rig.url}",
                    mend="Give --patience, or look whether the target answers",
                    exit_code=3,
                )
            start = now_ns() + int(options.lead_s * 1e9)
            wall = time.time_ns() + start - now_ns()
            meter.begin(start)
            crew.say(f"start {start}")
            faults.begin(start)
            used = _Used(rig)
            sent_by = (start + schedule.flow_end_ns) / 1e9 + options.patience_s
            whole = crew.wait("sent", sent_by, meter.tick, who="publishers")
            end = start + schedule.flow_end_ns + schedule.drain_ns
            if whole:
                crew.say(f"drain {end}")
                while whole and now_ns() < end and not meter.settled:
                    whole = crew.idle(min(0.25, (end - now_ns()) / 1e9), meter.tick)
            ended = now_ns()
            used.read()
            crew.say("stop")
            with contextlib.suppress(SurgetankError):
                crew.wait("end", time.monotonic() + 5, lambda: True)
            meter.finish()
            told = {member.name: member.told.get("end", {}) for member in crew.members}
        return Played(
            schedule=schedule,
            sending=recording.kept().since(start),
            deliveries=meter.deliveries,
            capabilities=promises,
            options=options,
            url=rig.url,
            version=rig.server.version() if rig.server else self._where.url,
            start_ns=start,
            end_ns=ended,
            start_unix_ns=wall,
            told=told,
            complete=whole,
            blocks=[
                b for one in told.values() for b in one.get("subscriber", {}).get("blocks", [])
            ],
            faults=faults.end(),
            mistakes=faults.errors,
            cpu_share={} if used.proxy is None else {"link proxy": used.proxy},
            server_cores=used.server,
            nodes=len(rig.server.pids) if rig.server else max(1, len(self._where.addresses)),
            run=self._number,
        )

    def _engage(self, crew: Crew, in_process: bool) -> None:
        options = self._rig.options
        workers = 1 if in_process else options.workers
        common: dict[str, Any] = {
            "where": asdict(self._where),
            "run": self._number,
            "workers": workers,
            "inflight_max": options.inflight_max,
            "traceparents": self._traceparents(),
        }
        if not in_process:
            crew.add("subscriber", Job(worker=-1, subscribes=True, **common))
        for i in range(workers):
            crew.add(f"publisher-{i}", Job(worker=i, subscribes=in_process, **common))

    def _traceparents(self) -> dict[int, str]:
        share = self._rig.options.sample
        numbers = sampled(self._number, len(self._schedule), share).tolist() if share else []
        return {number: traceparent(self._number, number) for number in numbers}


class _Used:
    """How much of a core the link proxy and the server use, from here to `read`."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.proxy: float | None = None
        self.server: float | None = None
        """None where it is not ours, or a process of it was down."""
        self._before = self._now()

    def _now(self) -> tuple[float, float | None, list[int], float | None]:
        proxy, server = self._rig.proxy, self._rig.server
        return (
            time.monotonic(),
            None if proxy is None else proxy.cpu_s(),
            [] if server is None else server.pids,
            None if server is None else server.cpu_s(),
        )

    def read(self) -> None:
        """Until now."""
        began, proxy_before, pids_before, server_before = self._before
        ended, proxy, pids, server = self._now()
        seconds = max(1e-3, ended - began)
        if proxy is not None and proxy_before is not None:
            self.proxy = (proxy - proxy_before) / seconds
        if server is not None and server_before is not None and pids == pids_before:
            self.server = (server - server_before) / seconds


class _Loop:
    """An event loop in a thread of its own, for what the driver itself asks of a target."""

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
