"""Delays of a live run as an HdrHistogram log, which HdrHistogram's own tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from surgetank.trace import CLASSES, Trace

__all__ = ["histograms", "write_log"]

_HIGHEST_US: Final = 3_600_000_000


def histograms(trace: Trace) -> dict[str, HdrHistogram]:
    """Delay of the delivered messages of the measured window by class, µs, three digits."""
    found: dict[str, HdrHistogram] = {}
    done = trace.delays().filter(pl.col("delay_ns").is_not_null())
    for (key,), rows in sorted(done.partition_by("class", as_dict=True).items()):
        histogram = HdrHistogram(1, _HIGHEST_US, 3)
        delays_us = np.maximum(rows["delay_ns"].to_numpy() // 1_000, 1)
        for value, count in zip(*np.unique(delays_us, return_counts=True), strict=True):
            histogram.record_value(int(value), int(count))
        begin_ms = trace.live.start_unix_ns // 1_000_000
        histogram.set_start_time_stamp(begin_ms + trace.measured_from_ns // 1_000_000)
        histogram.set_end_time_stamp(begin_ms + trace.flow_end_ns // 1_000_000)
        found[CLASSES[int(key)]] = histogram
    return found


def write_log(trace: Trace, path: Path) -> None:
    """Writes `delays.hlog`: one interval, one tag per class."""
    with path.open("w", encoding="utf-8") as file:
        log = HistogramLogWriter(file)
        log.output_comment(f"surgetank {trace.run}; delays from the intended send time, µs")
        log.output_log_format_version()
        log.output_legend()
        for name, histogram in histograms(trace).items():
            file.write(f"Tag={name},")  # the library reads tags and does not write them
            log.output_interval_histogram(histogram, max_value_unit_ratio=1.0)
