"""`[limits]`: limits on measures, and the bounds that define "out of step".

The limits derive from the catalogue: every measure with a better direction can be bounded from the
other side. Limits of a class stand under `class`, those of a resource in a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ConfigDict, Field, create_model

from surgetank.catalogue import CATALOGUE, LIMITS, Limit, LimitSide, MeasureSpec
from surgetank.catalogue.families import CLASS, RESOURCE
from surgetank.scenario.section import NonNegative, Number, Section, Share

__all__ = ["SETTABLE", "TOLERANCES", "ClassLimits", "Limits", "key_of"]

SETTABLE: Final = {
    name: limit
    for name, limit in LIMITS.items()
    if limit.side is limit.spec.side
    and (not limit.member or limit.spec.family in (CLASS, RESOURCE))
}
"""Limits that a scenario can set, by name."""


def key_of(limit: Limit) -> str:
    """The key below `limits` at which a scenario sets a limit: `class.cancel.delay_p99_ms_max`."""
    bounded = limit.spec.bounded(limit.side)
    return (
        f"class.{limit.member}.{bounded}"
        if limit.spec.family is CLASS and limit.member
        else limit.name
    )


def _allowed(spec: MeasureSpec) -> Any:
    """The type of numbers that a limit on this measure may have."""
    if spec.signed:
        return Number
    return Share if spec.unit == "share" else NonNegative


def _field(spec: MeasureSpec, side: LimitSide) -> Any:
    unit = "" if spec.unit in ("1", "count") else f", {spec.unit}"
    text = f"{spec.title}{unit}, {side.phrase}: {spec.sentence()}"
    return (_allowed(spec) | None, Field(None, description=text))


def _fields(specs: Iterable[MeasureSpec]) -> Any:
    """Arguments of `create_model`: a field per bounded measure."""
    return {
        spec.bounded(side): _field(spec, side) for spec in specs if (side := spec.side) is not None
    }


_WHOLE: Final = [spec for spec in CATALOGUE.values() if spec.alone]
_BY_CLASS: Final = [
    replace(spec, alone=False) for spec in CATALOGUE.values() if spec.family is CLASS
]


class _Tolerances(Section):
    """The bounds that define out of step, and the treatment of limits without a measure."""

    unmeasured: Literal["left-out", "unknown"] = Field(
        "left-out",
        description="a limit whose measure a live target has no facts for (such as bad debt) is "
        "named and left out of the verdict, or makes it UNKNOWN",
    )
    lag_max_ms: NonNegative = Field(
        1_000.0,
        description="a node is out of step when it lags behind the first one by more than this, ms",
    )
    stale_after_ms: NonNegative = Field(
        3_000.0,
        description="an executed state is stale when it has lacked news for longer than this, ms",
    )


if TYPE_CHECKING:
    _Whole = _Tolerances
    _OfClass = Section
else:
    _Whole = create_model("_Whole", __base__=_Tolerances, **_fields(_WHOLE))
    _OfClass = create_model("_OfClass", __base__=Section, **_fields(_BY_CLASS))


TOLERANCES: Final = frozenset(_Tolerances.model_fields)
"""The keys of `limits` that bound no measure."""


class ClassLimits(_OfClass):
    """Limits on the measures of one class."""


#: Names of classes, and of resources, as keys.
_Class: Any = Literal.__getitem__(tuple(CLASS.members))
_Resource: Any = Literal.__getitem__(tuple(RESOURCE.members))


class Limits(_Whole):
    """A measure's name with `_max` or `_min`; a limit that is not given is not judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    saturation_max: dict[_Resource, Share] = Field(
        default_factory=dict, description="use of a resource in its busiest window, by resource"
    )
    by_class: dict[_Class, ClassLimits] = Field(
        default_factory=dict, alias="class", description="limits on the measures of one class"
    )

    def as_mapping(self) -> dict[str, float]:
        """Limit name → number, as `judge` takes them; a class or resource stands behind a dot."""
        tables = {"by_class", "saturation_max"}
        given: dict[str, float] = self.model_dump(exclude=tables | TOLERANCES, exclude_none=True)
        given |= {f"saturation_max.{name}": most for name, most in self.saturation_max.items()}
        for name, limits in self.by_class.items():
            own = limits.model_dump(exclude_none=True)
            given |= {f"{key}.{name}": value for key, value in own.items()}
        return given

    def tolerances(self) -> dict[str, float]:
        """The keys that affect measures: `lag_max_ms` and `stale_after_ms`."""
        return {"lag_max_ms": self.lag_max_ms, "stale_after_ms": self.stale_after_ms}
