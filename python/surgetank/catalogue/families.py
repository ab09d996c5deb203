"""The parts of a run by which measures are taken apart, and their members in words."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.spec import Family

__all__ = ["CLASS", "GROUP", "LOSER", "RESOURCE", "STAGE", "WAIT"]

CLASS: Final = Family(
    "class",
    "messages of a class",
    {
        "price-update": "price updates",
        "liquidation-order": "liquidation orders",
        "cancel": "cancels",
        "replace": "replaces",
        "order": "new orders",
    },
    whole="all client messages",
)
"""Classes of client messages."""

STAGE: Final = Family(
    "stage",
    "a stage",
    {
        name: name.replace("_", " ")
        for name in (
            *("client_link", "admission", "propagation"),
            *("queueing", "ordering", "execution"),
        )
    },
)
"""Where a message was, in the order in which it passes them."""

WAIT: Final = Family(
    "cause",
    "a cause (docs/attribution.md)",
    {
        "client_link": "the way from client to gateway",
        "distance": "the way between nodes",
        "bandwidth": "nodes' uplinks and downlinks",
        "validation_own": "their own validation",
        "validation_others": "the validation of other messages",
        "consensus": "the validation of proposals and votes",
        "execution_own": "the execution of their own block",
        "execution_others": "the execution of earlier blocks",
        "timers": "timers of the protocol",
        "block_space": "room in blocks that others filled",
        "admission": "being let in",
        "loss": "lost packets to be repeated",
        "rules": "rules of the venue that hold messages back",
        "faults": "faults",
        "other": "what was not found out",
    },
)
"""What messages waited for."""

RESOURCE: Final = Family(
    "resource",
    "a resource in its busiest window",
    {
        "uplink": "busiest uplink of a node, share of time in its busiest window",
        "downlink": "busiest downlink of a node, share of time in its busiest window",
        "validation": "busiest validation servers of a node, share of time",
        "consensus-validation": "busiest server for consensus messages, share of time",
        "execution": "busiest execution server, share of time",
        "block-space": "how full blocks were in the busiest window",
        "keepers": "orders that a keeper had to send on one price over the most it can",
        "liquidation-limits": "share of liquidations that the venue's own limits put off",
        "mempool": "how full a queue before ordering was; 1 = it refused",
        "ingress-queue": "how full a queue before validation was; 1 = it refused",
        "consensus-timeouts": "share of time for heights that took more than one round",
        "book-depth": "share of liquidations that the book could not fill",
        "insurance": "share of the insurance fund that was gone at its lowest",
        "faults": "how much the worst fault took; 1 = enough to halt the layer",
    },
)
"""What can be used up, causes before what they cause: of several that are full, the first is
named."""

GROUP: Final = Family(
    "group",
    "a group",
    {
        "attacker": "the attacker's accounts",
        "makers": "market makers",
        "takers": "background traders",
        "holders": "positions at the start that were never liquidated",
        "liquidated": "accounts liquidated at least once",
        "operators": "keepers and oracles",
        "backstop": "the vault, and the liquidator who hedges outside",
        "insurance": "the insurance fund",
        "socialised": "deleveraged winners, and debt that nobody bore",
        "venue": "fees that the venue took",
    },
)
"""Groups of the ledger."""

LOSER: Final = Family(
    "group",
    "a group on the other side",
    {"makers": "makers", "takers": "takers", "positions": "positions"},
)
"""Out of whose pocket an attacker's gain came."""
