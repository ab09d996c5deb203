"""A real gossipsub mesh beside the lab's: the same scenario, graph size, D and link delay.

    .venv/bin/python benchmarks/mesh.py [--nodes 8] [--delay-ms 50] [--json]

The link proxy adds the delay between the real nodes. The lab has no cost of a hop beside the delay
(validation 0), so what the real mesh needs beyond is py-libp2p's own time and the machine's.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from surgetank import simulate
from surgetank.live import LiveOptions, Rig
from surgetank.live.proxy import Fate
from surgetank.live.snapshot import Snapshot
from surgetank.live.systems.gossipsub.server import GossipsubServer
from surgetank.measure.propagation import propagation
from surgetank.scenario import Scenario
from surgetank.trace import Trace

D, D_LOW, D_HIGH = 3, 3, 6
CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order")


def scenario(nodes: int, delay_ms: float, rate_per_s: float, seconds: float) -> Scenario:
    """Messages at a rate that py-libp2p carries, on a full graph with a small mesh."""
    nothing = {f"{name}_us": 0.0 for name in (*CLASSES, "proposal", "vote")}
    return Scenario.model_validate(
        {
            "name": "mesh",
            "duration_s": seconds + 2.0,
            "warmup_s": 2.0,
            "drain_s": 5.0,
            "flow": {"accounts": 64, "arrivals": {"kind": "poisson", "rate_per_s": rate_per_s}},
            "network": {
                "nodes": nodes,
                "topology": {"kind": "full"},
                "delay": {"kind": "fixed", "delay_ms": delay_ms, "jitter": 0.0},
            },
            "layer": {
                "gossip": {"kind": "mesh", "d": D, "d_lo": D_LOW, "d_hi": D_HIGH},
                "consensus": {"kind": "none"},
                "service": {"validation": nothing},
            },
            "trace": {"receipts_every": 1},
        }
    )


def measured(trace: Trace) -> dict[str, float | None]:
    """The propagation of a trace, ms."""
    return {m.name: m.value for m in propagation(trace) if m.name != "duplicates_per_message"}


def compare(nodes: int, delay_ms: float, rate_per_s: float, seconds: float) -> dict[str, Any]:
    """Both, and what the proxy really added."""
    plan = scenario(nodes, delay_ms, rate_per_s, seconds)
    lab = measured(simulate(plan, seed=7))
    url = f"gossipsub:?nodes={nodes}&d={D}&d_low={D_LOW}&d_high={D_HIGH}"
    with Rig(url, LiveOptions(patience_s=60), proxied=True) as rig:
        assert rig.proxy is not None
        links = rig.proxy.between(range(nodes), range(nodes))
        rig.proxy.set(links, Fate(delay_ms=delay_ms))
        degrees: list[int] = []

        def look(snapshot: Snapshot) -> bool:
            if snapshot.seconds > 1 and not degrees and isinstance(rig.server, GossipsubServer):
                degrees.extend(rig.server.mesh_degrees())
            return True

        trace = rig.run(plan, seed=7, watch=look)
        live = measured(trace)
        read = [rig.proxy.readings()[name] for name in links]
    return {
        "nodes": nodes,
        "delay_ms": delay_ms,
        "added_ms": sum(r.delay_mean_ms * r.delays for r in read) / sum(r.delays for r in read),
        "mesh_degrees": sorted(degrees),
        "lab": lab,
        "live": live,
    }


def main() -> None:
    """Prints a table."""
    ask = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    ask.add_argument("--nodes", type=int, default=8)
    ask.add_argument("--delay-ms", type=float, nargs="*", default=[0.0, 50.0])
    ask.add_argument("--rate", type=float, default=2.0)
    ask.add_argument("--seconds", type=float, default=20.0)
    ask.add_argument("--json", action="store_true")
    asked = ask.parse_args()
    found = [compare(asked.nodes, delay, asked.rate, asked.seconds) for delay in asked.delay_ms]
    if asked.json:
        print(json.dumps(found))
        return
    print(f"{'added':>10}  {'measure':<22}{'lab':>10}{'live':>10}")
    for row in found:
        print(f"mesh peers of the live nodes: {row['mesh_degrees']}")
        for name, lab in row["lab"].items():
            live = row["live"].get(name)
            cells = ("—" if x is None else f"{x:.3g}" for x in (lab, live))
            print(f"{row['added_ms']:>7.1f} ms  {name:<22}" + "".join(f"{c:>10}" for c in cells))


if __name__ == "__main__":
    main()
