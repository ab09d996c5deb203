"""Safe leverage behind an M/M/1 queue, and whether a scenario is one.

L_safe = κ/(s + σ·ln(1/2ε)/√(2(μ−λ))). Conditional on being triggered, bad debt does not depend on
leverage but on the maintenance margin m = κ/L: an isolated position is bankrupt when the price has
fallen by m from its liquidation price, less the slippage s. The close-out waits for the sojourn of
M/M/1, which is Exp(μ−λ); at an exponential time a driftless log price is Laplace.
"""

from __future__ import annotations

import math
from typing import Final

from surgetank.scenario import Scenario

__all__ = ["assumptions", "safe_leverage", "service_rate_per_s"]

_YEAR_S: Final = 365 * 86_400.0


def safe_leverage(
    kappa: float,
    slippage: float,
    volatility: float,
    budget: float,
    mu_per_s: float,
    load_per_s: float,
) -> float:
    """L = κ/(s + σ·ln(1/2ε)/√(2(μ−λ))).

    κ maintenance over initial margin, s slippage and fee (share of price), σ per √year, ε P(bad
    debt) per liquidation, μ and λ per second. From P(S < (1−m)/(1−s)) = ½·exp(−|ln K|·√(2(μ−λ))/σ)
    to first order in m and s. NaN at or beyond saturation.
    """
    if load_per_s >= mu_per_s:
        return math.nan
    sigma = volatility / math.sqrt(_YEAR_S)
    margin = slippage + sigma * math.log(1 / (2 * budget)) / math.sqrt(2 * (mu_per_s - load_per_s))
    return kappa / margin


def service_rate_per_s(scenario: Scenario) -> float | None:
    """μ, if every message passes one exponential server and no other; else None."""
    service, consensus = scenario.layer.service, scenario.layer.consensus
    if consensus.leader is None or scenario.layer.gossip.kind != "direct":
        return None
    if service.distribution.kind != "exponential" or service.servers != 1:
        return None
    names = ("price_update_us", "liquidation_order_us", "cancel_us", "replace_us", "order_us")
    times = [
        {getattr(station, name) for name in names}
        for station in (service.validation, service.execution)
    ]
    used = [t for t in times if t != {0.0}]
    if len(used) != 1 or len(used[0]) != 1:
        return None
    return 1e6 / float(next(iter(used[0])))


def assumptions(scenario: Scenario) -> list[tuple[str, bool]]:
    """The assumptions of the closed form, and whether the scenario meets each."""
    flow, layer, market = scenario.flow, scenario.layer, scenario.market
    if market is None:
        return [("a market", False)]
    path, margin = market.price.path, market.margin
    calm = path.kind == "gbm" and path.jumps_per_day == 0
    window = layer.consensus.leader is not None and layer.consensus.pace_ms == 0
    return [
        (
            "one exponential server for all messages (M/M/1)",
            service_rate_per_s(scenario) is not None,
        ),
        ("Poisson arrivals at a constant rate", _is_poisson(scenario)),
        ("no makers and no oracles", flow.makers.count == flow.oracle.count == 0),
        ("no delay between clients and the server", _is_near(scenario)),
        ("first come, first served", layer.queue.rule == "fifo"),
        ("each message is ordered by itself, without a batch window", window),
        ("outside price a geometric Brownian motion without jumps", calm),
        ("liquidations do not move the price", market.price.impact_bp_per_musd == 0),
        (
            "keepers see the outside price and act at once",
            flow.keepers.watch == "outside" and flow.keepers.reaction_ms == 0,
        ),
        (
            "a liquidation fills at the outside price at its execution",
            margin.close_out == "oracle" and market.price.feed == "block",
        ),
        ("isolated margin", margin.mode == "isolated"),
    ]


def _is_near(scenario: Scenario) -> bool:
    link = scenario.flow.client_link
    return link.fixed_ms == link.jitter_ms == 0


def _is_poisson(scenario: Scenario) -> bool:
    flow = scenario.flow
    constant = flow.profile.kind == "constant" and flow.panic.rate_per_s_per_pct == 0
    return flow.arrivals.kind == "poisson" and constant and not flow.replay_messages
