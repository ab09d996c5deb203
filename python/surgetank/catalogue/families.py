"""The families of members by which measures are divided, and each member in words."""

from __future__ import annotations

from typing import Final

from surgetank.catalogue.spec import Family

__all__ = ["BEARER", "CLASS", "GROUP", "LOSER", "RESOURCE", "STAGE", "WAIT"]

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
        "client_link": "the link from client to gateway",
        "admission": "the queue before validation, and in validation",
        "propagation": "gossip, on the way from the gateway to the proposer",
        "queueing": "the mempool, before a block takes the message",
        "ordering": "ordering, from the proposal of its block to the decision",
        "execution": "the queue before execution, and in execution",
    },
    titles={
        "admission": "ingress queue and validation",
        "propagation": "gossip to the proposer",
        "queueing": "mempool wait",
    },
)
"""Stages of a message's latency, in the order in which it passes them."""

WAIT: Final = Family(
    "cause",
    "a cause (docs/attribution.md)",
    {
        "client_link": "the link from client to gateway",
        "distance": "the links' delay between nodes",
        "bandwidth": "nodes' uplinks and downlinks",
        "validation_own": "their own validation",
        "validation_others": "the validation of other messages",
        "consensus": "the validation of proposals and votes",
        "execution_own": "the execution of their own block",
        "execution_others": "the execution of earlier blocks",
        "timers": "timers of the protocol",
        "block_space": "room in blocks that other messages filled",
        "admission": "admission",
        "loss": "the resending of lost packets",
        "rules": "rules of the venue that hold messages back",
        "faults": "faults",
        "other": "causes not identified",
    },
    titles={
        "distance": "network delay",
        "validation_own": "validation, own",
        "validation_others": "validation, other messages",
        "consensus": "proposals and votes",
        "execution_own": "execution, own block",
        "execution_others": "execution, earlier blocks",
        "timers": "protocol timers",
        "admission": "refusals and retries",
        "loss": "packet loss",
        "rules": "venue rules",
        "other": "not identified",
    },
)
"""Causes of waiting."""

BEARER: Final = Family(
    "bearer",
    "bad debt of a bearer",
    {
        "insurance": "bad debt paid by the insurance fund",
        "deleveraged": "bad debt borne by deleveraged accounts",
        "venue": "bad debt that the fund could not pay, left as the venue's deficit",
        "vault": "bad debt borne by the backstop vault",
        "unbooked": "negative equity of due accounts at the end, not yet booked",
    },
    whole="bad debt, whoever bears it",
    titles={
        "insurance": "insurance fund",
        "deleveraged": "deleveraged accounts",
        "venue": "venue's deficit",
        "vault": "backstop vault",
        "unbooked": "not yet booked",
    },
)
"""Bearers of a loss beyond collateral, and what is not yet booked when a run ends."""

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
        "liquidation-limits": "share of liquidations that the venue's own limits deferred",
        "mempool": "how full a queue before ordering was; 1 = it refused",
        "ingress-queue": "how full a queue before validation was; 1 = it refused",
        "consensus-timeouts": "share of time for heights that took more than one round",
        "book-depth": "share of liquidations that the book could not fill",
        "insurance": "share of the insurance fund that was gone at its lowest",
        "faults": "share of the layer that the worst fault took away; 1 = enough to halt it",
    },
)
"""Resources that can saturate, causes before effects: of several that are full, the first is
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
        "socialised": "deleveraged winners, and debt that no party bore",
        "venue": "fees that the venue took",
    },
)
"""Groups of the ledger."""

LOSER: Final = Family(
    "group",
    "a group on the other side",
    {"makers": "makers", "takers": "takers", "positions": "positions"},
)
"""The group that an attacker's gain was taken from."""
