"""How fast the simulator is, beside its peers and its limit, in one run.

    .venv/bin/python benchmarks/simulator.py [--quick]

- M/M/1 and a flood broadcast against SimPy and ciw: the same model, the answers compared. The same
  flood over TCP and QUIC connections.
- Against the hold model on the bare queue (crates/lab/examples/hold_model.rs), the limit.
- 10,000 nodes × 1,000 messages: memory. Twice and four times the messages: linear cost.
- 130,000 messages/s over 20 nodes that order a graph (Tusk), against the time that they take.

Every process runs alone; facts are kept and handed over as tables in all surgetank rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import Speed, Stopwatch, ciw_mm1, simpy_flood, simpy_mm1

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order", "proposal", "vote")


def scenario(**sections: Any) -> str:
    """JSON for the core: no one orders, no one reacts, service as given."""
    import surgetank as st

    return st.Scenario.model_validate(
        {
            "name": "benchmark",
            "warmup_s": 0.0,
            "trace": {"receipts_every": 1, "gauge_ms": 0.0},
            "duration_s": sections["duration_s"],
            "drain_s": sections["drain_s"],
            "flow": {
                "accounts": 100_000,
                "arrivals": {"kind": "poisson", "rate_per_s": sections["rate_per_s"]},
                "mix": {"limit": 1.0, "post_only": 0.0, "market": 0.0, "ioc": 0.0}
                | {"cancel": 0.0, "replace": 0.0},
                "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
            },
            "network": sections["network"],
            "layer": {
                "gossip": {"kind": "flood"},
                "queue": {"ingress_max": 1_000_000_000},
                "service": {
                    "validation": {f"{name}_us": sections["service_us"] for name in CLASSES},
                    "distribution": {"kind": "exponential"},
                },
                "consensus": {"kind": "none"},
            },
        }
    ).to_core()


def ours(json_text: str) -> tuple[dict[str, Any], dict[str, Any], tuple[float, float]]:
    """Tables, stats, and seconds of wall time and of CPU time."""
    from surgetank import _core

    watch = Stopwatch()
    out = _core.run(json_text, 1)
    return out["tables"], json.loads(out["stats"]), watch.read()


def our_mm1(customers: int, rho: float) -> Speed:
    """M/M/1 through the scenario's own flow, client link, node and queue."""
    import polars as pl

    network = {"nodes": 1, "topology": {"kind": "full"}}
    text = scenario(
        duration_s=customers / (1_000.0 * rho),
        drain_s=5.0,
        rate_per_s=1_000.0 * rho,
        service_us=1_000.0,
        network=network,
    )
    tables, stats, spent = ours(text)
    messages = pl.DataFrame(tables["messages"])
    wait = float((messages["admitted_ns"] - messages["gateway_ns"]).mean()) / 1e6 - 1  # type: ignore[arg-type]
    return Speed("surgetank", messages.height, stats["events"], *spent, wait)


def our_flood(
    nodes: int, messages: int, every_copy: bool, transport: str = "datagram"
) -> tuple[Speed, dict[str, Any]]:
    """Flood over a random regular graph of degree 8, 5–120 ms links, 1 Gbit/s uplinks."""
    rate = 500.0
    text = scenario(
        duration_s=messages / rate,
        drain_s=5.0,
        rate_per_s=rate,
        service_us=0.0,
        network={
            "nodes": nodes,
            "topology": {"kind": "random-regular", "degree": 8},
            "delay": {"kind": "uniform", "low_ms": 5.0, "high_ms": 120.0, "jitter": 0.0},
            "uplink_mbps": 1_000.0,
            "every_copy": every_copy,
            "transport": transport,
        },
    )
    tables, stats, spent = ours(text)
    import polars as pl

    last = float(pl.DataFrame(tables["receipts"])["time_ns"].max()) / 1e9  # type: ignore[arg-type]
    return Speed("surgetank", stats["transmissions"], stats["events"], *spent, last), stats


