"""Predictions of real targets and how far they repeat: the tables and figures of docs/calibrate.md.

    python benchmarks/predict.py [--repeat 5] [--docs] [--out runs/predictions] [nats: redis: …]

Each repetition starts the target anew, calibrates it at low load, predicts, and then runs it. A
repetition that lies in --out, or in docs/predictions.jsonl by the same method (the same code of
calibration, prediction and live runs), is not made again, so a run that was cut off goes on where
it ended; targets are taken in turn, so that a busy quarter of an hour does not fall on one of them.
A target whose programs are not here is left out and said so. About six minutes a broker and eight a
chain, each repetition, on two quiet cores. Misses stay in the tables. With --docs, the tables and
figures of docs/calibrate.md and all repetitions in docs/predictions.jsonl are replaced.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import surgetank
from surgetank.calibrate import calibrate
from surgetank.errors import SurgetankError
from surgetank.live import Options, Rig
from surgetank.predict import compare
from surgetank.report.prediction import prediction_svg, write_prediction

TARGETS = ("nats:", "jetstream:", "redis:", "rabbitmq:", "kafka:", "cometbft:")
JUDGED = ("capacity", "p99 at half load")

#: One repetition's `prediction.json`, or why there is none.
Found = Mapping[str, Any] | str


DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "predictions.jsonl"


def method() -> str:
    """Names the code that predicts and measures: 12 digits of its digest."""
    package = Path(surgetank.__file__).parent
    parts = [p for name in ("calibrate", "predict", "live") for p in (package / name).rglob("*.py")]
    return hashlib.sha256(b"".join(p.read_bytes() for p in sorted(parts))).hexdigest()[:12]


def kept(target: str, number: int) -> Found | None:
    """A repetition by the same method in docs/predictions.jsonl, if there is one."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    for line in map(json.loads, lines):
        if (line["target"], line["number"], line["method"]) == (target, number, method()):
            return dict(line["found"])
    return None


def keep(all_found: Mapping[str, Sequence[Found]]) -> None:
    """Writes all repetitions that were made, without their scenarios."""
    lines = []
    for target, repeats in all_found.items():
        for number, found in enumerate(repeats, 1):
            if isinstance(found, str):
                continue
            fitted = {k: v for k, v in found["calibration"].items() if k != "scenario"}
            line = {"target": target, "number": number, "method": method()}
            lines.append(json.dumps(line | {"found": {**found, "calibration": fitted}}) + "\n")
    KEPT.write_text("".join(lines), encoding="utf-8")


def say(text: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"  {text}\n")


def one(target: str, number: int, out: Path) -> Found:
    """A repetition: from its file, or made."""
    name = f"{target.partition(':')[0]}-{number}"
    file = out / f"{name}.json"
    if file.exists():
        return dict(json.loads(file.read_text(encoding="utf-8")))
    before = kept(target, number)
    if before is not None:
        return before
    began = time.monotonic()
    try:
        with Rig(target, Options(patience_s=90, rate_max_per_s=4e6)) as rig:
            calibration = calibrate(rig, name=f"calibrated-{name}", told=say)
            found = compare(rig, calibration, told=say)
    except SurgetankError as error:
        return str(error)
    calibration.write(out / f"{name}.toml")
    write_prediction(found, out / f"{name}.html")
    (out / f"{name}.svg").write_text(prediction_svg(found), encoding="utf-8")
    found.write(file)  # last: what is there is whole
    say(f"{target} {number} took {time.monotonic() - began:.0f} s: {found.status}")
    return found.to_dict()


