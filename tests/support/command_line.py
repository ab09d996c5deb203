"""The command `surgetank`, and the small scenarios that its tests are given."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from surgetank.cli import main

#: Four nodes; to be formatted with `limit`, the p50 allowed in ms.
TINY = """
name = "tiny"
duration_s = 4.0
warmup_s = 1.0
drain_s = 4.0
[flow.arrivals]
kind = "poisson"
rate_per_s = 200.0
[network]
nodes = 4
[limits]
delay_p50_ms_max = {limit}
"""
#: One M/M/1 queue with a capacity of its own, for searches.
QUEUE = """
name = "small"
duration_s = 3.0
warmup_s = 0.5
drain_s = 3.0
[flow]
client_link = { fixed_ms = 0.0, jitter_ms = 0.0 }
[flow.arrivals]
kind = "poisson"
rate_per_s = 1000.0
[flow.mix]
limit = 1.0
post_only = 0.0
market = 0.0
ioc = 0.0
cancel = 0.0
replace = 0.0
[network]
nodes = 1
[layer.queue]
ingress_max = 1000
[layer.service]
distribution = { kind = "exponential" }
[layer.service.validation]
order_us = 400.0
[layer.service.execution]
order_us = 0.0
[layer.consensus]
kind = "single"
window_ms = 0.0
[limits]
delay_p99_ms_max = 3.0
"""
UNTIL = ["--until", "delay_p99_ms_max", "--vary", "load", "--range", "100:5000"]
QUICK = [*UNTIL, "--precision", "0.2", "--workers", "1", "--no-remedies", "--quiet"]


def surgetank(*arguments: str, cwd: Path, **environment: str) -> CompletedProcess[str]:
    """Runs the command in this process, from `main` to its exit code: its imports alone take longer
    than most commands of the tests. Where the process is the point, see `surgetank_process`."""
    buffers = BytesIO(), BytesIO()
    streams = [TextIOWrapper(each, encoding="utf-8", write_through=True) for each in buffers]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["surgetank", *arguments])
        for name, value in ({"COLUMNS": "200"} | environment).items():
            patch.setenv(name, value)
        with (
            redirect_stdout(streams[0]),
            redirect_stderr(streams[1]),
            pytest.raises(SystemExit) as end,
        ):
            main()
    assert isinstance(end.value.code, int)
    out, err = (each.getvalue().decode("utf-8") for each in buffers)
    return CompletedProcess(arguments, end.value.code, out, err)


def surgetank_process(*arguments: str, cwd: Path, **environment: str) -> CompletedProcess[str]:
    """Runs the command in a process of its own."""
    command = [sys.executable, "-c", "from surgetank.cli import main; main()", *arguments]
    env = os.environ | {"COLUMNS": "200"} | environment
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )
