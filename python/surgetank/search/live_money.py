"""Replicates with money: a venue of `surgetank serve` is started for every run, and the scenario's
actors trade on it (`surgetank.live.venue.money`).

No run can leave anything behind at the next one's venue. A run whose actors could not keep their
schedule is repeated once; if it fails again, the level is beyond the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from surgetank.live import LiveOptions
from surgetank.live.venue import plays_money
from surgetank.live.venue.money import play
from surgetank.live.venue.playable import check
from surgetank.native import build
from surgetank.scenario import Scenario
from surgetank.search.find import Effort, Question
from surgetank.search.pool import RunJournal
from surgetank.search.probe import RunOutcome, Task, outcome_of
from surgetank.trace import Trace

__all__ = ["MONEY_THRIFT", "MoneyRuns", "expected_money_s", "needs_money"]

#: The effort of a search with such runs: each has many liquidations, which are its trials.
MONEY_THRIFT: Final = Effort(
    unloaded_seeds=4,
    edge_seeds=2,
    refine_min=4,
    refine_min_counts=4,
    narrow_looks=1,
    lookahead=1,
)

#: Time of a run beside its schedule, s: venue and actors start, and the market's table is made.
_OVERHEAD_S: Final = 7.0
_ATTEMPTS: Final = 2


def needs_money(question: Question, url: str) -> bool:
    """Whether the runs of a search trade with money: at a venue, for safe leverage, and for a limit
    of a scenario with a market. Capacity and failure threshold are found by messages."""
    aim = question.goal.find
    return aim in ("safe-leverage", "limit") and plays_money(url, question.scenario)


class MoneyRuns:
    """Makes runs with money; `Pool(work=…)` calls it."""

    def __init__(
        self,
        url: str,
        options: LiveOptions | None = None,
        *,
        play: Callable[..., Trace] = play,
    ) -> None:
        self.url = url
        self._options = options or LiveOptions()
        self._play = play

    @property
    def effort(self) -> Effort:
        """Numbers of runs of a search."""
        return MONEY_THRIFT

    @property
    def build(self) -> str:
        """Identifier of the system under test."""
        return f"live: surgetank venue {build()}"

    def begin(self, reference: Scenario, journal: RunJournal) -> None:
        """Checks the scenario, and that the runs kept in the journal are of a venue.

        Raises:
            SurgetankError: the scenario cannot be played, or they are of another target.
        """
        check(reference)
        journal.of_target(self.url)
        if not journal.target:
            journal.note_target(self.url)

    def __call__(self, task: Task) -> RunOutcome:
        """Makes a run.

        Raises:
            SurgetankError: the scenario cannot be played, or the venue is lost.
        """
        for _ in range(_ATTEMPTS):
            trace = self._play(task.scenario, url=self.url, seed=task.seed, options=self._options)
            outcome = outcome_of(task, trace)
            if not outcome.beyond_generator:
                break
        return replace(outcome, key=task.key)

    def drift(self) -> str:
        """Empty: every run has a venue of its own."""
        return ""


def expected_money_s(duration_s: float) -> float:
    """Roughly how long such a search takes, seconds; the climb is taken to be five levels."""
    runs = 10 + 2 * MONEY_THRIFT.refine_min_counts
    return runs * (duration_s + _OVERHEAD_S)