def our_graph(seconds: int) -> tuple[Speed, dict[str, Any]]:
    """Tusk among 20 nodes, 130,000 messages a second, links of 5–60 ms and 10 Gbit/s; the answer is
    the median time from gateway to execution, ms."""
    import polars as pl

    import surgetank as st
    from surgetank.trace import Outcome

    clients = ("price_update", "liquidation_order", "cancel", "replace", "order")
    text = st.Scenario.build(
        {
            "name": "graph",
            "warmup_s": 0.0,
            "duration_s": float(seconds),
            "drain_s": 3.0,
            "flow": {
                "accounts": 2_000,
                "arrivals": {"kind": "poisson", "rate_per_s": 130_000.0},
            },
            "network": {
                "nodes": 20,
                "topology": {"kind": "full"},
                "delay": {"kind": "uniform", "low_ms": 5.0, "high_ms": 60.0},
                "uplink_mbps": 10_000.0,
            },
            "layer": {
                "gossip": {"kind": "flood"},
                "queue": {"ingress_max": 100_000, "mempool_max": 200_000},
                "service": {
                    "servers": 4,
                    "validation": {f"{name}_us": 10.0 for name in (*clients, "vote")},
                    "execution": {f"{name}_us": 2.0 for name in clients},
                },
                "consensus": {
                    "kind": "tusk",
                    "block_messages_max": 20_000,
                    "block_bytes_max": 20_000_000,
                },
            },
        }
    ).to_core()
    tables, stats, spent = ours(text)
    done = pl.DataFrame(tables["messages"]).filter(pl.col("outcome") == Outcome.EXECUTED)
    times = (done["executed_ns"] - done["gateway_ns"]) / 1e6
    middle = float(times.median())  # type: ignore[arg-type]
    return Speed("surgetank", done.height, stats["events"], *spent, middle), stats


def peer_flood(nodes: int, messages: int) -> Speed:
    """The same kind of graph in SimPy."""
    import random

    import networkx as nx

    draw = random.Random(1)
    links = list(nx.random_regular_graph(8, nodes, seed=1).edges)
    delays = [draw.uniform(0.005, 0.120) for _ in links]
    return simpy_flood(links, delays, messages, 500.0, 140 * 8e-9)


def hold_model(length: int) -> dict[str, float]:
    """The bare queue in Rust."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "surgetank-lab"]
    command += ["--example", "hold_model", "--", str(length), "20000000"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    who: str
    work: str
    events: str
    ratio: str


def alone(task: str) -> dict[str, Any]:
    """Runs one task of this script in a process of its own; its answer and its peak memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--task", task], check=True, capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def perform(task: str) -> dict[str, Any]:
    """Makes one measurement."""
    name, *numbers = task.split(":")
    n = [int(number) for number in numbers]
    stats: dict[str, Any] = {}
    match name:
        case "our-mm1":
            speed = our_mm1(n[0], 0.8)
        case "simpy-mm1":
            speed = simpy_mm1(n[0], 0.8, 1)
        case "ciw-mm1":
            speed = ciw_mm1(n[0], 0.8, 1)
        case "our-flood":
            speed, stats = our_flood(n[0], n[1], bool(n[2]))
        case "tcp-flood" | "quic-flood":
            speed, stats = our_flood(n[0], n[1], False, name.removesuffix("-flood"))
        case "our-graph":
            speed, stats = our_graph(n[0])
        case "simpy-flood":
            speed = peer_flood(n[0], n[1])
        case _:
            raise SystemExit(f"no task {task}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return vars(speed) | {
        "per_s": speed.per_s,
        "events_per_s": speed.events_per_s,
        "peak_gib": peak,
        "first_arrivals": stats.get("first_arrivals", 0),
    }


def rate(value: float) -> str:
    """A rate for people."""
    return f"{value / 1e6:.2f} M/s" if value >= 1e6 else f"{value / 1e3:.1f} k/s"


