"""Simulated and live runs of a command: terminal view, export, and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Protocol

from surgetank.cli.app import err
from surgetank.console.live import LiveWatch
from surgetank.console.runs import LiveBar, Watch
from surgetank.errors import SurgetankError
from surgetank.extras import part_of
from surgetank.live import LiveOptions, Snapshot, parse
from surgetank.live.registry import target_class
from surgetank.live.venue import is_venue, plays_money
from surgetank.measure import measure
from surgetank.run import Result, run
from surgetank.scenario import Scenario
from surgetank.scenario.size import size_of
from surgetank.simulate import simulate
from surgetank.verdict import judge

__all__ = ["Live", "Simulated", "stop_on_interrupt"]


class _Interruptible(Protocol):
    interrupted: bool


def stop_on_interrupt(watch: _Interruptible) -> None:
    """The first Ctrl-C ends the run and keeps its results; the second ends the program. SIGTERM is
    the same, so that streams and queues of the target are removed."""
    which = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        watch.interrupted = True
        for each in which:
            signal.signal(each, signal.default_int_handler)

    for each in which:
        signal.signal(each, stop)


class Simulated:
    """A simulated run with progress."""

    def __init__(self, *, hidden: bool, journal: Path | None = None) -> None:
        self._hidden, self._journal = hidden, journal

    def run(self, scenario: Scenario, seed: int | None) -> Result:
        """Runs the scenario and judges it; writes nothing."""
        seconds = scenario.duration_s + scenario.drain_s
        size = size_of(scenario)
        with Watch(err, scenario.name, seconds, size=size, hidden=self._hidden) as watch:
            stop_on_interrupt(watch)
            trace = simulate(scenario, seed=seed, progress=watch, journal=self._journal)
            watch.phase("measuring")
            measures = measure(trace)
            verdict = judge(measures, scenario.limits.as_mapping(), trace)
        return Result(scenario, trace, measures, verdict, None)


class Live:
    """A run against `target` with progress and export."""

    def __init__(
        self,
        target: str,
        options: LiveOptions,
        prometheus: int | None,
        otel_endpoint: str | None,
        *,
        hidden: bool,
    ) -> None:
        if otel_endpoint is not None and not otel_endpoint.startswith(("http://", "https://")):
            hint = "Give a URL, such as http://localhost:4318"
            raise SurgetankError("not HTTP", place=f"--otel-endpoint {otel_endpoint}", hint=hint)
        # Loaded before a folder is made and anything is sent.
        target_class(parse(target))
        if is_venue(target) and (prometheus is not None or otel_endpoint is not None):
            option = "--otel-endpoint" if prometheus is None else "--prometheus"
            hint = "Leave it out"
            raise SurgetankError("is not there for a venue yet", place=option, hint=hint)
        if prometheus is not None:
            with part_of("live", place="--prometheus"):
                import surgetank.live.export.prometheus
        if otel_endpoint is not None:
            with part_of("live", place="--otel-endpoint"):
                import surgetank.live.export.otel  # noqa: F401
        self._target, self._options, self._hidden = target, options, hidden
        self._port, self._endpoint = prometheus, otel_endpoint

    def run(self, scenario: Scenario, seed: int | None) -> Result:
        """Runs the scenario and judges it; writes nothing."""
        if plays_money(self._target, scenario):
            return self._on_a_venue(scenario, seed)
        with ExitStack() as stack:
            view = stack.enter_context(LiveWatch(err, hidden=self._hidden))
            watches: list[Callable[[Snapshot], bool]] = [view]
            if self._port is not None:
                from surgetank.live.export.prometheus import Prometheus

                served = stack.enter_context(Prometheus(self._port))
                err.print(f"Metrics at {served.url}", highlight=False, soft_wrap=True)
                watches.append(served)
            stop_on_interrupt(view)
            result = run(
                scenario,
                seed=seed,
                target=self._target,
                options=self._options,
                watch=lambda seen: all([watch(seen) for watch in watches]),
            )
        if self._endpoint is not None:
            self._trace(result, self._endpoint)
        return result

    def _on_a_venue(self, scenario: Scenario, seed: int | None) -> Result:
        seconds = scenario.duration_s + scenario.drain_s
        with LiveBar(err, scenario.name, seconds, hidden=self._hidden) as watch:
            stop_on_interrupt(watch)
            return run(
                scenario, seed=seed, target=self._target, options=self._options, progress=watch
            )

    def _trace(self, result: Result, endpoint: str) -> None:
        from surgetank.live.export.otel import export

        live = result.trace.live
        exported = export(
            result.trace["messages"],
            live.run,
            live.start_unix_ns,
            endpoint,
            live.sample,
            parse(self._target),
        )
        text = f"Sent {exported.spans} spans to {endpoint}"
        if exported.failed:
            text += f"; {exported.failed} were not accepted: {exported.why}"
        err.print(text, highlight=False, soft_wrap=True)
