"""`[layer.tuning]`: the controller of batch size, window, admission limit and lane weights; and the
bounds of adaptive consensus."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from surgetank import plugins
from surgetank.plugins import is_plugin
from surgetank.scenario.section import (
    BoundedMs,
    Integer,
    PositiveMs,
    Section,
    SpanMs,
    Whole,
    known_or_plugin,
)

BuiltIn = Literal["none", "sojourn", "gradient2", "policy"]
CONTROLLERS: tuple[str, ...] = get_args(BuiltIn)

#: The class behind the name `policy`.
POLICY = "surgetank.plugins.policy:Policy"

Weight = Annotated[Integer, Field(ge=1, le=100)]


class Bounds(Section):
    """Hard bounds of the settings, whatever a controller returns."""

    batch_least: Whole = Field(50, ge=1, description="least number of messages in a batch")
    batch_most: Whole = Field(5_000, ge=1, description="largest number of messages in a batch")
    window_least_ms: SpanMs = Field(
        0.0,
        description="least window of a batch, or wait after a decision of consensus, ms",
    )
    window_most_ms: SpanMs = Field(1_000.0, description="longest window or wait, ms")
    limit_least: Whole = Field(100, ge=1, description="least admission limit")
    limit_most: Whole = Field(20_000, ge=1, description="largest admission limit")
    weight_least: Weight = Field(1, description="least weight of a lane")
    weight_most: Weight = Field(16, description="largest weight of a lane")

    def between(self, lane_weights: list[int], *, lanes: bool) -> dict[str, Any]:
        """The bounds as the core reads them. Without lanes the bounds of their weights are
        equal."""
        of = self.core()

        def setting(end: str) -> dict[str, Any]:
            return {
                "batch_messages_max": of[f"batch_{end}"],
                "window_ns": of[f"window_{end}_ns"],
                "admission_limit": of[f"limit_{end}"],
                "lane_weights": [of[f"weight_{end}"]] * 8 if lanes else lane_weights,
            }

        return {end: setting(end) for end in ("least", "most")}

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
    """A controller at each node that makes blocks."""

    controller: Annotated[
        BuiltIn | str,
        AfterValidator(known_or_plugin("controller", CONTROLLERS, plugins.CONTROLLERS)),
    ] = Field(
        "none",
        description="the controller; `policy` was found under the rule `class`; `module:Class` is"
        " a controller of your own",
    )
    target_ms: PositiveMs = Field(50.0, description="target sojourn time of `sojourn`, ms")
    interval_ms: BoundedMs = Field(100.0, ge=1, description="interval of decisions, ms")
    bounds: Bounds = Field(
        default_factory=Bounds, description="bounds of the settings that a controller may change"
    )

    @property
    def plugin(self) -> str:
        """`module:Class` of a controller written in Python; else empty."""
        if self.controller == "policy":
            return POLICY
        return self.controller if is_plugin(self.controller) else ""


class AdaptiveTimeouts(Section):
    """Bounds of adaptive consensus."""

    commit_least_ms: SpanMs = Field(50.0, description="least wait after a decision, ms")
    commit_most_ms: PositiveMs = Field(2_000.0, description="longest wait after a decision, ms")
    propose_least_ms: PositiveMs = Field(200.0, description="least timeoutPropose(0), ms")
    propose_most_ms: PositiveMs = Field(10_000.0, description="longest timeoutPropose(0), ms")
    throttle_ms: SpanMs = Field(
        500.0,
        description="backlog of work from which on messages are throttled by criticality, ms; 0 ="
        " never",
    )

    def core(self) -> dict[str, Any]:
        """As the core reads it."""
        of = super().core()
        spans = {
            name: {end: of[f"{name}_{end}_ns"] for end in ("least", "most")}
            for name in ("commit", "propose")
        }
        return spans | {"throttle_ns": of["throttle_ns"]}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, least, most in (
            ("commit", self.commit_least_ms, self.commit_most_ms),
            ("propose", self.propose_least_ms, self.propose_most_ms),
        ):
            if least > most:
                raise ValueError(f"`{name}_least_ms` must not be above `{name}_most_ms`")
        return self
