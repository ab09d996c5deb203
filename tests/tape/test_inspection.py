"""Figures of a recording, against recordings whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import surgetank
from surgetank.report.tape.figure import price_figure
from surgetank.tape import read_recording
from surgetank.tape.inspection import inspect
from surgetank.tape.inspection_text import facts, sparkline

T0 = 1_723_161_255_000


def table(path: Path, rows: list[tuple[int, float]]) -> Path:
    """Prices at milliseconds after T0."""
    path.write_text("ts,price\n" + "".join(f"{T0 + at},{usd!r}\n" for at, usd in rows))
    return path


def test_rates_gaps_and_moves(tmp_path: Path) -> None:
    """A row every 10 ms for 2 s, 30 in one ms, nothing for 5 s, and a fall of 10 %."""
    rows = [(10 * i, 100.0) for i in range(200)] + [(1990, 100.0)] * 30
    rows += [(6990, 100.0), (7490, 90.0), (67_000, 93.0)]
    found = inspect(read_recording(table(tmp_path / "a.csv", rows)))
    assert found.span_s == 67.0 and found.began == "2024-08-08T23:54:15Z"
    assert found.rows.count == 233 and found.rows.mean == pytest.approx(233 / 67)
    assert (found.rows.peak, found.rows.peak_s) == (130, 1.0)
    assert found.rows.p99 == 130.0
    gaps = found.gaps
    assert gaps is not None and gaps.median_s == 0.01 and gaps.long == 3
    assert (gaps.longest_s, gaps.longest_at_s) == (59.51, 7.49)
    second, minute = found.moves
    assert second.share == pytest.approx(-0.1) and second.at_s == 7.49
    assert minute.share == pytest.approx(-0.1) and minute.at_s == 7.49
    assert found.lag is None and found.sent is None


def test_p99_counts_the_silent_seconds(tmp_path: Path) -> None:
    """Against numpy on the counts of all seconds."""
    draws = np.random.default_rng(4)
    times = np.sort(draws.integers(0, 3_000_000, 900))
    found = inspect(read_recording(table(tmp_path / "a.csv", [(int(t), 1.0) for t in times])))
    span = -(-int(times[-1] - times[0]) // 1000)
    counts = np.bincount((times - times[0]) // 1000, minlength=span)
    assert found.rows.p99 == np.quantile(counts, 0.99, method="inverted_cdf")


def test_feed_latency(tmp_path: Path) -> None:
    """The recorder's clock less the exchange's, and a word where it is behind."""
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    row = "x,BTC,{}000,{}000,{},buy,5,1\n"
    path = tmp_path / "a.csv"
    path.write_text(head + "".join(row.format(T0 + i, T0 + i + 20 + i, i) for i in range(11)))
    lag = inspect(read_recording(path)).lag
    assert lag is not None and (lag.count, lag.median_ms, lag.least_ms) == (11, 25.0, 20.0)
    path.write_text(head + "".join(row.format(T0 + i, T0 + i - 300, i) for i in range(11)))
    assert (
        "clock is at least 300\u00a0ms behind"
        in dict(facts(inspect(read_recording(path))))["feed latency"]
    )


def test_sparkline() -> None:
    """One block a group, by its largest value."""
    assert sparkline([0.0, 7.0, 1.0, 3.5], 4) == "▁█▂▅"
    assert sparkline([0.0, 7.0, 1.0, 3.5], 2) == "█▁"
    assert sparkline([5.0], 9) == "▁" and sparkline([], 9) == ""


def test_the_command(tmp_path: Path) -> None:
    """Its folder has a page and the figures; a run takes the same options, and says how it read."""
    rows = "t,px,n,way\n0,60000,1,buy\n900,60010,1,sell\n5000,60020,2,buy\n"
    (tmp_path / "own.csv").write_text(rows)
    how = ["--columns", "time=t,price=px,amount=n,side=way", "--time-unit", "ms"]
    done = surgetank("tape", "own.csv", *how, "--json", "--out", "seen", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "seen/tape.json").read_text())
    page = (tmp_path / "seen/tape.html").read_text()
    assert (
        page.count("<svg") >= 5 and len(page) < 400_000 and json.loads(done.stdout)["hash"] in page
    )
    again = surgetank("tape", "own.csv", *how, "--out", "seen", cwd=tmp_path)
    assert again.returncode == 2 and "not empty" in again.stderr
    ran = surgetank("run", "calm", "--tape", "own.csv", *how, "--no-report", cwd=tmp_path)
    assert "own.csv: table of trades (CSV, by --columns); times: column `t`" in ran.stderr
    folder = next((tmp_path / "runs").iterdir())
    kept = json.loads((folder / "run.json").read_text())["scenario"]
    assert kept["tape_options"] == ["--tape", "own.csv", *how]
    assert kept["tape_hash"] == json.loads(done.stdout)["hash"]
    lone = surgetank("run", "calm", "--time-unit", "ms", cwd=tmp_path)
    assert lone.returncode == 2 and "--tape" in lone.stderr


def test_the_unit_of_time_follows_the_length(tmp_path: Path) -> None:
    """Ten hours are drawn as hours: the last label is 10, not 36,000."""
    rows = [(600_000 * i, 100.0 + i) for i in range(61)]
    wide, _ = price_figure(inspect(read_recording(table(tmp_path / "a.csv", rows))).series)
    assert "hours from the first row" in wide and ">10</text>" in wide
    assert "36,000" not in wide
