"""The controller that learns: a contextual bandit over small moves of the settings.

Every interval it makes one move (batch size, window or admission limit a step up or down, or none)
and is paid for it when it sees what followed. The policy is LinUCB with one linear model per move
(Li, Chu, Langford, Schapire 2010), as the library river has it. What it may set at all is decided
by the bounds, not here.
"""

from __future__ import annotations

import math
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.plugins import Controller, Observation, Setting, Wishes

__all__ = ["Learned"]

_STEP: Final = 1.25
_MOVES: Final = (
    ("hold", 1.0),
    ("batch_messages_max", _STEP),
    ("batch_messages_max", 1 / _STEP),
    ("window_ns", _STEP),
    ("window_ns", 1 / _STEP),
    ("admission_limit", _STEP),
    ("admission_limit", 1 / _STEP),
)
#: A refused order costs as much as waiting e² − 1 times the unit of 10 ms.
_REFUSED: Final = 2.0
_UNIT_NS: Final = 1e7


class Learned(Controller):
    """LinUCB on moves; needs the extra `learn`.

    Rewards are negative and every model starts at zero: a move not tried yet looks good. Reward of
    a move: −ln(1 + p99 sojourn / 10 ms) − 2 · refused share, over the interval after it.
    """

    def __init__(self, seed: int) -> None:
        """
        Raises:
            SurgetankError: if river is not installed.
        """
        try:
            from river.bandit import LinUCBDisjoint
        except ImportError:
            raise SurgetankError(
                "this controller needs river",
                place='layer.tuning.controller = "learned"',
                mend="pip install '.[learn]' in the source of surgetank",
            ) from None
        self._policy: Any = LinUCBDisjoint(alpha=1.0, beta=4.0, seed=seed)
        self._made: tuple[int, dict[str, float]] | None = None

    def control(self, observation: Observation) -> Wishes:
        """Pays for the move before, and makes the next one."""
        context = _context(observation)
        if self._made is not None:
            move, before = self._made
            self._policy.update(move, before, _reward(observation))
        move = int(self._policy.pull(_possible(observation), context=context))
        self._made = (move, context)
        name, factor = _MOVES[move]
        if name == "hold":
            return {"on": move}
        value = round(getattr(observation.now_set, name) * factor)
        return {name: value, "on": move}  # type: ignore[misc]


def _possible(seen: Observation) -> list[int]:
    """Moves that would change something."""

    def moves(name: str, factor: float) -> bool:
        now = getattr(seen.now_set, name)
        least, most = getattr(seen.least, name), getattr(seen.most, name)
        return bool(max(least, min(most, round(now * factor))) != now)

    return [0, *(i for i, (name, by) in enumerate(_MOVES) if i and moves(name, by))]


def _reward(seen: Observation) -> float:
    asked = seen.served + seen.refused
    waited_ns = seen.sojourn_p99_ns if seen.served else seen.backlog_ns
    refused = seen.refused / asked if asked else 0.0
    return -math.log1p(waited_ns / _UNIT_NS) - _REFUSED * refused


def _context(seen: Observation) -> dict[str, float]:
    """Numbers of about 1: the load, the wait, and where between their bounds settings are."""
    asked = seen.served + seen.refused
    return {
        "one": 1.0,
        "waited": math.log1p(seen.sojourn_p99_ns / _UNIT_NS) / 5.0,
        "backlog": math.log1p(seen.backlog_ns / _UNIT_NS) / 5.0,
        "refused": seen.refused / asked if asked else 0.0,
        "asked": math.log1p(asked) / 8.0,
        "batch": _place(seen, "batch_messages_max"),
        "limit": _place(seen, "admission_limit"),
    }


def _place(seen: Observation, name: str) -> float:
    """Where a setting is between its bounds, 0 to 1, on a logarithmic scale."""

    def height(setting: Setting) -> float:
        return math.log1p(getattr(setting, name))

    span = height(seen.most) - height(seen.least)
    return (height(seen.now_set) - height(seen.least)) / span if span > 0 else 0.0
