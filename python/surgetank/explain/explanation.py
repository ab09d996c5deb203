"""The result of `explain`: shares, gains, and a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from surgetank.explain.interventions import FASTER
from surgetank.explain.paired import DELAYS, Effect, Gain, LeftOut, charged
from surgetank.measure.measured import plain
from surgetank.number_format import NBSP, counted
from surgetank.scenario import Scenario
from surgetank.search.probe import RunOutcome
from surgetank.shown import Shown
from surgetank.trace import WAITS

__all__ = ["ADVICE", "Explanation", "explanation_of"]

ADVICE: Final[Mapping[str, str]] = {
    "computation": "Buy machines twice as fast",
    "validation": "Make validation of messages twice as fast",
    "execution": "Make execution twice as fast",
    "consensus": "Make validation of proposals and votes twice as fast",
    "bandwidth": "Buy twice the bandwidth",
    "distance": "Halve the network delay between nodes",
    "client_link": "Halve the delay from clients to their gateways",
    "timers": "Halve the wait between blocks",
    "block_space": "Make blocks twice as large",
    "admission": "Halve the wait before a retry",
    "loss": "Halve the packet loss",
    "rules": "Halve the time that the venue's rule holds messages back",
}
"""Resource → how to make it twice as fast. Faults have no entry: no purchase makes them shorter."""

#: One part of the machine is named alone if it gives at least this share of the whole machine's
#: gain.
_MOST: Final = 0.8
_PARTS: Final = ("validation", "execution", "consensus")
_SHARE_MIN: Final = 0.02
#: If a smaller share of messages is executed, the sentence says that latencies are of those alone.
_ALL: Final = 0.99
#: The least change of the executed share that is reported.
_MORE: Final = 0.01


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """What the messages of a scenario waited for, and the gain from relieving each resource."""

    scenario: str
    scenario_hash: str
    build: str
    seeds: tuple[int, ...]
    by: str
    """The latency that decides: `mean` or `p99`."""
    shares: Mapping[str, float]
    """Resource of the table `waits` → share of latency, mean over seeds."""
    effects: tuple[Effect, ...]
    best: Effect | None
    """The most effective intervention that can be bought; None if no interval of one excludes
    zero."""
    invalid: tuple[str, ...]
    """Why runs of the scenario are INVALID, if they are."""
    executed: float
    """Share of the messages that were executed, mean over seeds; latencies are of these alone."""
    endless: Mapping[str, int]
    """Latency (`mean`, `p99`) → seeds in which it is infinite: too many messages were never
    executed."""
    left_out: tuple[LeftOut, ...]
    """Interventions without a result."""

    @property
    def sentence(self) -> str:
        """The recommended purchase in one sentence, or why there is none."""
        if self.invalid:
            return (
                f"INVALID: a run failed its own checks, so there is no result ({self.invalid[0]})."
            )
        endless = self.endless.get(self.by, 0)
        if self.best is None and endless:
            return (
                f"No result for the {self.by} latency: in {endless} of {len(self.seeds)} "
                "seeds it is infinite, because too many messages were never executed. Try --by "
                "mean."
            )
        if self.best is None:
            whose = counted(len(self.seeds), "seed")
            return (
                f"No significant gain: none of {self._tried} changes reduces the {self.by} "
                f"latency over {whose}.{self._more_executed}"
            )
        gain = self.best.gains[self.by]
        assert gain is not None
        other = "p99" if self.by == "mean" else "mean"
        also = self.best.gains[other]
        aside = "" if also is None else f", the {other} by {_percent(also)}"
        return (
            f"{ADVICE[self.best.resource]}: the {self.by} latency falls by {_percent(gain)}"
            f"{aside}{self._survivors(self.best)}."
        )

    @property
    def _more_executed(self) -> str:
        """The sentence on an intervention with which more messages are executed, which latency does
        not show."""
        sold = [e for e in self.effects if e.factor == FASTER and e.resource in ADVICE]
        most = max(sold, key=lambda e: e.executed_change, default=None)
        if most is None or most.executed_change < _MORE:
            return ""
        return (
            f" More messages would be executed, {self.executed + most.executed_change:.0%} instead "
            f"of {self.executed:.0%}: {_lower(ADVICE[most.resource])}."
        )

    def _survivors(self, best: Effect) -> str:
        """A caveat where many messages are never executed."""
        if self.executed > _ALL:
            return ""
        after = self.executed + best.executed_change
        return (
            f". This counts executed messages only: {self.executed:.0%} of all are executed now, "
            f"{after:.0%} with the change"
        )

    @property
    def untried(self) -> tuple[str, ...]:
        """Resources with 2 % of latency or more that have no intervention in this scenario."""
        known = [one.resource for one in self.effects] + [one.resource for one in self.left_out]
        tried = {name for resource in known for name in charged(resource)}
        kept = [n for n, x in self.shares.items() if x >= _SHARE_MIN and n not in tried]
        return tuple(sorted(kept, key=lambda name: -self.shares[name]))

    @property
    def _tried(self) -> int:
        return sum(effect.factor == FASTER for effect in self.effects)

    def in_short(self) -> str:
        """The scenario and the recommendation."""
        return f"{self.scenario}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a gain that is not known is null."""
        best = None if self.best is None else self.best.resource
        rows = [
            {
                "resource": effect.resource,
                "factor": effect.factor,
                "share": effect.share,
                "goodput_change": effect.goodput_change,
                "executed_change": effect.executed_change,
                **{of: _gain(gain) for of, gain in effect.gains.items()},
            }
            for effect in self.effects
        ]
        content = {
            "scenario": self.scenario,
            "scenario_hash": self.scenario_hash,
            "build": self.build,
            "seeds": list(self.seeds),
            "by": self.by,
            "buy": best,
            "sentence": self.sentence,
            "shares": dict(self.shares),
            "untried": list(self.untried),
            "effects": rows,
            "invalid": list(self.invalid),
            "executed": self.executed,
            "endless": dict(self.endless),
            "left_out": [asdict(one) for one in self.left_out],
        }
        found: dict[str, Any] = plain(content)
        return found


