"""A venue of four nodes with one sequencer, of which the worst attack is known: stop node 2."""

from __future__ import annotations

from typing import Any

import surgetank as st

LEADER = 2


def sequencer(**values: Any) -> st.Scenario:
    """Eight seconds of steady messages; dotted keys have `__` for the dot."""
    base = st.Scenario.build(
        {
            "name": "attacked-sequencer",
            "duration_s": 8.0,
            "warmup_s": 1.0,
            "drain_s": 4.0,
            "network": {"nodes": 4, "topology": {"kind": "full"}},
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 40.0}},
            "layer": {
                "gossip": {"kind": "flood"},
                "consensus": {"kind": "single", "node": LEADER},
            },
        }
    )
    return base.with_values({key.replace("__", "."): value for key, value in values.items()})
