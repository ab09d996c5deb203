"""What every section of a scenario shares: frozen, and strict about unknown keys."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from surgetank.plugins import is_plugin

__all__ = [
    "Count",
    "Integer",
    "NonNegative",
    "Number",
    "Positive",
    "Section",
    "Share",
    "Whole",
    "known_or_plugin",
]

#: Quantities beyond this are slips; as milliseconds they still fit the clock's 64 bits.
MOST: Final = 1e12
#: The core counts in 32 bits.
COUNT_MAX: Final = 2**32 - 1


def _number(value: Any) -> Any:
    """Refuses what pydantic would read as a number and a TOML file does not call one."""
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
    """As `_number`, without its bound."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


#: An integer in bounds of its own.
Integer = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_number)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_count)]
Count = Annotated[int, Field(ge=0, le=2**31), BeforeValidator(_count)]


class Section(BaseModel):
    """A table of the scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def known_or_plugin(what: str, names: Sequence[str]) -> Callable[[str], str]:
    """A validator: one of these names, or a class of the user's, `module:Class`."""

    def known(name: str) -> str:
        if name in names or is_plugin(name):
            return name
        close = difflib.get_close_matches(name, names, n=1)
        mend = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(names)}"
        raise ValueError(f"no such {what}: {mend} (or a class of yours, `module:Class`)")

    return known