def claim(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A claim of a repetition by its name."""
    return dict(next(c for c in found["claims"] if c["name"] == name))


def shown(value: float | None) -> str:
    """Three digits, or thousands."""
    return "—" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def spread(values: Sequence[float | None]) -> str:
    """Median, least to most, and the deviation of the logarithms."""
    known = [v for v in values if v is not None]
    if not known:
        return "—"
    text = f"{shown(statistics.median(known))} ({shown(min(known))} to {shown(max(known))})"
    if len(known) < 2:
        return text
    return f"{text}, ± {math.expm1(statistics.stdev(map(math.log, known))):.0%}"


def table(all_found: Mapping[str, Sequence[Found]]) -> str:
    """A row a target and number: what was predicted and measured, and how often it held."""
    lines = [
        "| target | number | predicted: median (least to most), deviation | measured | "
        "hits | misses | no claim | not measured | interval covers |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for target, repeats in all_found.items():
        made = [r for r in repeats if not isinstance(r, str)]
        for name in JUDGED if made else ():
            claims = [claim(r, name) for r in made]
            count = {s: sum(c["status"] == s for c in claims) for s in STATUSES}
            known = [c["covered"] for c in claims if c["covered"] is not None]
            cells = [
                f"`{target}`",
                f"{name}, {claims[0]['unit']}",
                spread([c["predicted"] for c in claims]),
                spread([c["measured"] for c in claims if not c["why"]]),
                *(f"{count[s]} of {len(claims)}" for s in STATUSES),
                f"{sum(known)} of {len(known)}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines += [f"| `{target}` | {r} | | | | | | | |" for r in repeats if isinstance(r, str)]
    return "\n".join(lines) + "\n"


STATUSES = ("HIT", "MISS", "NO CLAIM", "UNKNOWN")


def disturbed(all_found: Mapping[str, Sequence[Found]]) -> str:
    """How many repetitions were disturbed while they were calibrated."""
    made = [r for repeats in all_found.values() for r in repeats if not isinstance(r, str)]
    invalid = sum(r["status"] == "INVALID" for r in made)
    return (
        f"{len(made)} repetitions; in {invalid} the machine disturbed the calibration (INVALID).\n"
    )


def publish(all_found: Mapping[str, Sequence[Found]], out: Path) -> None:
    """Table and the first repetition's figures into docs/."""
    keep(all_found)
    parts = [table(all_found), disturbed(all_found)]
    for target, repeats in all_found.items():
        number = next((i + 1 for i, r in enumerate(repeats) if not isinstance(r, str)), None)
        if number is None:
            continue
        scheme = target.partition(":")[0]
        drawn = out / f"{scheme}-{number}.svg"
        if drawn.exists():
            svg = drawn.read_text(encoding="utf-8")
            (DOCS / "pictures" / f"prediction-{scheme}.svg").write_text(svg, encoding="utf-8")
        first = dict(repeats[number - 1])  # type: ignore[arg-type]
        said = f"`{target}` is {first['calibration']['version']}; the figure is of one repetition."
        picture = f"![{target} predicted and measured](pictures/prediction-{scheme}.svg)"
        parts.append(f"{said}\n\n{picture}\n")
    page = DOCS / "calibrate.md"
    text = "<!-- predictions -->\n" + "\n".join(parts) + "<!-- /predictions -->"
    old = page.read_text(encoding="utf-8")
    mark = r"<!-- predictions -->.*<!-- /predictions -->"
    page.write_text(re.sub(mark, lambda _: text, old, flags=re.S), encoding="utf-8")


def repeated(
    targets: Sequence[str], repeat: int, make: Callable[[str, int], Found]
) -> dict[str, list[Found]]:
    """All targets in turn, as often as asked."""
    found: dict[str, list[Found]] = {target: [] for target in targets}
    for number in range(1, repeat + 1):
        for target in targets:
            say(f"{target} repetition {number} of {repeat}")
            found[target].append(make(target, number))
    return found


def main() -> int:
    """Runs all targets asked for; 0 if every one was run, whatever came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", default=TARGETS)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/predictions"))
    parser.add_argument("--docs", action="store_true", help="replace what docs/calibrate.md shows")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    found = repeated(asked.targets, asked.repeat, lambda t, n: one(t, n, asked.out))
    text = table(found) + "\n" + disturbed(found)
    (asked.out / "table.md").write_text(text, encoding="utf-8")
    if asked.docs:
        publish(found, asked.out)
    sys.stdout.write(text)
    return 3 if any(isinstance(r, str) for repeats in found.values() for r in repeats) else 0


if __name__ == "__main__":
    sys.exit(main())
