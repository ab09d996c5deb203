"""Coordinated omission: one stall, as an open loop and as a closed loop see it, in the same run.

    .venv/bin/python benchmarks/omission.py [--rate N] [--seconds N] [--stall N] [--pictures]

A NATS server of our own is stopped (SIGSTOP) for a while in the middle of a run and goes on
(SIGCONT). Two clients load it at the same rate at the same time, each through the server and back:

- open loop: surgetank's generator. Delay from the time at which a message was due.
- closed loop: a nats-py client that waits for a message to come back before it sends the next.
  Delay from the time at which it sent.
- closed loop, corrected: the second client's numbers with those filled in that it did not send, by
  HdrHistogram's rule for an expected interval.

`--pictures` draws docs/pictures/coordinated-omission.svg and coordinated-omission-time.svg and puts
the table into docs/coordinated-omission.md; not where the generator itself was late.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import nats
import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram
from nats.aio.msg import Msg

from simulator import machine
from surgetank.live import LiveOptions, Rig, Schedule, Snapshot
from surgetank.live.event_loop import Timer
from surgetank.report.plot import Plot, Scale
from surgetank.report.svg_file import standalone_svg

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
QUANTILES: Final = (0.5, 0.99, 0.999, 1.0)
NAMES: Final = ("open loop", "closed loop", "closed loop, corrected")

Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What one client says of the run: delays at `QUANTILES`."""

    client: str
    messages: int
    delays_ms: list[float]


@dataclass(frozen=True)
class Seen:
    """When messages should have been sent and how long they took, of one client."""

    at_s: Times
    delay_ms: Times

    def row(self, name: str) -> Row:
        """The client's line in the table. Not delivered counts as never."""
        if not np.isfinite(self.delay_ms).all():
            raise SystemExit(f"{name}: messages were lost; the two cannot be compared")
        found = np.quantile(self.delay_ms, QUANTILES, method="higher")
        return Row(name, len(self.delay_ms), found.tolist())


