"""The live view: rendered from recorded readings, and once in a real terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from rich.console import Console

from surgetank.console.live import BARS, LiveWatch, line, per_s, sparkline, view
from surgetank.live.snapshot import ClassDelays, Snapshot

#: Text between the sequences that a terminal obeys.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def reading(seconds: float, *, rate: float = 1_000.0, stalled_from: float = 9e9) -> Snapshot:
    """A run of 1,000/s in which delivery stands still from a moment on."""
    due = max(0, int(rate * seconds))
    delivered = max(0, int(rate * min(seconds, stalled_from)))
    return Snapshot(
        seconds=seconds,
        duration_s=10.0,
        target="nats:",
        scenario="calm",
        due=due,
        sent=due,
        accepted=due,
        delivered=delivered,
        lateness_p99_ms=0.25,
        by_class={"cancel": ClassDelays(delivered // 4, 0.5, 2.5)} if delivered else {},
        faults=("stall of node 0",) if seconds >= stalled_from else (),
        done=seconds >= 10.0,
    )


def recorded(until_s: float = 10.0, **how: float) -> list[Snapshot]:
    """Four readings a second."""
    return [reading(0.25 * k, **how) for k in range(int(until_s * 4) + 1)]


PREPARING = [reading(-1.0)] * 3


def rendered(readings: Sequence[Snapshot], width: int = 120) -> str:
    """What stands on a terminal, without colours."""
    console = Console(file=io.StringIO(), width=width)
    console.print(view(readings))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rates_are_differences_over_a_second() -> None:
    """Not averages since the start: a stall shows at once."""
    readings = recorded(8.0, stalled_from=5.0)
    assert per_s(readings, "due") == pytest.approx(1_000)
    assert per_s(readings, "delivered") == pytest.approx(0)
    assert per_s(readings[:21], "delivered") == pytest.approx(1_000)
    assert per_s(readings[:1], "due") is None
    assert per_s(readings[1:3], "due") == pytest.approx(1_000), "from the start where that is near"
    assert per_s(readings[20:22], "due") == pytest.approx(1_000), "but not where it is far"


def test_sparkline_keeps_peaks() -> None:
    """Folding takes the highest; zero is the lowest bar; nothing divides by zero."""
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == BARS[0] * 2
    assert sparkline([0, 1]) == BARS[0] + BARS[-1]
    peak = [0.0] * 400
    peak[333] = 5.0
    folded = sparkline(peak, 40)
    assert len(folded) == 40
    assert folded.count(BARS[-1]) == 1


def test_view_shows_what_a_run_is_watched_for() -> None:
    """Rates, backlog, delays by class, the generator's own lateness, faults, time left."""
    shown = rendered(recorded(8.0, stalled_from=5.0))
    assert "calm → nats:" in shown
    assert "8.0/10 s" in shown
    assert "2 s left" in shown
    assert re.search(r"offered\s+1,000/s\s+8,000", shown)
    assert re.search(r"delivered\s+0/s\s+5,000", shown)
    assert re.search(r"backlog\s+3,000", shown)
    assert re.search(r"cancel\s+1,250\s+0\.5 ms\s+2\.5 ms", shown)
    assert "late p99 0.25 ms" in shown
    assert "⚡ stall of node 0" in shown


@pytest.mark.parametrize("seconds", [-0.5, 0.0, 11.0])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_view_stands_at_the_edges(seconds: float, width: int) -> None:
    """Before the first message, at zero, and after the end while the last are awaited."""
    shown = rendered([reading(seconds)], width)
    assert max(len(row) for row in shown.splitlines()) <= width
    if width > 40:
        reported = "preparing" if seconds < 0 else "done" if seconds > 10 else "10 s left"
        assert reported in shown


def test_infinite_delay_is_shown() -> None:
    """More than 1 % undelivered."""
    late = Snapshot(
        2.0, 10.0, "nats:", "calm", by_class={"order": ClassDelays(0, float("nan"), float("inf"))}
    )
    assert "∞" in rendered([late])
    assert "order p50 – p99 ∞" in line([late])


def test_a_line_a_second_without_a_terminal() -> None:
    """Whatever the readings' rate; once while preparing, and the last one."""
    console = Console(file=io.StringIO(), width=80)
    with LiveWatch(console, hidden=False) as watch:
        assert all(watch(seen) for seen in PREPARING + recorded(10.0, stalled_from=5.0))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "calm → nats: · preparing"
    assert [text.split("/")[0] for text in lines[1:]] == [str(s) for s in range(11)]
    assert "delivered 0/s · backlog 3,000 · cancel p50 0.5 p99 2.5 ms" in lines[9]
    assert lines[9].endswith("stall of node 0")
    assert "\x1b" not in console.file.getvalue()


def test_another_run_begins_anew() -> None:
    """A search shows many runs through one watch."""
    console = Console(file=io.StringIO(), width=80)
    watch = LiveWatch(console, hidden=False)
    for seen in [*PREPARING, *recorded(3.0), *PREPARING, *recorded(3.0, rate=10.0)]:
        watch(seen)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("preparing") == 2
    assert "offered 10/s" in console.file.getvalue()
    assert "offered -" not in console.file.getvalue()


def test_hidden_says_nothing_and_still_stops() -> None:
    """--quiet."""
    console = Console(file=io.StringIO(), force_terminal=True)
    with LiveWatch(console, hidden=True) as watch:
        assert watch(reading(1.0))
        watch.interrupted = True
        assert not watch(reading(2.0))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""


SHOWING = """
import sys
sys.path[:0] = {path!r}
from rich.console import Console
from test_live_view import recorded
from surgetank.console.live import LiveWatch
with LiveWatch(Console(stderr=True), hidden=False) as watch:
    for seen in recorded(10.0, stalled_from=5.0):
        watch(seen)
print("after")
"""


def test_in_a_real_terminal() -> None:
    """Drawn in place, gone afterwards, the cursor back."""
    ours, theirs = pty.openpty()
    code = SHOWING.format(path=sys.path)
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    ) as shown:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # EIO: the other end is closed.
                break
            if not piece:
                break
            written += piece
        assert shown.wait(30) == 0
    os.close(ours)
    text = written.decode()
    plain = ESCAPES.sub("", text)
    assert re.search(r"backlog\s+5,000", plain)
    assert "⚡ stall of node 0" in plain
    assert text.count("\x1b[1A") > 100, "drawn in place: the cursor goes up"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    # Transient: its last lines are erased before what comes next.
    assert "\x1b[2K" in text[text.rindex("backlog") :]
    assert plain.rstrip().endswith("after")
