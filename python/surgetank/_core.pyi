"""The compiled core: a scenario in, tables out. Private; use `surgetank.simulate`."""

from collections.abc import Callable
from typing import Any, TypedDict

__all__ = ["build", "run"]

class _Output(TypedDict):
    tables: dict[str, Any]
    stats: str
    complete: bool

def build() -> str: ...
def run(
    scenario_json: str,
    seed: int,
    tape: dict[str, Any] | None = None,
    progress: Callable[[float, int, int], bool] | None = None,
) -> _Output: ...