class Stall:
    """Stops a process in mid-run, once; goes on in any case."""

    def __init__(self, pid: int, at_s: float, seconds: float) -> None:
        self._pid, self._at_s, self._seconds = pid, at_s, seconds
        self._thread: threading.Thread | None = None
        self.measured_s = math.nan

    def watch(self, seen: Snapshot) -> bool:
        """Given to the run; the stall has a thread of its own."""
        if seen.seconds >= self._at_s and self._thread is None:
            self._thread = threading.Thread(target=self._stall)
            self._thread.start()
        return True

    def _stall(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            time.sleep(self._seconds)
        finally:
            os.kill(self._pid, signal.SIGCONT)
            self.measured_s = time.monotonic() - began

    def end(self) -> None:
        """Returns when the process goes on."""
        if self._thread is not None:
            self._thread.join()


async def closed_loop(url: str, rate: float, seconds: float) -> Seen:
    """Sends at most `rate` a second, each when the one before has come back; begins when a line
    comes on standard input."""
    client = await nats.connect(url)
    back: asyncio.Queue[Msg] = asyncio.Queue()

    async def keep(message: Msg) -> None:
        back.put_nowait(message)

    await client.subscribe("closed", cb=keep)
    payload, at, delays = b"." * 128, [], []
    await asyncio.to_thread(sys.stdin.readline)
    begin = due = time.monotonic_ns()
    with Timer() as timer:
        while due < begin + seconds * 1e9:
            await timer.until(due)
            sent = time.monotonic_ns()
            await client.publish("closed", payload)
            await client.flush()
            await back.get()
            done = time.monotonic_ns()
            at.append(sent / 1e9)
            delays.append((done - sent) / 1e6)
            # As closed-loop tools do: a late answer moves all that come after it.
            due = max(due + round(1e9 / rate), done)
    await client.close()
    return Seen(np.array(at), np.array(delays))


def corrected(seen: Seen, rate: float) -> Seen:
    """With the messages filled in that should have been sent while one was waited for."""
    filled = HdrHistogram(1, 3_600_000_000, 3)
    for delay_ms in seen.delay_ms.tolist():
        filled.record_corrected_value(max(1, round(delay_ms * 1e3)), round(1e6 / rate))
    counted = [
        (x.value_iterated_to, x.count_added_in_this_iter_step)
        for x in filled.get_recorded_iterator()
    ]
    values, counts = (np.array(column) for column in zip(*counted, strict=True))
    delays = np.repeat(values, counts) / 1e3
    return Seen(np.zeros(len(delays)), delays)


def measure(rate: float, seconds: float, stall_s: float) -> tuple[dict[str, Seen], float, float]:
    """Both clients' numbers; the stall as measured; the generator's own lateness p99 in ms."""
    due = (np.arange(int(rate * seconds)) / rate * 1e9).astype(np.int64)
    with Rig("nats:", LiveOptions(workers=1)) as rig:
        assert rig.server is not None
        stall = Stall(rig.server.pids[0], seconds / 2, stall_s)
        asked = [sys.executable, __file__, "--closed-loop", f"nats://127.0.0.1:{rig.where.port}"]
        asked += ["--rate", str(rate), "--seconds", str(seconds)]
        closed = subprocess.Popen(
            asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

        def watch(seen: Snapshot) -> bool:
            if seen.seconds >= 0 and closed.stdin is not None and not closed.stdin.closed:
                closed.stdin.close()
            return stall.watch(seen)

        try:
            played = rig.play(Schedule.plain(due, drain_s=stall_s + 5), watch=watch)
            assert closed.stdout is not None
            reported = json.loads(closed.stdout.read())
        finally:
            stall.end()
            closed.kill()
            closed.wait()
    first = played.first_ns()
    delay_ms = np.where(first >= 0, (first - played.schedule.due_ns) / 1e6, np.inf)
    seen = {
        NAMES[0]: Seen(played.schedule.due_ns / 1e9, delay_ms),
        NAMES[1]: Seen(
            np.array(reported["at_s"]) - played.start_ns / 1e9, np.array(reported["delay_ms"])
        ),
    }
    seen[NAMES[2]] = corrected(seen[NAMES[1]], rate)
    late = played.sending.sent_ns - played.schedule.due_ns
    return seen, stall.measured_s, float(np.quantile(late, 0.99)) / 1e6


def milliseconds(value: float) -> str:
    """For a table or an axis."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def by_quantile(seen: dict[str, Seen], reported: str) -> str:
    """Delay against the share of messages that were faster."""
    most = max(float(s.delay_ms.max()) for s in seen.values())
    least = min(float(np.quantile(s.delay_ms, 0.3)) for s in seen.values())
    shares = {0: "0 %", 1: "90 %", 2: "99 %", 3: "99.9 %", 4: "99.99 %"}
    x = Scale(0.1, 4.0, say=lambda v: shares.get(round(v), ""), title="share of messages faster")
    y = Scale(least / 1.5, most * 2, log=True, say=milliseconds, title="delay, ms")
    plot = Plot((820, 420), x, y, (38, 32, 52, 58))
    plot.axes(4, 6)
    marks = np.arange(0.1, 4.001, 0.02)
    drawn = (("s0", 2.6, -9, ""), ("s1", 2.9, -9, ""), ("s2 rough", 2.6, 20, " (dashed)"))
    for (name, of), (kind, at, above, how) in zip(seen.items(), drawn, strict=True):
        delays = np.quantile(of.delay_ms, 1 - 10.0**-marks, method="higher")
        plot.line(zip(marks.tolist(), delays.tolist(), strict=True), f"curve {kind}", tip=name)
        delay = float(np.quantile(of.delay_ms, 1 - 10.0**-at, method="higher"))
        plot.text(plot.x(at), plot.y(delay) + above, name + how, "said note", "middle")
    return standalone_svg(plot, reported)


def by_time(seen: dict[str, Seen], reported: str) -> str:
    """Delay against the time at which a message was due, or was sent, around the stall."""
    ours, theirs = seen[NAMES[0]], seen[NAMES[1]]
    most = max(float(s.delay_ms.max()) for s in (ours, theirs))
    began = float(ours.at_s[ours.delay_ms.argmax()])
    x = Scale(began - most / 1e3 / 2, began + 2 * most / 1e3, title="time in the run, s")
    y = Scale(-0.03 * most, most * 1.1, say=milliseconds, title="delay, ms")
    plot = Plot((820, 360), x, y, (38, 24, 52, 58))
    plot.axes(8, 6)
    for of, radius, kind in ((ours, 2.0, "f0"), (theirs, 3.0, "f1")):
        # Enough of them to be seen as points, and the worst of all.
        shown = np.array([x.holds(at) for at in of.at_s.tolist()])
        shown &= np.arange(len(shown)) % 12 == 0
        shown[of.delay_ms.argmax()] = True
        for at, delay in zip(of.at_s[shown].tolist(), of.delay_ms[shown].tolist(), strict=True):
            plot.dot(at, delay, radius, f"dot {kind}", "")
    at, delay = (float(v[theirs.delay_ms.argmax()]) for v in (theirs.at_s, theirs.delay_ms))
    plot.text(plot.x(at) + 10, plot.y(delay) - 4, "closed loop: one message", "said")
    many = f"open loop: {int((ours.delay_ms > 20).sum()):,} messages over 20 ms"
    plot.text(plot.x(began + most / 2e3) + 14, plot.y(most / 2), many, "said")
    return standalone_svg(plot, reported)


def table(rows: list[Row]) -> str:
    """For a document."""
    lines = ["| client | messages | p50 | p99 | p99.9 | max |", "|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        cells = " | ".join(f"{milliseconds(delay)} ms" for delay in row.delays_ms)
        lines.append(f"| {row.client} | {row.messages:,} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, prints, draws."""
    asking = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asking.add_argument("--rate", type=float, default=1_000.0)
    asking.add_argument("--seconds", type=float, default=20.0)
    asking.add_argument("--stall", type=float, default=1.0)
    asking.add_argument("--json", action="store_true")
    asking.add_argument("--pictures", action="store_true")
    asking.add_argument("--closed-loop", metavar="URL", help=argparse.SUPPRESS)
    asked = asking.parse_args()
    if asked.closed_loop:
        client = asyncio.run(closed_loop(asked.closed_loop, asked.rate, asked.seconds))
        print(json.dumps({"at_s": client.at_s.tolist(), "delay_ms": client.delay_ms.tolist()}))
        return
    seen, stall_s, late_ms = measure(asked.rate, asked.seconds, asked.stall)
    rows = [of.row(name) for name, of in seen.items()]
    reported = (
        f"{asked.rate:,.0f} messages/s for {asked.seconds:g} s, NATS stopped for {stall_s:.3f} s"
    )
    if asked.json:
        print(json.dumps({"what": reported, "late_ms": late_ms, "rows": [asdict(r) for r in rows]}))
    else:
        print(f"{reported}; the generator itself late by {late_ms:.2f} ms at p99\n\n{table(rows)}")
        print(f"\n{machine()}")
    if late_ms > LiveOptions().lateness_p99_ms:
        raise SystemExit("INVALID: this machine had other work, and the schedule was not kept")
    if asked.pictures:
        publish(seen, rows, reported)


def publish(seen: dict[str, Seen], rows: list[Row], reported: str) -> None:
    """Into the documents."""
    for name, drawn in (("", by_quantile(seen, reported)), ("-time", by_time(seen, reported))):
        picture = DOCS / f"pictures/coordinated-omission{name}.svg"
        picture.write_text(drawn, encoding="utf-8")
    page = DOCS / "coordinated-omission.md"
    old = re.compile(r"^\| client \|.*?(?=\n\n)", re.M | re.S)
    text = old.sub(table(rows), page.read_text(encoding="utf-8"), count=1)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
