"""The result of `risk`: the distribution of bad debt, who causes it, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from surgetank.measure.measured import plain
from surgetank.number_format import NBSP, share, usd
from surgetank.output_folder import write_json
from surgetank.risk.contributions import Contribution
from surgetank.risk.estimates import RiskEstimate
from surgetank.risk.losses import Losses
from surgetank.risk.paired import DebtEffect
from surgetank.shown import Shown
from surgetank.verdict import Reason, Status, Verdict

__all__ = ["InvalidRun", "Risk", "ranked"]


@dataclass(frozen=True)
class InvalidRun:
    """A run that failed its own checks."""

    seed: int
    why: str


@dataclass(frozen=True, repr=False)
class Risk(Shown):
    """The distribution of bad debt over seeds, with intervals."""

    scenario: str
    scenario_hash: str
    build: str
    seeds: tuple[int, ...]
    messages: int
    """Client messages simulated in all."""
    losses: Losses
    """Of every run, in the order of `seeds`."""
    estimates: tuple[RiskEstimate, ...]
    """Quantities of the catalogue's `RISK_NAMES`; none if the answer is INVALID."""
    contributions: tuple[Contribution, ...]
    """Of groups of accounts, by `DIVISIONS`; none if the answer is INVALID."""
    effects: tuple[DebtEffect, ...]
    """Changes tried, the largest reduction of mean bad debt first."""
    reasons: tuple[Reason, ...]
    """The limits asked for, judged."""
    invalid: tuple[InvalidRun, ...]
    """Runs that are INVALID; one is enough to make the answer INVALID."""

    @property
    def verdict(self) -> Verdict:
        """INVALID if a run is, else FAIL, UNKNOWN or PASS by the limits; PASS without limits."""
        if self.invalid:
            return Verdict(Status.INVALID, tuple(_of_run(one) for one in self.invalid))
        found = {reason.status for reason in self.reasons}
        order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
        status = next((one for one in order if one in found), Status.PASS)
        return Verdict(status, self.reasons)

    def __getitem__(self, name: str) -> RiskEstimate:
        """A quantity by its full name: `bad_debt_es95_usd.insurance`."""
        return next(one for one in self.estimates if one.name == name)

    @property
    def remedies(self) -> tuple[DebtEffect, ...]:
        """The changes with at least one significant reduction."""
        return tuple(
            one for one in self.effects if any(d.reduces for d in one.differences.values())
        )

    @property
    def sentence(self) -> str:
        """The answer in one or two sentences."""
        n = len(self.seeds)
        if self.invalid:
            first = self.invalid[0]
            return (
                f"INVALID: {len(self.invalid)} of {n} runs failed their own checks, so there is no "
                f"result (seed {first.seed}: {first.why})."
            )
        hits = self["bad_debt_probability"]
        assert hits.value is not None and hits.high is not None
        if not hits.value:
            text = (
                f"No bad debt in {n:,} runs: its probability per run is at most {share(hits.high)}."
            )
            return text
        mean, tail = self["bad_debt_mean_usd"], self["bad_debt_es95_usd"]
        often = f"Bad debt in {share(hits.value)} of {n:,} runs"
        parts = [often]
        if mean.value is not None:
            parts.append(f"on average {_with_ends(mean)} a run")
        if tail.value is not None:
            parts.append(f"{_with_ends(tail)} in the worst 5{NBSP}%")
        return f"{', '.join(parts)}.{self._advice}"

    @property
    def _advice(self) -> str:
        """The change with the largest significant reduction of the mean, as a sentence."""
        sure = [e for e in self.effects if e.differences and e.differences["mean"].reduces]
        if sure:
            best = sure[0].differences["mean"]
            assert best.low is not None and best.high is not None
            ends = f"{usd(-best.high)} to {usd(-best.low)}"
            return f" Most is saved by: {sure[0].text} ({usd(-best.value)} a run, {ends})."
        if self.effects:
            return f" None of {len(self.effects)} changes tried reduces its mean significantly."
        return ""

    def in_short(self) -> str:
        """Status, scenario, and the sentence."""
        return f"{self.verdict.status} {self.scenario}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number becomes the text "inf"."""
        content = {
            "scenario": self.scenario,
            "scenario_hash": self.scenario_hash,
            "build": self.build,
            "seeds": list(self.seeds),
            "runs": len(self.seeds),
            "messages": self.messages,
            "verdict": self.verdict.to_dict(),
            "sentence": self.sentence,
            "estimates": {one.name: _estimate(one) for one in self.estimates},
            "runs_usd": {
                "total": self.losses.total.tolist(),
                **{name: of.tolist() for name, of in self.losses.bearers.items()},
            },
            "insurance_exhausted": self.losses.exhausted.tolist(),
            "contributions": [asdict(one) for one in self.contributions],
            "effects": [_effect(one) for one in self.effects],
            "invalid": [asdict(one) for one in self.invalid],
        }
        found: dict[str, Any] = plain(content)
        return found

    def write(self, path: Path) -> None:
        """Writes the answer as `risk.json`."""
        write_json(path, self.to_dict())


def ranked(effects: Sequence[DebtEffect]) -> tuple[DebtEffect, ...]:
    """The largest reduction of the mean first, significant ones before others; those without a
    result last."""

    def rank(effect: DebtEffect) -> tuple[bool, bool, float]:
        mean = effect.differences.get("mean")
        return (mean is None, mean is not None and not mean.reduces, mean.value if mean else 0.0)

    return tuple(sorted(effects, key=rank))


def _of_run(one: InvalidRun) -> Reason:
    return Reason(f"seed {one.seed}", None, None, Status.INVALID, one.why)


def _with_ends(one: RiskEstimate) -> str:
    assert one.value is not None
    if one.low is None or one.high is None:
        return usd(one.value)
    return f"{usd(one.value)} ({usd(one.low)} to {usd(one.high)})"


def _estimate(one: RiskEstimate) -> Mapping[str, Any]:
    status = "KNOWN" if one.known else "UNKNOWN"
    content = asdict(one) | {"unit": one.spec.unit, "status": status, "what": one.what}
    return {key: value for key, value in content.items() if key != "name"}


def _effect(one: DebtEffect) -> Mapping[str, Any]:
    differences = {
        name: asdict(of) | {"reduces": of.reduces, "raises": of.raises}
        for name, of in one.differences.items()
    }
    return {"text": one.text, "values": dict(one.values), "why": one.why, **differences}
