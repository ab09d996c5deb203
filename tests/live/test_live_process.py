"""Keeping processes: ended by id, with their children, also when we die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from surgetank.live.process import Process, wait_until
from surgetank.live.target import TargetError


def gone(pid: int) -> bool:
    """No such process, or only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_kill_ends_children_too(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > child; wait"
    process = Process(["/bin/sh", "-c", script], tmp_path, "log")
    assert process.pid == 0
    process.start()
    child = tmp_path / "child"
    wait_until(lambda: child.read_text().endswith("\n"), 5, "child", process)
    pid = process.pid
    assert os.getsid(pid) == pid != os.getsid(0)
    process.kill()
    process.kill()
    assert process.exit_code == -signal.SIGKILL and process.pid == 0
    wait_until(lambda: gone(int(child.read_text())), 5, "the child's end")


def test_stop_asks_first_then_kills(tmp_path: Path) -> None:
    polite = Process(
        ["/bin/sh", "-c", "trap 'exit 3' TERM; echo up; sleep 60 & wait"], tmp_path, "a"
    )
    stubborn = Process(["/bin/sh", "-c", "trap '' TERM; echo up; sleep 60"], tmp_path, "b")
    for process in (polite, stubborn):
        process.start()
        wait_until(lambda p=process: p.tail() == "up", 5, "up", process)  # type: ignore[misc]
    polite.pause()
    polite.stop()
    assert polite.exit_code == 3
    stubborn.stop(seconds=0.2)
    assert stubborn.exit_code == -signal.SIGKILL


def test_error_ends_with_the_log(tmp_path: Path) -> None:
    process = Process(["/bin/sh", "-c", "echo no room; exit 1"], tmp_path, "log")
    process.start()
    with pytest.raises(TargetError, match="no answer: it has ended; its log ends: no room"):
        wait_until(lambda: False, 30, "answer", process)
    with pytest.raises(TargetError, match="answer did not come within"):
        wait_until(lambda: False, 0.05, "answer")
    with pytest.raises(TargetError, match="cannot be started"):
        Process([str(tmp_path / "nothing")], tmp_path, "log").start()


def test_dies_with_the_one_who_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib, threading\n"
        "from surgetank.live.process import Process\n"
        "p = Process(['sleep', '60'], pathlib.Path(sys.argv[1]), 'log')\n"
        # Started on a thread that ends at once: that must not end the process.
        "t = threading.Thread(target=p.start); t.start(); t.join(); time.sleep(0.2)\n"
        "print(p.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert pid > 0 and not gone(pid)
        parent.kill()
    until = time.monotonic() + 5
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert gone(pid)
