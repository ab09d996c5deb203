"""The page of a prediction: the calibrated simulator beside the live target."""

from __future__ import annotations

import math
from typing import Any

from surgetank.number_format import milliseconds, number
from surgetank.predict import CapacityCriterion, Claim, LoadRow, Prediction, Side
from surgetank.predict.allowance import LEVEL
from surgetank.report.prediction.figure import drawing, prediction_svg
from surgetank.report.shell import render_template

__all__ = ["prediction_svg", "render_prediction"]

_SIGNS = {
    "HIT": "PASS",
    "MISS": "FAIL",
    "NO CLAIM": "UNKNOWN",
    "UNKNOWN": "UNKNOWN",
    "INVALID": "INVALID",
}


def render_prediction(found: Prediction) -> str:
    """The page as HTML text."""
    return render_template(
        "prediction.html.j2",
        found=found,
        status=_SIGNS[found.status],
        level=f"{LEVEL:.0%}",
        sentence=_sentence(found),
        claims=[_claim(c, judged=found.status != "INVALID") for c in found.claims],
        rows=[_row(r, found) for r in found.rows],
        estimates=[_estimate(e) for e in found.calibration.estimates],
        lights=[
            (number(x.rate_per_s), f"{x.share:.0%}", milliseconds(x.p50_ms), milliseconds(x.p99_ms))
            for x in found.calibration.lights
        ],
        fit=[(name, f"{value:.4g}") for name, value in found.calibration.fit.items()],
        drawing=drawing(found),
        scenario=found.calibration.toml(),
    )


def _sentence(found: Prediction) -> str:
    capacity = found.claims[0]
    if capacity.predicted is None:
        return "The simulator found no capacity within the range of loads."
    text = f"Predicted to carry {number(capacity.predicted)} messages/s"
    if capacity.status == "NO CLAIM":
        text += ", with too wide an interval to claim it"
    if capacity.measured is None:
        return f"{text}; the capacity could not be measured: {capacity.why}."
    if capacity.at_least:
        return f"{text}; it carried at least {number(capacity.measured)} ({capacity.why})."
    return f"{text}; it carried {number(capacity.measured)} ({_share(capacity.off)})."


def _share(off: float | None) -> str:
    return "—" if off is None else f"{off:+.0%}".replace("-", "−")


def _shown(value: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return "not known"
    return milliseconds(value) if unit == "ms" else f"{number(value)}/s"


def _claim(c: Claim, *, judged: bool) -> dict[str, Any]:
    between = ""
    sure = ""
    if c.predicted_low is not None and c.predicted_high is not None:
        sure = f"{_shown(c.predicted_low, c.unit)} to {_shown(c.predicted_high, c.unit)}"
    if c.measured_low is not None and c.measured_high is not None:
        between = f"between {_shown(c.measured_low, c.unit)} and {_shown(c.measured_high, c.unit)}"
    bound = "at least " if c.at_least else ""
    return {
        "name": c.name,
        "predicted": _shown(c.predicted, c.unit),
        "sure": sure or "—",
        "measured": bound + _shown(c.measured, c.unit),
        "between": between or c.why,
        "off": _share(c.off),
        "allowed": "not judged" if c.off_max is None else f"± {c.off_max:.0%}",
        "sign": _SIGNS[c.status] if judged else "UNKNOWN",
        "status": _outcome(c) if judged else "not judged",
    }


def _outcome(c: Claim) -> str:
    return "reported" if c.off_max is None else c.status.lower()


def _row(row: LoadRow, found: Prediction) -> dict[str, Any]:
    return {
        "rate": number(row.rate_per_s),
        "predicted": _side(row.predicted, found.predicted_line, found),
        "measured": row.measured and _side(row.measured, found.measured_line, found),
        "off_p50": _share(row.off_p50),
        "off_p99": _share(row.off_p99),
    }


def _side(side: Side, line: CapacityCriterion, found: Prediction) -> dict[str, str]:
    held = "not met" if line.exceeded(side) else "met"
    if found.status == "INVALID":
        held = "not judged"
    return {
        "p50": _shown(side.p50_ms, "ms"),
        "p99": _shown(side.p99_ms, "ms"),
        "held": "generator's limit" if side.invalid else held,
        "why": side.invalid,
    }


def _estimate(e: Any) -> tuple[str, str, str, str]:
    between = "" if e.low is None or e.high is None else f"{e.low:.4g} to {e.high:.4g}"
    unit = "" if e.unit == "1" else f" {e.unit}"
    return e.name.replace("_", " "), f"{e.value:.4g}{unit}", between, e.what
