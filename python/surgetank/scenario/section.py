"""The base of all sections of a scenario: frozen models that refuse unknown keys."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from surgetank.plugins import installed, is_plugin

__all__ = [
    "BoundedMs",
    "BoundedS",
    "Count",
    "Integer",
    "NonNegative",
    "Number",
    "Positive",
    "PositiveCount",
    "PositiveMs",
    "PositiveS",
    "PositiveUs",
    "Section",
    "Share",
    "SpanMs",
    "SpanS",
    "SpanUs",
    "Whole",
    "known_or_plugin",
]

#: Upper bound on quantities; larger ones are typing errors. As milliseconds it fits the core's
#: clock.
MOST: Final = 1e12
#: The core's value for a time that is never reached.
NEVER: Final = 2**64 - 1
#: Upper bound on counts, which have 32 bits in the core.
COUNT_MAX: Final = 2**32 - 1


def _number(value: Any) -> Any:
    """Refuses values that pydantic would convert to a number but that are no numbers in TOML."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    if isinstance(value, int | float) and MOST < abs(value) < math.inf:
        raise ValueError(f"must not be beyond {MOST:g}")
    return value


def _count(value: Any) -> Any:
    if isinstance(value, int | float) and value > COUNT_MAX:
        raise ValueError(f"must not be beyond {COUNT_MAX}")
    return _number(value)


def _integer(value: Any) -> Any:
    """Refuses non-integers as `_number` refuses non-numbers, without a bound."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


#: An integer with bounds of its own.
Integer = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_number)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_count)]
Count = Annotated[int, Field(ge=0, le=2**31), BeforeValidator(_count)]
PositiveCount = Annotated[int, Field(ge=1, le=2**31), BeforeValidator(_count)]


def nearest(value: float) -> int:
    """The nearest whole number; halves go away from zero, as in the core."""
    whole = math.floor(abs(value))
    return int(math.copysign(whole + (abs(value) - whole >= 0.5), value))


@dataclass(frozen=True)
class Nanoseconds:
    """A span in whole nanoseconds; its name ends in `_{unit}`."""

    unit: str
    per_s: float

    def of(self, key: str, value: float) -> tuple[str, int]:
        """Key and value as the core reads them, rounded to nearest."""
        return f"{key.removesuffix(self.unit)}ns", nearest(value / self.per_s * 1e9)


@dataclass(frozen=True)
class Scaled:
    """A quantity in whole parts of its unit: `taker_fee_bp` is `taker_fee_ppm` in the core."""

    unit: str
    parts: str
    per_whole: float
    parts_per_whole: float

    def of(self, key: str, value: float) -> tuple[str, int]:
        """Key and value as the core reads them, rounded to nearest."""
        stem = key.removesuffix(self.unit).removesuffix("_")
        return f"{stem}_{self.parts}", nearest(value / self.per_whole * self.parts_per_whole)


_MS, _US, _S = Nanoseconds("ms", 1e3), Nanoseconds("us", 1e6), Nanoseconds("s", 1.0)
_PPM = Scaled("", "ppm", 1.0, 1e6)
_MICROS = Scaled("usd", "micros", 1.0, 1e6)

SpanMs = Annotated[NonNegative, _MS]
SpanUs = Annotated[NonNegative, _US]
SpanS = Annotated[NonNegative, Field(le=1e9), _S]
#: Positive spans: at least a nanosecond.
PositiveMs = Annotated[float, Field(ge=1e-6, allow_inf_nan=False), BeforeValidator(_number), _MS]
PositiveUs = Annotated[float, Field(ge=1e-3, allow_inf_nan=False), BeforeValidator(_number), _US]
PositiveS = Annotated[
    float, Field(ge=1e-9, le=1e9, allow_inf_nan=False), BeforeValidator(_number), _S
]
#: Spans whose keys have bounds of their own: of two lower or upper bounds only one would hold.
BoundedMs = Annotated[Number, _MS]
BoundedS = Annotated[Number, _S]

#: Shares and basis points are counted in millionths; positive ones are at least one millionth.
Ppm = Annotated[Number, _PPM]
PpmShare = Annotated[Share, _PPM]
PositivePpm = Annotated[float, Field(ge=1e-6, le=1), BeforeValidator(_number), _PPM]
BasisPoints = Annotated[NonNegative, Scaled("bp", "ppm", 1e4, 1e6)]
SignedBasisPoints = Annotated[Number, Scaled("bp", "ppm", 1e4, 1e6)]
#: Money of the market, counted in its smallest amount: of one lot at one tick.
QUANTA: Final = "quanta"
MarketUsd = Annotated[NonNegative, QUANTA]
PositiveMarketUsd = Annotated[Positive, QUANTA]
#: Fees are counted in millionths of a USD.
FeeUsd = Annotated[NonNegative, _MICROS]
PositiveFeeUsd = Annotated[Positive, _MICROS]


class Section(BaseModel):
    """A table of the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def core(self) -> dict[str, Any]:
        """The section as the core reads it: each quantity in the unit of its machine.

        A section whose machine has a configuration of another form overrides this method, which is
        the only place of translation.
        """
        return self._arranged(self._keys("core", scale=True))

    def canonical(self) -> dict[str, Any]:
        """The section as it enters the scenario's hash: spans in nanoseconds, other values as in
        the file."""
        return self._arranged(self._keys("canonical", scale=False))

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        """The keys of this section in their order."""
        return data

    def _keys(self, form: str, *, scale: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            key, value = field.alias or name, getattr(self, name)
            for unit in field.metadata:
                counted = isinstance(unit, Nanoseconds) or (scale and isinstance(unit, Scaled))
                if counted and value is not None:
                    key, value = unit.of(key, value)
            found[key] = _plain(value, form)
        return found


def _plain(value: Any, form: str) -> Any:
    if isinstance(value, Section):
        return getattr(value, form)()
    return [_plain(one, form) for one in value] if isinstance(value, list | tuple) else value


def known_or_plugin(what: str, names: Sequence[str], group: str) -> Callable[[str], str]:
    """A validator: one of these names, or a class of the user's, `module:Class`. A name that an
    installed package declares in this group of entry points becomes its class."""

    def known(name: str) -> str:
        if name in names or is_plugin(name):
            return name
        declared = installed(group)
        if name in declared:
            return declared[name]
        all_names = [*names, *declared]
        close = difflib.get_close_matches(name, all_names, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(all_names)}"
        raise ValueError(f"no such {what}: {hint} (or a class of yours, `module:Class`)")

    return known
