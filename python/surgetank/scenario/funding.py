"""`[market.funding]`: payments between longs and shorts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from surgetank.scenario.section import (
    BasisPoints,
    BoundedS,
    PositiveMarketUsd,
    PositivePpm,
    PositiveS,
    Ppm,
    Section,
    SignedBasisPoints,
    SpanS,
)


class Funding(Section):
    """Payments between longs and shorts, from the perpetual's premium over its oracle price; the
    defaults are Hyperliquid's."""

    sample_s: BoundedS = Field(
        5.0, ge=1e-3, le=1e6, description="time between two samples of the premium, seconds"
    )
    interval_s: PositiveS = Field(3_600.0, description="time between two payments, seconds")
    first_s: SpanS = Field(0.0, description="time of the first payment, seconds; 0 = `interval_s`")
    impact_usd: PositiveMarketUsd = Field(
        20_000.0,
        description="notional of the orders whose average prices on the book make the premium, USD",
    )
    formula: Literal["damped", "added"] = Field(
        "damped",
        description="8-hour rate: premium + clamp(interest − premium, ±`damping_bp`), or premium + "
        "interest",
    )
    interest_bp: SignedBasisPoints = Field(
        1.0, ge=-1_000, le=1_000, description="interest of 8 hours, bp"
    )
    damping_bp: BasisPoints = Field(5.0, le=1_000, description="with `damped`: the damping, bp")
    average: Literal["mean", "time-weighted"] = Field(
        "mean",
        description="average of the premiums between two payments; `time-weighted`: the k-th "
        "counts k times",
    )
    paid_share: PositivePpm = Field(0.125, description="share of the 8-hour rate paid each time")
    cap_bp: BasisPoints = Field(
        400.0, le=10_000, description="largest payment, bp of notional; 0 = all of it"
    )
    cap_margins: Ppm = Field(
        0.0,
        ge=0,
        le=1_000,
        description="largest 8-hour rate, as a multiple of initial less maintenance margin; 0 = no "
        "such bound",
    )
    premium_bp: SignedBasisPoints = Field(
        0.0,
        ge=-10_000,
        le=10_000,
        description="mean premium of the part of the first interval that lies before the start, bp",
    )

    def core(self) -> dict[str, Any]:
        """As the core reads it, but for the impact notional, which the market counts."""
        data = super().core()
        damped = {"kind": "damped", "damping_ppm": data.pop("damping_ppm")}
        data["formula"] = damped if self.formula == "damped" else {"kind": "added"}
        data["paid_ppm"] = data.pop("paid_share_ppm")
        data["first_ns"] = data["first_ns"] or data["interval_ns"]
        for name in ("cap_ppm", "cap_margins_ppm"):
            data[name] = data[name] or None
        return data
