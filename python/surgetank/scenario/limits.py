"""`[limits]`: the numbers allowed, and what "out of step" means."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from surgetank.scenario.queue import ClassName
from surgetank.scenario.section import NonNegative, Number, Section, Share

ResourceName = Literal[
    "uplink",
    "downlink",
    "validation",
    "consensus-validation",
    "execution",
    "block-space",
    "keepers",
    "liquidation-limits",
    "mempool",
    "ingress-queue",
    "consensus-timeouts",
    "book-depth",
    "insurance",
    "faults",
]


class ClassLimits(Section):
    """Limits on the delay of one class."""

    delay_p50_ms_max: NonNegative | None = Field(None, description="median delay, ms")
    delay_p99_ms_max: NonNegative | None = Field(None, description="99th percentile, ms")
    delay_p999_ms_max: NonNegative | None = Field(None, description="99.9th percentile, ms")
    state_age_p50_ms_max: NonNegative | None = Field(
        None, description="how long the executed state lacks news of the class, median, ms"
    )
    state_age_p99_ms_max: NonNegative | None = Field(
        None, description="how long the executed state lacks news of the class, p99, ms"
    )


class Limits(Section):
    """A measure's name with `_max` or `_min`; what is not given is not judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    unmeasured: Literal["left-out", "unknown"] = Field(
        "left-out",
        description="a limit whose measure a live target has no facts for (bad debt, say) is named "
        "and left out of the verdict, or makes it UNKNOWN",
    )
    lag_max_ms: NonNegative = Field(
        1_000.0, description="a node further behind the first one than this is out of step, ms"
    )
    stale_after_ms: NonNegative = Field(
        3_000.0, description="an executed state that lacks news for longer than this is stale, ms"
    )
    delay_p50_ms_max: NonNegative | None = Field(None, description="median end-to-end delay, ms")
    delay_p99_ms_max: NonNegative | None = Field(None, description="99th percentile, ms")
    delay_p999_ms_max: NonNegative | None = Field(None, description="99.9th percentile, ms")
    delay_mean_ms_max: NonNegative | None = Field(None, description="mean end-to-end delay, ms")
    goodput_ratio_min: Share | None = Field(
        None, description="1 less what was refused, lost or added to the backlog, over offered"
    )
    executed_share_min: Share | None = Field(
        None, description="offered messages executed by the end of the run"
    )
    throughput_per_s_min: NonNegative | None = Field(None, description="executed per second")
    refused_share_max: Share | None = Field(None, description="refused for good over offered")
    lost_share_max: Share | None = Field(None, description="lost over offered")
    jitter_p99_min_ms_max: NonNegative | None = Field(None, description="p99 − min delay, ms")
    jitter_sd_ms_max: NonNegative | None = Field(None, description="delay's deviation, ms")
    jitter_rfc3550_ms_max: NonNegative | None = Field(None, description="RFC 3550 jitter, ms")
    desynchronised_share_max: Share | None = Field(
        None, description="weight out of step at once, at most"
    )
    desynchronised_node_seconds_max: NonNegative | None = Field(
        None, description="time out of step, summed over nodes, s"
    )
    systemic_desync_s_max: NonNegative | None = Field(
        None, description="time with all of the fault budget (a third) used up, s"
    )
    half_budget_s_max: NonNegative | None = Field(
        None, description="time with half of the fault budget used up, s"
    )
    fault_budget_left_min: Number | None = Field(
        None, description="a third less the weight out of step, at least"
    )
    standstill_s_max: NonNegative | None = Field(
        None, description="time in which nobody executed anything though messages waited, s"
    )
    stale_s_max: NonNegative | None = Field(
        None, description="time in which the executed state was stale in some class, s"
    )
    view_divergence_share_max: Share | None = Field(
        None, description="known messages not yet executed that a node lacks, over all nodes"
    )
    view_lag_max_ms_max: NonNegative | None = Field(
        None, description="longest that a node lacked a message that another knew, ms"
    )
    lag_max_ms_max: NonNegative | None = Field(None, description="greatest lag of a node, ms")
    block_interval_p50_ms_max: NonNegative | None = Field(None, description="median interval, ms")
    rounds_mean_max: NonNegative | None = Field(None, description="mean rounds per height")
    propagation_p50_ms_max: NonNegative | None = Field(None, description="to 50 % of nodes, ms")
    propagation_p99_ms_max: NonNegative | None = Field(None, description="to 99 % of nodes, ms")
    propagation_full_ms_max: NonNegative | None = Field(None, description="to every node, ms")
    delivered_share_min: Share | None = Field(
        None, description="messages that reached every node, over all"
    )
    duplicates_per_message_max: NonNegative | None = Field(
        None, description="copies beyond the first, per first arrival"
    )
    staleness_p50_ms_max: NonNegative | None = Field(
        None, description="median age of the oracle price at execution, ms"
    )
    staleness_p99_ms_max: NonNegative | None = Field(
        None, description="age of the oracle price at execution, ms"
    )
    late_liquidations_max: NonNegative | None = Field(None, description="late liquidations")
    late_share_max: Share | None = Field(None, description="late over all liquidations")
    liquidation_delay_p50_ms_max: NonNegative | None = Field(None, description="median, ms")
    liquidation_delay_p99_ms_max: NonNegative | None = Field(None, description="due → done, ms")
    bad_debt_usd_max: NonNegative | None = Field(None, description="bad debt, USD")
    bad_debt_share_max: Share | None = Field(
        None, description="share of close-outs that left a debt behind"
    )
    bad_debts_max: NonNegative | None = Field(None, description="close-outs with bad debt")
    insurance_drawn_usd_max: NonNegative | None = Field(None, description="insurance used, USD")
    deleveraged_usd_max: NonNegative | None = Field(None, description="deleveraged notional, USD")
    unliquidated_max: NonNegative | None = Field(None, description="due and never closed")
    branching_ratio_max: NonNegative | None = Field(
        None, description="liquidations made due by one, in the mean"
    )
    cascade_size_max: NonNegative | None = Field(
        None, description="liquidations in the largest cascade, each made due by another"
    )
    cascade_generations_max: NonNegative | None = Field(
        None, description="longest chain of liquidations that made each other due"
    )
    shortfall_bp_mean_max: Number | None = Field(
        None,
        description="mean cost of orders that took, against the middle of the book when they were "
        "to be sent, bp",
    )
    failed_trades_share_max: Share | None = Field(
        None, description="orders to trade at once that traded nothing"
    )
    slippage_bp_mean_max: Number | None = Field(
        None,
        description="mean loss of liquidation trades against the middle of the book when the "
        "account became due, bp",
    )
    mispricing_bp_mean_max: NonNegative | None = Field(
        None, description="mean distance of trades from the outside price at execution, bp"
    )
    saturation_max: dict[ResourceName, Share] = Field(
        default_factory=dict, description="use of a resource in its busiest window, by resource"
    )
    by_class: dict[ClassName, ClassLimits] = Field(
        default_factory=dict, alias="class", description="limits on one class's delay"
    )

    def as_mapping(self) -> dict[str, float]:
        """Limit name → number, as `judge` takes them; a class or resource stands behind a dot."""
        given = self.model_dump(
            exclude={"by_class", "saturation_max", "unmeasured"}, exclude_none=True
        )
        for resource, most in self.saturation_max.items():
            given[f"saturation_max.{resource}"] = most
        for name, limits in self.by_class.items():
            for key, value in limits.model_dump(exclude_none=True).items():
                given[f"{key}.{name}"] = value
        return given
