"""Prediction and measurement for real targets: docs/calibrate.md and its figures.

    python benchmarks/predict.py [--docs] [--out runs/predictions] [nats: redis: cometbft:]

Every target is calibrated at low load, then predicted, then run. A target whose programs are not
here is left out and said so. Takes three minutes a broker and twelve for the chain, on two quiet
cores. Misses stay in the table. With --docs, the table and the figures of docs/calibrate.md are
replaced.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from surgetank.calibrate import calibrate
from surgetank.errors import SurgetankError
from surgetank.live import Options, Rig
from surgetank.predict import Claim, Prediction, compare
from surgetank.report.prediction import prediction_svg, write_prediction

TARGETS = ("nats:", "redis:", "cometbft:")


def one(target: str, out: Path) -> Prediction:
    """Calibrates, predicts, measures; writes scenario, figure, page and JSON."""
    name = target.partition(":")[0]
    with Rig(target, Options(patience_s=90)) as rig:
        calibration = calibrate(rig, name=f"calibrated-{name}", told=say)
        found = compare(rig, calibration, told=say)
    out.mkdir(parents=True, exist_ok=True)
    calibration.write(out / f"{name}.toml")
    found.write(out / f"{name}.json")
    write_prediction(found, out / f"{name}.html")
    (out / f"{name}.svg").write_text(prediction_svg(found), encoding="utf-8")
    return found


def say(text: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"  {text}\n")


def table(found: dict[str, Prediction | str]) -> str:
    """The table of docs/calibrate.md."""
    lines = [
        "| target | number | predicted | measured | off | allowed | result |",
        "|---|---|---|---|---|---|---|",
    ]
    for target, prediction in found.items():
        if isinstance(prediction, str):
            lines.append(f"| `{target}` | | | | | | {prediction} |")
            continue
        for claim in prediction.claims:
            lines.append(f"| `{target}` | {claim.name} | {row(claim)} |")
    return "\n".join(lines) + "\n"


def row(claim: Claim) -> str:
    """A claim's cells."""
    predicted, measured = (
        "—" if x is None else f"{x:,.3g} {claim.unit}" if x < 1000 else f"{x:,.0f} {claim.unit}"
        for x in (claim.predicted, claim.measured)
    )
    if claim.why and claim.measured is not None:
        measured = f"≥ {measured}"
    off = "—" if claim.off is None else f"{claim.off:+.0%}"
    allowed = "not judged" if claim.off_max is None else f"± {claim.off_max:.0%}"
    result = "told" if claim.off_max is None else claim.status
    return " | ".join((predicted, measured, off, allowed, result))


def publish(found: dict[str, Prediction | str]) -> None:
    """Table and figures into docs/."""
    docs = Path(__file__).parents[1] / "docs"
    parts = [table(found)]
    for target, prediction in found.items():
        if isinstance(prediction, str):
            continue
        name = f"prediction-{target.partition(':')[0]}.svg"
        (docs / "pictures" / name).write_text(prediction_svg(prediction), encoding="utf-8")
        said = f"`{target}` is {prediction.calibration.version}, calibrated at no more than "
        said += f"{prediction.calibration.load_share:.0%} of its capacity."
        notes = "".join(f" Note: {note}." for note in prediction.notes)
        picture = f"![{target} predicted and measured](pictures/{name})"
        parts.append(f"{said}{notes}\n\n{picture}\n")
    page = docs / "calibrate.md"
    text = "<!-- predictions -->\n" + "\n".join(parts) + "<!-- /predictions -->"
    old = page.read_text(encoding="utf-8")
    mark = r"<!-- predictions -->.*<!-- /predictions -->"
    page.write_text(re.sub(mark, lambda _: text, old, flags=re.S), encoding="utf-8")


def main() -> int:
    """Runs all targets asked for; 0 if every one was run, whatever came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", default=TARGETS)
    parser.add_argument("--out", type=Path, default=Path("runs/predictions"))
    parser.add_argument("--docs", action="store_true", help="replace what docs/calibrate.md shows")
    asked = parser.parse_args()
    found: dict[str, Prediction | str] = {}
    for target in asked.targets:
        began = time.monotonic()
        say(target)
        try:
            found[target] = one(target, asked.out)
        except SurgetankError as error:
            found[target] = str(error)
        say(f"{target} took {time.monotonic() - began:.0f} s")
    text = table(found)
    (asked.out).mkdir(parents=True, exist_ok=True)
    (asked.out / "table.md").write_text(text, encoding="utf-8")
    if asked.docs:
        publish(found)
    summary = {
        t: p if isinstance(p, str) else {"status": p.status, "seconds": p.seconds, "notes": p.notes}
        for t, p in found.items()
    }
    sys.stdout.write(text + json.dumps(summary) + "\n")
    return 0 if all(isinstance(p, Prediction) for p in found.values()) else 3


if __name__ == "__main__":
    sys.exit(main())
