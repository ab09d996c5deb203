"""Queue rules under ten times the load that a node can validate, what a rule in Python costs, and
what a fair order costs: the tables of docs/queue.md, docs/plugins.md and docs/fairness.md.

    python benchmarks/rules.py [overload | plugin | fair]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

import surgetank as st
from surgetank.scenario.queue import RULES

CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order")
#: A node validates 2,000 messages a second; the attacker sends ten times that.
VENUE: dict[str, Any] = {
    "name": "flooded",
    "duration_s": 4.0,
    "warmup_s": 1.0,
    "drain_s": 2.0,
    "flow": {
        "accounts": 50,
        "arrivals": {"kind": "poisson", "rate_per_s": 200.0},
        "makers": {"count": 2, "level_usd": 5_000.0},
        "oracle": {"count": 1, "interval_ms": 200.0},
    },
    "network": {"nodes": 4, "delay": {"kind": "fixed", "delay_ms": 10.0}},
    "layer": {
        "gossip": {"kind": "direct"},
        "consensus": {"kind": "single", "window_ms": 50.0, "block_messages_max": 20_000},
        "queue": {"ingress_max": 2_000, "mempool_max": 4_000},
        "service": {
            "validation": dict.fromkeys((f"{c}_us" for c in CLASSES), 500.0),
            "execution": dict.fromkeys((f"{c}_us" for c in CLASSES), 20.0),
        },
    },
    "market": {"price": {"path": {"kind": "gbm", "start_usd": 200.0, "volatility": 1.0}}},
}
FLOODS = ("spam", "sybil", "cancel-storm")


def overload() -> None:
    """p99 of price updates, cancels and orders without and with each flood, in ms."""
    base = st.Scenario.build(VENUE, "flooded")
    print("| rule | calm: prices / cancels / orders |", " | ".join(FLOODS), "|")
    print("|---|---|" + "---|" * len(FLOODS))
    for rule in RULES:
        if rule in ("themis", "median"):
            continue  # they need gossip
        cells = []
        for attack in ("none", *FLOODS):
            values = {"layer.queue.rule": rule, "attack.kind": attack}
            if attack != "none":
                values["attack.rate_per_s"] = 20_000.0  # type: ignore[assignment]
            measures = st.run(base.with_values(values), seed=2).measures
            cells.append(" / ".join(_ms(measures, c) for c in ("price-update", "cancel", "order")))
        print(f"| `{rule}` | " + " | ".join(cells) + " |", flush=True)


def _ms(measures: st.Measures, name: str) -> str:
    value = measures[f"delay_p99_ms.{name}"].value
    return "–" if value is None else "∞" if math.isinf(value) else f"{value:,.0f}"


def plugin() -> None:
    """Messages a second through a whole run, with a built-in rule and with one in Python."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
    base = st.load("burst")
    print("| rule | messages/s through the whole run | of `fifo` |\n|---|---|---|")
    best = 0.0
    for rule in ("fifo", "drr", "plugin_example:Lottery"):
        scenario = base.with_values({"layer.queue.rule": rule})
        speeds = []
        for _ in range(3):
            began = time.perf_counter()
            trace = st.simulate(scenario, seed=7)
            speeds.append(trace["messages"].height / (time.perf_counter() - began))
        best = best or max(speeds)
        print(f"| `{rule}` | {max(speeds):,.0f} | {max(speeds) / best:.0%} |", flush=True)


def fair() -> None:
    """Delay, order and bytes of `themis` and `median` on 13 nodes around the world."""
    base = st.Scenario.build({
        "name": "fair",
        "duration_s": 30.0,
        "warmup_s": 3.0,
        "drain_s": 10.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 200.0}},
        "network": {
            "nodes": 13,
            "preset": "aws-13",
            "topology": {"kind": "random-regular", "degree": 6},
        },
        "layer": {
            "gossip": {"kind": "flood"},
            "consensus": {"kind": "single", "window_ms": 10.0},
        },
        "trace": {"receipts_every": 1},
    })  # fmt: skip
    print(
        "| rule | report | p50 delay | p99 delay | `inversions_receive` | in cycles | "
        "report bytes a message | of all bytes |\n|---|---|---|---|---|---|---|---|"
    )
    key = "layer.queue.fair"
    for name, rule, report_ms, values in (
        ("`fifo`", "fifo", 0, {}),
        *(("`themis`", "themis", ms, {}) for ms in (10, 50, 200)),
        ("`themis`, safe", "themis", 50, {f"{key}.extraction": "safe"}),
        *(("`median`", "median", ms, {}) for ms in (10, 50, 200)),
    ):
        asked: dict[str, Any] = {"layer.queue.rule": rule, **values}
        if report_ms:
            asked[f"{key}.report_ms"] = float(report_ms)
        result = st.run(base.with_values(asked), seed=1)
        measured, reported = result.measures, result.trace.stats
        cells = [f"{measured[f'delay_{q}_ms'].value:.0f} ms" for q in ("p50", "p99")]
        cells.append(f"{measured['inversions_receive'].value:.2%}")
        cycles = measured["fair_cycle_share"].value if rule == "themis" else None
        cells.append("" if cycles is None else f"{cycles:.0%}")
        bytes_ = reported.fair.report_bytes if reported.fair else 0
        cells.append(f"{bytes_ / result.trace['messages'].height:,.0f}" if bytes_ else "")
        cells.append(f"{bytes_ / reported.bytes:.1%}" if bytes_ else "")
        report = f"{report_ms} ms" if report_ms else ""
        print(f"| {name} | {report} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Prints what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("overload", "plugin", "fair"), default=None)
    what = parser.parse_args().what
    if what in (None, "overload"):
        overload()
    if what in (None, "plugin"):
        plugin()
    if what in (None, "fair"):
        fair()


if __name__ == "__main__":
    main()
