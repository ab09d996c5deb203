"""Progress of long work: what it will take, and the time left."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.progress import Progress

from surgetank.console.progress_bar import RunsBar, TimeLeft, time_left
from surgetank.console.runs import Watch
from surgetank.console.terminal import Terminal
from surgetank.scenario.size import Size


@given(some.floats(0, 1e7))
def test_no_time_left_is_zero(seconds: float) -> None:
    """Work that goes on takes at least a second more."""
    shown = time_left(seconds)
    assert float(shown.split()[0]) > 0
    assert shown.endswith(" left") and len(shown) < 16


def test_the_time_left_is_of_the_phase() -> None:
    """None before the pace is known, none when the phase is over: another may follow."""
    clock = [0.0]
    bar = Progress(TimeLeft(), get_time=lambda: clock[0], disable=True)
    bar.add_task("x", total=100)
    [task] = bar.tasks
    column = TimeLeft()
    assert column.render(task).plain == ""
    for now in range(1, 5):
        clock[0] = float(now)
        bar.update(task.id, completed=10 * now)
    assert column.render(task).plain == "6 s left"
    bar.update(task.id, completed=100)
    assert column.render(task).plain == ""


def watched(
    messages: float, monkeypatch: pytest.MonkeyPatch, *, hidden: bool = False
) -> tuple[Watch, list[float], io.StringIO]:
    """The watch of a run of so many messages, its clock, and what it prints."""
    clock, printed = [0.0], io.StringIO()
    monkeypatch.setattr("surgetank.console.runs.time.monotonic", lambda: clock[0])
    console = Terminal(file=printed, width=200)
    size = Size(messages, 3e9)
    return Watch(console, "long", 60.0, size=size, hidden=hidden), clock, printed


@pytest.mark.parametrize(
    ("messages", "hidden", "said"),
    [
        (1_000_000, False, "About 17 min left: 1,000,000 messages or more, 40 M events, 3 GB"),
        (5_000, False, ""),
        (1_000_000, True, ""),
    ],
)
def test_a_long_run_says_what_it_takes(
    messages: float, hidden: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, after its first second, from the pace of that second; also without a terminal."""
    watch, clock, printed = watched(messages, monkeypatch, hidden=hidden)
    for second in range(1, 5):
        clock[0] = float(second)
        assert watch(0.1 * second, 1_000 * second, 40_000 * second)
    assert printed.getvalue().startswith(said) and bool(printed.getvalue()) == bool(said)
    assert printed.getvalue().count("\n") == bool(said)


@pytest.mark.parametrize("hidden", [False, True])
def test_many_runs_say_what_they_take(monkeypatch: pytest.MonkeyPatch, *, hidden: bool) -> None:
    """Once, from the pace of the first runs; those of a journal, which took no time, do not count.
    Then, without a terminal, a line every ten seconds."""
    clock, printed = [0.0], io.StringIO()
    monkeypatch.setattr("surgetank.console.progress_bar.time.monotonic", lambda: clock[0])
    bar = RunsBar(Terminal(file=printed, width=200), "risk", hidden=hidden)
    for second in range(100):
        clock[0] = float(second)
        bar.advance(400 + second, 500)
    said = printed.getvalue().splitlines()
    if hidden:
        assert said == []
        return
    assert said[0] == "About 99 s left: 500 runs. Ctrl-C keeps those that are done."
    assert said[1] == "risk: 411 of 500 runs, 89 s left"
    assert len(said) == 10 and said[-1].endswith(" 9 s left")


def test_few_runs_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten runs of half a second each."""
    clock, printed = [0.0], io.StringIO()
    monkeypatch.setattr("surgetank.console.progress_bar.time.monotonic", lambda: clock[0])
    bar = RunsBar(Terminal(file=printed, width=200), "explain", hidden=False)
    for run in range(11):
        clock[0] = run / 2
        bar.advance(run, 10)
    assert printed.getvalue() == ""
