"""A recording's fit as a whole, and the scenario that it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

from surgetank.fit.arrivals import LEAST, Arrivals, arrivals
from surgetank.fit.flow import FlowFit, Method, fit_flow
from surgetank.fit.price import PriceFit, fit_price
from surgetank.output_folder import write_file
from surgetank.scenario import Scenario
from surgetank.scenario.text import toml
from surgetank.shown import Shown
from surgetank.tape import TapeFile

__all__ = ["Fit", "fit"]

#: A run is as long as the recording, up to this, and up to this many background messages.
_SECONDS_MAX: Final = 600.0
_MESSAGES_MAX: Final = 100_000
_WEIGHTS: Final = ("limit", "post_only", "market", "ioc", "cancel", "replace")


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """What was fitted to a recording."""

    recording: TapeFile
    base: Scenario
    """The scenario whose venue, market and limits are kept."""
    price: PriceFit
    arrivals: Arrivals | None
    """None if the recording has too few messages: then the flow is the base scenario's."""
    flow: FlowFit | None
    name: str

    def in_short(self) -> str:
        """Name of the fitted scenario, and the recording."""
        return f"{self.name}, of {self.recording.file}"

    @property
    def duration_s(self) -> float:
        """Length of the scenario's flow."""
        span = self.flow.events.span if self.flow else _SECONDS_MAX
        rate = self.flow.rate if self.flow else 1.0
        longest = min(span, _SECONDS_MAX, _MESSAGES_MAX / rate)
        return max(1.0, math.floor(longest)) if longest >= 1 else longest

    def scenario(self) -> Scenario:
        """The fitted scenario."""
        file = PurePath(self.recording.file).name
        values: dict[str, Any] = {
            "name": self.name,
            "title": f"Flow and price like those of {file}",
            "event": f"{file}, {self.recording.title}: {_span(self.recording):g} s",
            "source": f"surgetank fit; recording's BLAKE3 {self.recording.part().hash}",
            "description": f"Fitted to a recording; the venue is that of {self.base.name}.",
            "tape_hash": "",
            "tape_options": [],
            "flow.replay_messages": False,
        }
        if self.base.market is not None:
            values |= _market(self.base, self.price)
        if self.flow is not None and self.arrivals is not None:
            values |= _flow(self.flow, self.arrivals)
            values["duration_s"] = self.duration_s
            values["warmup_s"] = min(self.base.warmup_s, self.duration_s / 4)
            end = self.duration_s + self.base.drain_s
            kept = [fault for fault in self.base.faults if fault.at_s < end]
            values["faults"] = [fault.model_dump(mode="json") for fault in kept]
        return self.base.with_values(values)

    def toml(self) -> str:
        """The fitted scenario as a file's text."""
        return toml(self.scenario().model_dump(mode="json", by_alias=True))

    def write(self, path: Path) -> None:
        """Writes the scenario as TOML.

        Raises:
            SurgetankError: it cannot be written.
        """
        write_file(path, self.toml(), hint="Give another --out")

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        price = vars(self.price)
        if self.flow is None:
            return {"name": self.name, "price": price, "flow": None}
        flow, tests = self.flow, self.flow.goodness
        low, high = flow.branching_interval
        likelihood = flow.slow or flow.hawkes
        return {
            "name": self.name,
            "price": price,
            "flow": {
                "messages": len(flow.events.times),
                "span_s": flow.events.span,
                "rate_per_s": flow.rate,
                "method": flow.method.value,
                "branching": {"value": flow.branching, "low": low, "high": high},
                "decay_per_s": None if flow.method is Method.POISSON else flow.decay,
                "factors": flow.factors,
                "likelihood": {
                    "branching": likelihood.branching,
                    "branching_se": likelihood.branching_se,
                    "decay_per_s": likelihood.decay,
                    "decay_se": likelihood.decay_se,
                    "gain": likelihood.gain,
                },
                "residuals": {
                    "p": tests.p,
                    "ks_p": tests.ks_p,
                    "ljung_box_p": tests.ljung_box_p,
                    "dispersion_p": tests.dispersion_p,
                },
                "dispersion": [
                    vars(d) | {"written": float(w)}
                    for d, w in zip(flow.dispersion, flow.written, strict=True)
                ],
                "mix": self.arrivals.mix if self.arrivals else {},
            },
        }


def fit(
    recording: TapeFile,
    base: Scenario,
    *,
    name: str = "fitted",
    progress: Callable[[str], None] = lambda text: None,
) -> Fit:
    """Fits flow and price to a recording; `base` gives the venue.

    Without messages, or with too few of them, only the price is fitted.
    """
    progress("Fitting the price")
    price = fit_price(recording)
    if len(recording.messages_ns) < LEAST:
        return Fit(recording, base, price, None, None, name)
    found = arrivals(recording)
    return Fit(recording, base, price, found, fit_flow(found.events, progress), name)


def _span(recording: TapeFile) -> float:
    return float(recording.rows_ns[-1] - recording.rows_ns[0]) / 1e9


def _flow(flow: FlowFit, found: Arrivals) -> dict[str, Any]:
    rate = float(f"{flow.rate:.6g}")
    arrivals: dict[str, Any] = {"kind": "poisson", "rate_per_s": rate}
    if flow.method is not Method.POISSON:
        arrivals = {
            "kind": "hawkes",
            "rate_per_s": rate,
            "branching": round(flow.branching, 6),
            "decay_per_s": float(f"{flow.decay:.6g}"),
        }
    profile: dict[str, Any] = {"kind": "constant"}
    if flow.events.pieces > 1:
        profile = {
            "kind": "piecewise",
            "from_s": [float(f"{edge:.6g}") for edge in flow.events.edges[:-1]],
            "factors": [float(f"{factor:.6g}") for factor in flow.factors],
        }
    values: dict[str, Any] = {"flow.arrivals": arrivals, "flow.profile": profile}
    values |= {f"flow.mix.{key}": round(found.mix.get(key, 0.0), 6) for key in _WEIGHTS}
    if found.order_usd > 0:
        values["flow.mix.order_usd"] = float(f"{found.order_usd:.6g}")
    if found.distance_bp is not None:
        values["flow.mix.distance_bp"] = float(f"{found.distance_bp:.6g}")
    return values


def _market(base: Scenario, price: PriceFit) -> dict[str, Any]:
    """Price path; tick and lot of the base scenario, moved by powers of ten where its price is
    another, so that their product, the unit of money, stays."""
    market = base.market
    assert market is not None
    values: dict[str, Any] = {
        "market.price.path": {
            "kind": "gbm",
            "start_usd": price.start_usd,
            "volatility": float(f"{price.volatility:.6g}"),
            "jumps_per_day": float(f"{price.jumps_per_day:.6g}"),
            "jump_mean": float(f"{price.jump_mean:.6g}"),
            "jump_sd": float(f"{price.jump_sd:.6g}"),
        }
    }
    path = market.price.path
    before = getattr(path, "start_usd", None) or next(iter(getattr(path, "price_usd", [])), None)
    power = round(math.log10(price.start_usd / before)) if before else 0
    if power:
        values["market.tick_usd"] = float(f"{market.tick_usd * 10.0**power:.12g}")
        values["market.lot"] = float(f"{market.lot / 10.0**power:.12g}")
    return values
