"""The arrival process that a scenario gets.

Poisson, Hawkes by maximum likelihood, or, where that is rejected, the Hawkes process with the
recording's index of dispersion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from surgetank.fit.dispersion import (
    Dispersion,
    Matched,
    dispersion,
    hawkes_dispersion,
    match,
    windows,
)
from surgetank.fit.hawkes import (
    Events,
    Floats,
    HawkesFit,
    compensator,
    fit_hawkes,
    without_excitation,
)
from surgetank.fit.residuals import Goodness, goodness
from surgetank.number_format import counted

__all__ = ["FlowFit", "Method", "fit_flow"]

#: Numbers of pieces of the base rate that are tried, and the fewest events of a piece.
_PIECES: Final = (1, 2, 4, 8, 16)
_PER_PIECE: Final = 200
#: Excitation that lasts longer than this share of the recording, the longest window of
#: `dispersion`, is not distinguished from a base rate that changes: a trend is fitted by a
#: branching ratio near 1 (Filimonov and Sornette, *Quantitative Finance* 15, 2015).
_LASTS_MAX: Final = 1 / 40


class Method(StrEnum):
    """Where the written process comes from."""

    POISSON = "poisson"
    """Excitation is not significant, or lasts too long to be distinguished from a changing rate; or
    the messages are more regular than any Hawkes process."""
    LIKELIHOOD = "maximum-likelihood"
    """A Hawkes process that the residuals do not reject."""
    DISPERSION = "dispersion"
    """The likelihood's process is rejected: one with the recording's index of dispersion."""


@dataclass(frozen=True)
class FlowFit:
    """The fit of a recording's arrivals; rates per second."""

    events: Events
    """The times, with the chosen pieces of the base rate."""
    hawkes: HawkesFit
    goodness: Goodness
    method: Method
    matched: Matched | None
    """The process that `Method.DISPERSION` writes; else None."""
    dispersion: list[Dispersion]
    """The recording's index of dispersion, window by window, against the mean of each piece."""
    written: Floats
    """That of the process that is written, by formula."""
    slow: HawkesFit | None = None
    """The process of the greatest likelihood with these pieces, where its excitation lasts too long
    to be distinguished from a changing rate: `hawkes` is without excitation then. Else None."""

    @property
    def regular(self) -> bool:
        """Whether counts vary less than those of a Poisson process in windows of every length."""
        return all(one.high < 1 for one in self.dispersion)

    @property
    def rate(self) -> float:
        """Mean rate of the recording."""
        return len(self.events.times) / self.events.span

    @property
    def branching(self) -> float:
        """Of the written process."""
        if self.method is Method.POISSON:
            return 0.0
        return self.hawkes.branching if self.matched is None else self.matched.branching

    @property
    def branching_interval(self) -> tuple[float, float]:
        """95 %, of the written process."""
        if self.matched is not None:
            return self.matched.branching_low, self.matched.branching_high
        return self.hawkes.branching_low, self.hawkes.branching_high

    @property
    def decay(self) -> float:
        """Of the written process, per second."""
        return self.hawkes.decay if self.matched is None else self.matched.decay

    @property
    def factors(self) -> list[float]:
        """Mean rate of each piece over that of the recording."""
        counts = np.bincount(self.events.piece, minlength=self.events.pieces)
        return [float(f) for f in counts / counts.mean()]


def fit_flow(times: Events, progress: Callable[[str], None] = lambda text: None) -> FlowFit:
    """Fits the arrivals of a recording.

    The number of pieces of the base rate is that of the least BIC (Schwarz, *Annals of Statistics*
    6, 1978). Where excitation would last too long to be distinguished from a changing rate, a
    Poisson process with these pieces is the candidate.
    """
    events, hawkes, slow, before = times, None, None, None
    best = np.inf
    for pieces in _PIECES:
        if pieces > 1 and len(times.times) < pieces * _PER_PIECE:
            break
        progress(f"Fitting a base rate of {counted(pieces, 'piece')}")
        tried = replace(times, pieces=pieces)
        before = fit_hawkes(tried, before)
        lasts = before.lasts_s > _LASTS_MAX * times.span
        found, parameters = before, pieces + 2
        if lasts:
            found, parameters = without_excitation(tried), pieces
        bic = parameters * np.log(len(times.times)) - 2 * found.log_likelihood
        if bic < best:
            events, hawkes, slow, best = tried, found, before if lasts else None, bic
    assert hawkes is not None
    progress("Testing the residuals")
    tested = goodness(compensator(events, hawkes))
    spans = windows(events)
    indices = [dispersion(events, float(w)) for w in spans]
    method, matched = Method.POISSON, None
    if any(one.high >= 1 for one in indices):
        if not tested.accepted:
            method, matched = Method.DISPERSION, match(events)
        elif hawkes.excited:
            method = Method.LIKELIHOOD
    fit = FlowFit(
        events=events,
        hawkes=hawkes,
        goodness=tested,
        method=method,
        matched=matched,
        dispersion=indices,
        written=np.ones(len(spans)),
        slow=slow if slow is not None and slow.excited else None,
    )
    if method is Method.POISSON:
        return fit
    return replace(fit, written=hawkes_dispersion(spans, fit.branching, fit.decay))