def explanation_of(
    scenario: Scenario,
    build: str,
    seeds: tuple[int, ...],
    by: str,
    before: Sequence[RunOutcome],
    found: Sequence[Effect | LeftOut],
) -> Explanation:
    """The explanation of what interventions did; the largest significant gain is `best`."""
    effects = [one for one in found if isinstance(one, Effect)]
    shares = {n: float(np.mean([o.value(f"wait_share.{n}") for o in before])) for n in WAITS}
    invalid = tuple(dict.fromkeys(reason for outcome in before for reason in outcome.invalid))
    faster = [effect for effect in effects if effect.factor == FASTER]
    best = None if invalid else _best(faster, by)
    ranked = tuple(sorted(effects, key=lambda effect: -effect.share))
    endless = {of: sum(math.isinf(o.value(key)) for o in before) for of, key in DELAYS.items()}
    executed = float(np.mean([o.value("executed_share") for o in before]))
    return Explanation(
        scenario=scenario.name,
        scenario_hash=scenario.hash,
        build=build,
        seeds=seeds,
        by=by,
        shares=shares,
        effects=ranked,
        best=best,
        invalid=invalid,
        executed=executed,
        endless=endless,
        left_out=tuple(one for one in found if isinstance(one, LeftOut)),
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _best(effects: Sequence[Effect], by: str) -> Effect | None:
    """The purchasable intervention with the largest gain whose interval lies above zero. One that
    executes fewer messages does not count, because its latency is of fewer messages."""
    sold = [
        e
        for e in effects
        if e.resource in ADVICE and min(e.goodput_change, e.executed_change) > -0.01
    ]
    sure = [e for e in sold if (g := e.gains[by]) and g.low > 0]
    if not sure:
        return None

    def size(effect: Effect) -> float:
        gain = effect.gains[by]
        return gain.value if gain else -math.inf

    best = max(sure, key=size)
    if best.resource != "computation":
        return best
    parts = [effect for effect in sure if effect.resource in _PARTS]
    part = max(parts, key=size, default=best)
    return part if size(part) >= _MOST * size(best) else best


def _gain(gain: Gain | None) -> dict[str, float] | None:
    return None if gain is None else {"value": gain.value, "low": gain.low, "high": gain.high}


def _percent(gain: Gain) -> str:
    text = f"{gain.value:.0%} ({gain.low:.0%} to {gain.high:.0%})"
    return text.replace("-", "−").replace("%", f"{NBSP}%")
