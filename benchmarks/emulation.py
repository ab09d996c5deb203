"""What the emulation of latencies costs a chain of 200 nodes, in blocks per minute.

`python benchmarks/emulation.py [--seeds N]` prints a table. CometBFT's tests of that size found a
factor of about three with its own emulation.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import polars as pl

import surgetank as st

_DURATION_S, _WARMUP_S = 40.0, 10.0
_REACTOR = {"sleep_ms": 100.0, "part_kb": 64}
_WAYS: dict[str, dict[str, Any]] = {
    "datagrams": {},
    "datagrams, reactor": {"layer.reactor": _REACTOR},
    "TCP, reactor": {"layer.reactor": _REACTOR, "network.transport": "tcp"},
}


def blocks_per_minute(emulated: bool, way: dict[str, Any], seed: int) -> float:
    """Blocks proposed after the warm-up, per minute."""
    values: dict[str, Any] = {
        "duration_s": _DURATION_S,
        "warmup_s": _WARMUP_S,
        "network.nodes": 200,
        "network.topology": {"kind": "random-dial", "degree": 10},
        "flow.arrivals": {"kind": "poisson", "rate_per_s": 200.0},
        "flow.overhead_bytes": 900,
        "layer.consensus": {"kind": "tendermint", "timeout_commit_ms": 1_000.0},
        "layer.consensus.timeout_propose_ms": 3_000.0,
    }
    if not emulated:
        values["network.delay"] = {"kind": "fixed", "delay_ms": 0.5}
    trace = st.simulate(st.load("calm").with_values(values | way), seed=seed)
    at_s = trace["blocks"].select(pl.col("proposed_ns") / 1e9).to_series()
    return (
        60.0 * float(((at_s > _WARMUP_S) & (at_s <= _DURATION_S)).sum()) / (_DURATION_S - _WARMUP_S)
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind")
    seeds = range(1, parser.parse_args().seeds + 1)
    print("| way | one machine room | 13 zones | factor |")
    print("|---|---|---|---|")
    for name, way in _WAYS.items():
        near, far = (
            statistics.mean(blocks_per_minute(emulated, way, seed) for seed in seeds)
            for emulated in (False, True)
        )
        print(f"| {name} | {near:.1f} | {far:.1f} | {near / far:.2f} |", flush=True)


if __name__ == "__main__":
    main()
