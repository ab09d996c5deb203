"""`[layer.tuning]`: who sets batch size, window, admission limit and lane weights; and how far
adaptive consensus goes."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from surgetank.plugins import is_plugin
from surgetank.scenario.section import Integer, PositiveMs, Section, SpanMs, Whole, known_or_plugin

BuiltIn = Literal["none", "sojourn", "gradient2", "policy"]
CONTROLLERS: tuple[str, ...] = get_args(BuiltIn)

#: The class behind the name `policy`.
POLICY = "surgetank.plugins.policy:Policy"

Weight = Annotated[Integer, Field(ge=1, le=100)]


class Bounds(Section):
    """Hard bounds: whatever a controller wishes, settings stay inside."""

    batch_least: Whole = Field(50, ge=1, description="messages in a batch, at least")
    batch_most: Whole = Field(5_000, ge=1, description="... and at most")
    window_least_ms: SpanMs = Field(
        0.0,
        description="window of a batch, or wait after a decision of consensus, at least, ms",
    )
    window_most_ms: SpanMs = Field(1_000.0, description="... and at most, ms")
    limit_least: Whole = Field(100, ge=1, description="admission limit, at least")
    limit_most: Whole = Field(20_000, ge=1, description="... and at most")
    weight_least: Weight = Field(1, description="weight of a lane, at least")
    weight_most: Weight = Field(16, description="... and at most")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, least, most in (
            ("batch", self.batch_least, self.batch_most),
            ("window", self.window_least_ms, self.window_most_ms),
            ("limit", self.limit_least, self.limit_most),
            ("weight", self.weight_least, self.weight_most),
        ):
            if least > most:
                raise ValueError(f"`{name}_least` must not be above `{name}_most`")
        return self


class Tuning(Section):
    """A controller of the node that makes blocks."""

    controller: Annotated[
        BuiltIn | str, AfterValidator(known_or_plugin("controller", CONTROLLERS))
    ] = Field(
        "none",
        description="who decides; `policy` was found under the rule `class`; "
        "`module:Class` is a controller of your own",
    )
    target_ms: PositiveMs = Field(50.0, description="sojourn to stay below, ms (`sojourn`)")
    interval_ms: PositiveMs = Field(100.0, ge=1, description="between two decisions, ms")
    bounds: Bounds = Field(default_factory=Bounds, description="where settings may go")

    @property
    def plugin(self) -> str:
        """`module:Class` of a controller that is written in Python; else nothing."""
        if self.controller == "policy":
            return POLICY
        return self.controller if is_plugin(self.controller) else ""


class AdaptiveTimeouts(Section):
    """How far adaptive consensus goes."""

    commit_least_ms: SpanMs = Field(50.0, description="wait after a decision, at least, ms")
    commit_most_ms: PositiveMs = Field(2_000.0, description="... and at most, ms")
    propose_least_ms: PositiveMs = Field(200.0, description="timeoutPropose(0), at least, ms")
    propose_most_ms: PositiveMs = Field(10_000.0, description="... and at most, ms")
    throttle_ms: SpanMs = Field(
        500.0, description="work that waits so long throttles by criticality, ms; 0 = never"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, least, most in (
            ("commit", self.commit_least_ms, self.commit_most_ms),
            ("propose", self.propose_least_ms, self.propose_most_ms),
        ):
            if least > most:
                raise ValueError(f"`{name}_least_ms` must not be above `{name}_most_ms`")
        return self
