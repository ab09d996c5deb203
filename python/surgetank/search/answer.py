"""The result of a search, for output, comparison and figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.measure import FailureKind
from surgetank.measure.measured import plain
from surgetank.output_folder import write_json
from surgetank.search.bound import Bound, bound_of
from surgetank.search.shape import Level, Shape
from surgetank.shown import Shown

__all__ = ["EXIT_CODES", "Answer", "Failed", "PartThreshold", "Remedy", "Used"]

EXIT_CODES: Final[Mapping[str, int]] = {"FOUND": 0, "INVALID": 3, "UNKNOWN": 4}
"""Exit code of `surgetank search` by status; 1 is a regression against the baseline, 2 wrong
usage."""


@dataclass(frozen=True)
class Used:
    """The mean use of a resource in runs just past the threshold, and at the unloaded or lowest
    level."""

    resource: str
    where: str
    value: float
    before: float | None
    """None where no run of that level measured it."""


@dataclass(frozen=True)
class Failed:
    """A kind of failure in the failing runs nearest to the threshold."""

    kind: FailureKind
    first: int
    """Runs in which this kind of failure came first."""
    seen: int
    """Number of runs in which it occurred."""
    runs: int
    """Number of runs examined."""


@dataclass(frozen=True)
class PartThreshold:
    """Safe leverage of a part of a position book: of a tier of sizes, or of a market."""

    division: str
    """`tier` or `market`."""
    member: str
    """The tier or market, in words."""
    accounts: int
    """Number of its accounts."""
    runs: int
    """Runs that it was computed from."""
    estimate: float | None
    """None without both ends of the interval."""
    ci_low: float | None
    """Lower end of the 95 % interval; None: not above the lowest level of the search."""
    ci_high: float | None
    """Upper end; None: not below the highest level of the search."""


@dataclass(frozen=True)
class Remedy:
    """A change, or two together, tried past the threshold."""

    resources: tuple[str, ...]
    """The resources that it relieves; `queue-order` if it only changes the order of service,
    `block-pace` if it changes how often blocks are made."""
    text: str
    values: Mapping[str, Any]
    size: float
    broke: int
    runs: int
    gain: float | None = None
    """Relative shift of the threshold, for changes that restore the limit. None with a
    lower end: the changed scenario did not fail within the range searched."""
    gain_low: float | None = None
    gain_high: float | None = None

    @property
    def restores(self) -> bool:
        """Whether most runs passed with it."""
        return 2 * self.broke < self.runs

    @property
    def helps(self) -> bool:
        """Whether it restores and the 95 % interval of its gain excludes zero."""
        return self.restores and self.gain_low is not None and self.gain_low > 0


@dataclass(frozen=True, repr=False)
class Answer(Shown):
    """The threshold with its interval, the bottleneck, and the remedies tried."""

    find: str
    status: str
    """FOUND, UNKNOWN (no sufficiently narrow interval: see `bound`) or INVALID."""
    estimate: float | None
    unit: str
    ci_low: float | None
    ci_high: float | None
    confidence: float
    runs: int
    most_used: str
    """The resource used most in runs past the threshold; empty if none was used to half its
    capacity."""
    key: str
    breaks: str
    """The failure criterion, as text."""
    target: float
    precision: float
    bound: Bound | None
    """The known bound if the status is UNKNOWN or INVALID."""
    scenario: str
    scenario_hash: str
    build: str
    seed: int
    messages: int
    """Client messages simulated in all."""
    width: float | None
    """Distance over which the odds of failure change by e, as a share of the estimate."""
    dispersion: float
    falling: bool
    unloaded: Mapping[str, float] | None
    """level, p99_ms, low_ms, high_ms."""
    levels: tuple[Level, ...]
    shape: Shape | None
    used: tuple[Used, ...] = ()
    remedies: tuple[Remedy, ...] = field(default=())
    failures: tuple[Failed, ...] = ()
    """Kinds of failure at a failure threshold, by how often each came first."""
    degradation: float | None = None
    """Allowed p99 over its unloaded value, if the threshold is a capacity."""
    per: str = ""
    """Unit of the budget of bad debt, `liquidation`, `run` or `account`, if the threshold is safe
    leverage."""
    parts: tuple[PartThreshold, ...] = ()
    """Safe leverage of a position book by tier and by market."""
    recording: str = ""
    """The recording that every run replays, and which part of it; empty without one."""

    @property
    def exit_code(self) -> int:
        """0 FOUND, 3 INVALID, 4 UNKNOWN."""
        return EXIT_CODES[self.status]

    @property
    def why(self) -> str:
        """Why there is no result, as text; empty if there is one."""
        return self.bound.why if self.bound else ""

    @property
    def remedy(self) -> Remedy | None:
        """The smallest change that helps, of those tried."""
        return min((r for r in self.remedies if r.helps), key=lambda r: r.size, default=None)

    @property
    def bottleneck(self) -> tuple[str, ...]:
        """Resources whose relief moves the threshold: one each, or two that only help together;
        empty if none is known. The most used resource need not be among them."""
        known = {used.resource for used in self.used}
        found = sorted((r for r in self.remedies if r.helps), key=lambda r: r.size)
        return tuple(dict.fromkeys(x for r in found for x in r.resources if x in known))

    @property
    def pairs_tried(self) -> int:
        """Pairs of changes tried, after no single one helped."""
        return sum(len(r.resources) > 1 for r in self.remedies)

    def in_short(self) -> str:
        """Status, what was found, and its interval."""
        found = f"{self.status} {self.find} of {self.scenario}"
        if self.estimate is None or self.ci_low is None or self.ci_high is None:
            return found
        return f"{found}: {self.estimate:.4g} ({self.ci_low:.4g} to {self.ci_high:.4g}) {self.unit}"

    def log_error(self) -> float | None:
        """Standard error of ln(estimate), from the interval; None without one."""
        if self.estimate is None or not self.ci_low or not self.ci_high or self.ci_low <= 0:
            return None
        return math.log(self.ci_high / self.ci_low) / (2 * 1.959964)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN is null, infinity the text "inf"."""
        content = asdict(self)
        remedy = self.remedy
        content["remedy"] = remedy and remedy.text
        content["bottleneck"] = self.bottleneck
        content["why"] = self.why
        for plain_remedy, r in zip(content["remedies"], self.remedies, strict=True):
            plain_remedy["helps"] = r.helps
        return dict(plain(content))

    def write(self, path: Path) -> None:
        """Writes `search.json` into a folder."""
        write_json(path, self.to_dict())

    @classmethod
    def read(cls, path: Path) -> Answer:
        """Reads `search.json`, or the folder that holds it.

        Raises:
            SurgetankError: if there is no answer there.
        """
        file = path / "search.json" if path.is_dir() else path
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            del content["remedy"], content["bottleneck"], content["why"]
            content["bound"] = bound_of(content["bound"])
            content["levels"] = tuple(Level(**_numbers(x)) for x in content["levels"])
            content["shape"] = content["shape"] and Shape(**_numbers(content["shape"]))
            content["used"] = tuple(Used(**x) for x in content["used"])
            content["remedies"] = tuple(_remedy(x) for x in content["remedies"])
            content["failures"] = tuple(
                Failed(**(x | {"kind": FailureKind(x["kind"])})) for x in content["failures"]
            )
            content["parts"] = tuple(PartThreshold(**x) for x in content["parts"])
            return cls(**content)
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise SurgetankError(reason, place=str(file), hint="Give a search's folder") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SurgetankError(
                "this is not the answer of a search",
                place=str(file),
                hint="Give a search.json that `surgetank search --out` of this version wrote",
            ) from None


def _remedy(content: dict[str, Any]) -> Remedy:
    del content["helps"]
    return Remedy(**(content | {"resources": tuple(content["resources"])}))


def _numbers(content: Mapping[str, Any]) -> dict[str, Any]:
    """null back to NaN, "inf" back to infinity."""
    back = {None: math.nan, "inf": math.inf, "-inf": -math.inf}
    return {
        key: back.get(value, value)
        if value is None or (isinstance(value, str) and value in back)
        else value
        for key, value in content.items()
    }
