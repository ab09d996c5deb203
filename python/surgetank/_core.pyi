"""The compiled core: a scenario in, tables out. Private; use `surgetank.simulate` and
`surgetank.options`."""

from collections.abc import Callable
from typing import Any, TypedDict

__all__ = ["black76", "build", "portfolio_margin", "run"]

class _Output(TypedDict):
    tables: dict[str, Any]
    stats: str
    complete: bool

def black76(
    forward: list[float],
    strike: list[float],
    vol: list[float],
    years: list[float],
    call: list[bool],
) -> dict[str, list[float]]: ...
def build() -> str: ...
def portfolio_margin(
    rule: str,
    spot: float,
    perpetual: float,
    strike: list[float],
    vol: list[float],
    years: list[float],
    call: list[bool],
    qty: list[float],
) -> tuple[float, float]: ...
def run(
    scenario_json: str,
    seed: int,
    tape: dict[str, Any] | None = None,
    progress: Callable[[float, int, int], bool] | None = None,
    plugins: dict[str, Callable[[], Any]] | None = None,
) -> _Output: ...