def measure(quick: bool) -> list[Row]:
    """All rows of the table."""
    scale = 10 if quick else 1
    rows = []
    mine = alone(f"our-mm1:{2_000_000 // scale}")
    for task in (f"simpy-mm1:{100_000 // scale}", f"ciw-mm1:{50_000 // scale}"):
        peer = alone(task)
        customers = mine["per_s"] / peer["per_s"]
        ratio = f"{customers:.0f}× ({mine['events_per_s'] / peer['events_per_s']:.0f}× in events)"
        work = f"{rate(peer['per_s'])} customers, wait {peer['answer']:.2f}"
        rows.append(Row("M/M/1, ρ = .8", peer["who"], work, rate(peer["events_per_s"]), ratio))
    work = f"{rate(mine['per_s'])} customers, wait {mine['answer']:.2f} (theory 4.00)"
    rows.insert(0, Row("M/M/1, ρ = .8", "surgetank", work, rate(mine["events_per_s"]), "1"))

    peer = alone(f"simpy-flood:1000:{100 // scale}")
    flood = alone(f"our-flood:1000:{4_000 // scale}:0")
    every = alone(f"our-flood:1000:{4_000 // scale}:1")
    what = "flood, 1,000 nodes, D = 8"
    for who, run in (("surgetank", flood), ("surgetank, every copy an event", every)):
        work = f"{rate(run['per_s'])} transmissions"
        rows.append(Row(what, who, work, rate(run["events_per_s"]), "1"))
    work, ratio = f"{rate(peer['per_s'])} transmissions", f"{flood['per_s'] / peer['per_s']:.0f}×"
    rows.append(Row(what, "SimPy", work, rate(peer["events_per_s"]), ratio))

    for transport in ("tcp", "quic"):
        run = alone(f"{transport}-flood:1000:{4_000 // scale}")
        work = f"{rate(run['per_s'])} transmissions"
        ratio = f"{run['per_s'] / flood['per_s']:.2f}× datagrams"
        who = f"surgetank, {transport.upper()}"
        rows.append(Row(what, who, work, rate(run["events_per_s"]), ratio))

    for length in (10_000, 100_000, 1_000_000):
        limit = hold_model(length)
        share = f"{every['events_per_s'] / limit['radix_per_s']:.0%} of it reached in events"
        share += f", {flood['per_s'] / limit['radix_per_s']:.0%} in transmissions"
        heap = f"std BinaryHeap {rate(limit['binary_per_s'])}"
        row = Row(
            f"bare queue, {length:,} waiting", "hold model", heap, rate(limit["radix_per_s"]), share
        )
        rows.append(row)

    base = alone(f"our-flood:1000:{4_000 // scale}:0")["seconds"]
    for times in (2, 4):
        run = alone(f"our-flood:1000:{times * 4_000 // scale}:0")
        work = f"{rate(run['per_s'])} transmissions"
        ratio = f"{run['seconds'] / base:.2f}× the time"
        rows.append(
            Row(f"{times}× the messages", "surgetank", work, rate(run["events_per_s"]), ratio)
        )
    big = alone(f"our-flood:10000:{1_000 // scale}:0")
    work = f"{rate(big['per_s'])} transmissions, {big['first_arrivals']:,} receipts kept"
    memory = f"{big['peak_gib']:.2f} GiB peak"
    rows.append(
        Row("10,000 nodes × 1,000 messages", "surgetank", work, rate(big["events_per_s"]), memory)
    )
    seconds = max(1, 10 // scale)
    run = alone(f"our-graph:{seconds}")
    work = f"{run['work'] / seconds / 1e3:,.0f} k/s executed, p50 {run['answer']:,.0f} ms"
    ratio = f"{seconds / run['seconds']:.2f}× real time, {run['peak_gib']:.2f} GiB peak"
    rows.append(Row("20 nodes, Tusk, 130 k/s", "surgetank", work, rate(run["events_per_s"]), ratio))
    return rows


def machine() -> str:
    """What it ran on."""
    model = "unknown CPU"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return f"{os.cpu_count()} × {model}, {platform.system()}, Python {platform.python_version()}"


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| model | who | work | events | against |", "|---|---|---|---|---|"]
    lines += [f"| {r.what} | {r.who} | {r.work} | {r.events} | {r.ratio} |" for r in rows]
    return "\n".join([f"One run on {machine()}.", "", *lines])


def main() -> None:
    """The command line's entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(perform(arguments.task)))
        return
    print(table(measure(arguments.quick)))


if __name__ == "__main__":
    main()
