"""The page of a recording with a long name, on a small screen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser

from chromium import Visit, needs_chromium
from surgetank.report.shell import save
from surgetank.report.tape import render_tape
from surgetank.tape import read_recording
from surgetank.tape.inspection import inspect


@needs_chromium
def test_a_long_file_name_stays_on_the_page(browser: Browser, tmp_path: Path) -> None:
    rows = "".join(f"{1723161255 + i},{60_000 + i % 7}\n" for i in range(50))
    (tmp_path / "p.csv").write_text("ts,price\n" + rows)
    found = inspect(read_recording(tmp_path / "p.csv"))
    named = replace(found, file="binance_usdm_btcusdt_20240808_whole_day_" * 3 + ".jsonl.gz")
    visit = Visit(browser, save(render_tape(named), tmp_path / "page.html"), 390, "dark")
    assert (visit.said, visit.loaded(), visit.overflow()) == ([], [], 0)
    visit.close()
