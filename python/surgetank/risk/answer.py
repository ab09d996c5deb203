"""The result of `risk`: the distribution of bad debt, who causes it, and what would change it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from surgetank.catalogue import RISK_LIMITS
from surgetank.errors import SurgetankError
from surgetank.measure.measured import plain
from surgetank.number_format import NBSP, share, usd
from surgetank.output_folder import write_json
from surgetank.risk.contributions import Contribution
from surgetank.risk.estimates import RiskEstimate
from surgetank.risk.losses import Losses
from surgetank.risk.paired import QUANTITIES, DebtDifference, DebtEffect
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
    recording: str = ""
    """The recording that every run replays, and which part of it; empty without one."""

    @property
    def divisions(self) -> tuple[str, ...]:
        """The divisions of `contributions`, in their order."""
        return tuple(dict.fromkeys(one.division for one in self.contributions))

    @property
    def verdict(self) -> Verdict:
        """INVALID if a run is, else FAIL, UNKNOWN or PASS by the limits; NO LIMIT without any."""
        if self.invalid:
            return Verdict(Status.INVALID, tuple(_of_run(one) for one in self.invalid))
        found = {reason.status for reason in self.reasons}
        order = (Status.FAIL, Status.UNKNOWN, Status.PASS)
        status = next((one for one in order if one in found), Status.NO_LIMIT)
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
            most = share(hits.high)
            return f"No bad debt in {n:,} runs: its probability per run is at most {most}."
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
        tried = sum(not one.left_out for one in self.effects)
        if tried:
            return f" None of {tried} changes tried reduces its mean significantly."
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
            "recording": self.recording,
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

    @classmethod
    def read(cls, path: Path) -> Risk:
        """Reads `risk.json`, or the folder that holds it; all but the groups' losses in each run
        (`losses.divisions`), which it does not have.

        Raises:
            SurgetankError: there is no risk answer of this version there.
        """
        file = path / "risk.json" if path.is_dir() else path
        try:
            return _read(json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            hint = "Give the folder of a risk answer"
            raise SurgetankError(reason, place=str(file), hint=hint) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            hint = "Give a risk.json that `surgetank risk` of this version wrote"
            raise SurgetankError("this is no risk answer", place=str(file), hint=hint) from None


def ranked(effects: Sequence[DebtEffect]) -> tuple[DebtEffect, ...]:
    """The largest reduction of the mean first, significant ones before others; those without a
    result last."""

    def rank(effect: DebtEffect) -> tuple[bool, bool, float]:
        mean = effect.differences.get("mean")
        return (mean is None, mean is not None and not mean.reduces, mean.value if mean else 0.0)

    return tuple(sorted(effects, key=rank))


def _read(content: Mapping[str, Any]) -> Risk:
    losses = {name: np.array(of, dtype=np.float64) for name, of in content["runs_usd"].items()}
    total = losses.pop("total")
    exhausted = np.array(content["insurance_exhausted"], dtype=np.bool_)
    invalid = tuple(InvalidRun(**one) for one in content["invalid"])
    reasons = content["verdict"]["reasons"]
    return Risk(
        **{key: content[key] for key in ("scenario", "scenario_hash", "build", "messages")},
        recording=content["recording"],
        seeds=tuple(content["seeds"]),
        losses=Losses(total, losses, exhausted, {}),
        estimates=tuple(_estimate_of(name, one) for name, one in content["estimates"].items()),
        contributions=tuple(_contribution_of(one) for one in content["contributions"]),
        effects=tuple(_effect_of(one) for one in content["effects"]),
        reasons=() if invalid else tuple(_reason_of(one) for one in reasons),
        invalid=invalid,
    )


def _estimate_of(name: str, content: Mapping[str, Any]) -> RiskEstimate:
    own = {one.name for one in fields(RiskEstimate)} - {"name"}
    return RiskEstimate(name, **{key: content[key] for key in own})


def _contribution_of(content: Mapping[str, Any]) -> Contribution:
    ends = {
        key: None if content[key] is None else tuple(content[key])
        for key in ("mean_ends", "shortfall_ends")
    }
    return Contribution(**{**content, **ends})


def _effect_of(content: Mapping[str, Any]) -> DebtEffect:
    found = {
        name: DebtDifference(*(content[name][key] for key in ("value", "low", "high")))
        for name in QUANTITIES
        if name in content
    }
    text, values, why, left_out = (content[key] for key in ("text", "values", "why", "left_out"))
    return DebtEffect(text, values, found, why, left_out)


def _reason_of(content: Mapping[str, Any]) -> Reason:
    name, status = content["name"], Status(content["status"])
    measured, limit = content["measured"], content["limit"]
    return Reason(name, measured, limit, status, content["text"], RISK_LIMITS[name])


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
    return {
        "text": one.text,
        "values": dict(one.values),
        "why": one.why,
        "left_out": one.left_out,
        **differences,
    }
