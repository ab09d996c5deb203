"""Predictions of real targets and how far they repeat: the tables and figures of docs/calibrate.md.

    python benchmarks/predict.py [--repeat 5] [--docs] [--out runs/predictions] [nats: redis: …]

Each repetition starts the target anew, calibrates it at low load, predicts, and then runs it. A
repetition that lies in --out, or in docs/predictions.jsonl by the same method (the same code of
calibration, prediction and live runs, the same core), is not made again, so a run that was cut off
goes on where it ended; one that failed is tried again. Targets are taken in turn, so that a busy
quarter of an hour does not fall on one of them. A target whose programs are not here is left out
and said so. About six minutes a broker and eight a chain, each repetition, on two quiet cores.
Misses stay in the tables. With --docs, the tables and figures of docs/calibrate.md, all repetitions
in docs/predictions.jsonl, and the model's errors that `calibrate --check` allows for
(predict/model_error.json) are replaced.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import re
import statistics
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import surgetank
from surgetank.calibrate import OPTIONS, calibrate
from surgetank.errors import SurgetankError
from surgetank.live import Rig
from surgetank.predict import Claim, compare, status_of, with_interval
from surgetank.predict.allowance import LEVEL, MODEL_ERROR, Errors, ends
from surgetank.predict.allowance import known as known_errors
from surgetank.predict.prediction import CAPACITY_OFF_MAX, P99_OFF_MAX
from surgetank.report.prediction import prediction_svg, render_prediction
from surgetank.report.shell import save
from surgetank.scenario import load
from surgetank.simulate import simulate

#: RabbitMQ keeps a young queue's name in memory for some seconds; nothing is killed here.
TARGETS = ("nats:", "jetstream:", "redis:", "rabbitmq:?settle_s=0", "kafka:", "cometbft:")
JUDGED = ("capacity", "p99 at half load")


DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "predictions.jsonl"
#: What a prediction and its measurement are made by, beside the core.
MADE_BY = (
    "calibrate/*.py",
    "predict/*.py",
    "live/**/*.py",
    "search/live.py",
    "search/probe.py",
    "measure/backlog.py",
    "measure/latency.py",
    "measure/throughput.py",
    "verdict/judging.py",
    "verdict/validity.py",
)

Record = dict[str, Any]
"""target, number, method; `found` (a `prediction.json`), or `failed` (why there is none)."""


@cache
def method() -> str:
    """Names what predicts and measures: 12 digits of a digest of its code, its options, and what
    the core makes of two small scenarios. Comments and docstrings are no part of it."""
    package = Path(surgetank.__file__).parent
    parts = sorted(path for pattern in MADE_BY for path in package.glob(pattern))
    named = [*(bare(path.read_text(encoding="utf-8")) for path in parts), str(OPTIONS), *answers()]
    return hashlib.sha256("".join(named).encode()).hexdigest()[:12]


def bare(code: str) -> str:
    """Python without comments and docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [x for x in body if not _is_text(x)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def answers() -> list[str]:
    """Digests of all that the core says of a broker's queue and of a chain, two seconds of each;
    but where messages waited, which came later and no prediction reads."""
    short = {"duration_s": 2.0, "warmup_s": 0.5}
    runs = [simulate(load(name).with_values(short)) for name in ("rollup-sequencer", "calm")]
    chains = [run.chains for run in runs]
    return [links[-1] for of in chains for name, links in of.items() if name != "wait_places"]


def known(out: Path) -> dict[tuple[str, int], Record]:
    """Repetitions made by this method: those in docs/predictions.jsonl, and those in --out."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    lines += [path.read_text(encoding="utf-8") for path in sorted(out.glob("*-*.json"))]
    records = [json.loads(line) for line in lines]
    return {(r["target"], r["number"]): r for r in records if r.get("method") == method()}


def say(text: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"  {text}\n")


def one(target: str, number: int, out: Path) -> Record:
    """Makes a repetition; its files lie in `out`."""
    name = f"{target.partition(':')[0]}-{number}"
    record: Record = {"target": target, "number": number, "method": method()}
    began = time.monotonic()
    try:
        with Rig(target, OPTIONS) as rig:
            calibration = calibrate(rig, name=f"calibrated-{name}", progress=say)
            found = compare(rig, calibration, progress=say)
    except SurgetankError as error:
        record["failed"] = str(error)
    else:
        calibration.write(out / f"{name}.toml")
        save(render_prediction(found), out / f"{name}.html")
        (out / f"{name}.svg").write_text(prediction_svg(found), encoding="utf-8")
        content = found.to_dict()
        del content["calibration"]["scenario"]  # it lies beside it
        record["found"] = content
    # Last, and in one piece: what is there is whole.
    draft = out / f"{name}.draft"
    draft.write_text(json.dumps(record) + "\n", encoding="utf-8")
    draft.replace(out / f"{name}.json")
    status = record.get("failed") or record["found"]["status"]
    say(f"{target} {number} took {time.monotonic() - began:.0f} s: {status}")
    return record


def claim(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A claim of a repetition by its name."""
    return dict(next(c for c in found["claims"] if c["name"] == name))


def as_claim(content: Mapping[str, Any]) -> Claim:
    """A claim as it was written. The first records have no `chance`: their interval is that."""
    names = {field.name for field in fields(Claim)}
    found = Claim(**{name: value for name, value in content.items() if name in names})
    chance = content.get("chance")
    if "chance" not in content and found.predicted and found.predicted_low is not None:
        chance = [end / found.predicted for end in (found.predicted_low, found.predicted_high or 0)]
    return replace(found, chance=None if chance is None else (chance[0], chance[1]))


def model_errors(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Number → system → mean of ln(measured / predicted), over the repetitions that were measured
    and whose chance alone lies within what a prediction may be off."""
    found: dict[str, dict[str, float]] = {}
    for name in JUDGED:
        logs = defaultdict(list)
        for record in records:
            if "found" in record:
                c = as_claim(claim(record["found"], name))
                low, high = ends(c.predicted, c.chance, 0.0)
                alone = replace(c, predicted_low=low, predicted_high=high)
                if alone.claimed and alone.within is not None and c.measured and c.predicted:
                    system = record["target"].partition(":")[0]
                    logs[system].append(math.log(c.measured / c.predicted))
        found[name] = {system: round(statistics.fmean(x), 4) for system, x in sorted(logs.items())}
    return found


def judged(records: Sequence[Record], errors: Errors) -> list[Record]:
    """The records with intervals and verdicts by these errors of the model on other systems."""
    again = []
    for record in records:
        content = json.loads(json.dumps(record))
        if "found" in content:
            found = content["found"]
            claims = [with_interval(as_claim(c), record["target"], errors) for c in found["claims"]]
            found["claims"] = [c.to_dict() for c in claims]
            found["status"] = status_of(claims, found["calibration"]["invalid"])
        again.append(content)
    return again


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


def table(records: Sequence[Record]) -> str:
    """A row a target and number: what was predicted and measured, and how often it held."""
    lines = [
        "| target | number | predicted: median (least to most), deviation | measured | within | "
        "claimed and hit | claimed and missed | no claim | not measured | interval covers |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for target in targets_of(records):
        made = [r["found"] for r in records if r["target"] == target and "found" in r]
        for name in JUDGED if made else ():
            claims = [claim(r, name) for r in made]
            count = {s: sum(c["status"] == s for c in claims) for s in STATUSES}
            sure = [c["covered"] for c in claims if c["covered"] is not None]
            cells = [
                f"`{target}`",
                f"{name}, {claims[0]['unit']}",
                spread([c["predicted"] for c in claims]),
                spread([c["measured"] for c in claims if not as_claim(c).at_least]),
                f"{sum(c['within'] is True for c in claims)} of {len(claims)}",
                *(f"{count[s]} of {len(claims)}" for s in STATUSES),
                f"{sum(sure)} of {len(sure)}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
        failed = [r["failed"] for r in records if r["target"] == target and "failed" in r]
        lines += [f"| `{target}` | {why} | | | | | | | | |" for why in failed]
    return "\n".join(lines) + "\n"


def summary(records: Sequence[Record]) -> str:
    """How many numbers came within what they may be off in at least four repetitions of five, how
    often intervals covered, and the errors of the model."""
    near, of = 0, 0
    claims = []
    for target in targets_of(records):
        made = [r["found"] for r in records if r["target"] == target and "found" in r]
        for name in JUDGED if made else ():
            own = [claim(r, name) for r in made]
            near += sum(c["within"] is True for c in own) >= 0.8 * len(own)
            of += 1
            claims += own
    sure = [c["covered"] for c in claims if c["covered"] is not None]
    claimed = [c["status"] in ("HIT", "MISS") for c in claims]
    text = (
        f"Within ± {CAPACITY_OFF_MAX:.0%} (capacity) and ± {P99_OFF_MAX:.0%} (p99) in at least "
        f"four repetitions of five: **{near} of {of} numbers**. Intervals of {LEVEL:.0%} held "
        f"{sum(sure)} of {len(sure)} measurements; {sum(claimed)} of {len(claimed)} predictions "
        "were claimed."
    )
    paragraphs = [text]
    errors = model_errors(records)
    for name in JUDGED:
        listed = ", ".join(f"{system} {math.expm1(x):+.0%}" for system, x in errors[name].items())
        paragraphs.append(f"Mean error of the model, {name} (measured over predicted): {listed}.")
    filled = (textwrap.fill(one, 120, break_on_hyphens=False) + "\n" for one in paragraphs)
    return "\n".join(filled).replace("-", "−")


def targets_of(records: Sequence[Record]) -> list[str]:
    """Targets of which there are records, the usual ones first."""
    there = {r["target"] for r in records}
    return [t for t in TARGETS if t in there] + sorted(there.difference(TARGETS))


STATUSES = ("HIT", "MISS", "NO CLAIM", "UNKNOWN")


def disturbed(records: Sequence[Record]) -> str:
    """How many repetitions were disturbed while they were calibrated."""
    made = [r["found"] for r in records if "found" in r]
    invalid = sum(found["status"] == "INVALID" for found in made)
    return (
        f"{len(made)} repetitions; in {invalid} the machine disturbed the calibration (INVALID).\n"
    )


def publish(records: Sequence[Record], out: Path) -> None:
    """All repetitions, their table, and the first one's figures into docs/."""
    KEPT.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    errors = json.dumps(model_errors(records), indent=1)
    MODEL_ERROR.write_text(errors + "\n", encoding="utf-8")
    parts = [table(records), summary(records), disturbed(records)]
    for target in targets_of(records):
        first = next((r for r in records if r["target"] == target and "found" in r), None)
        if first is None:
            continue
        scheme = target.partition(":")[0]
        drawn = out / f"{scheme}-{first['number']}.svg"
        if drawn.exists():
            svg = drawn.read_text(encoding="utf-8")
            (DOCS / "pictures" / f"prediction-{scheme}.svg").write_text(svg, encoding="utf-8")
        version = first["found"]["calibration"]["version"]
        picture = f"![{target} predicted and measured](pictures/prediction-{scheme}.svg)"
        parts.append(f"`{target}` is {version}; the figure is of one repetition.\n\n{picture}\n")
    page = DOCS / "calibrate.md"
    text = "<!-- predictions -->\n" + "\n".join(parts) + "<!-- /predictions -->"
    old = page.read_text(encoding="utf-8")
    mark = r"<!-- predictions -->.*<!-- /predictions -->"
    page.write_text(re.sub(mark, lambda _: text, old, flags=re.S), encoding="utf-8")


def make(targets: Sequence[str], repeat: int, out: Path) -> list[Record]:
    """What is missing of so many repetitions of each target, in turn; all that are known then."""
    found = known(out)
    for number in range(1, repeat + 1):
        for target in targets:
            if "found" not in found.get((target, number), {}):
                say(f"{target} repetition {number} of {repeat}")
                found[target, number] = one(target, number, out)
    order = targets_of(list(found.values()))
    return sorted(found.values(), key=lambda r: (order.index(r["target"]), r["number"]))


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
    made = make(asked.targets, asked.repeat, asked.out)
    # By what was measured here: with few targets, by fewer systems than the shipped errors have.
    records = judged(made, model_errors(made) if asked.docs else known_errors())
    text = "\n".join((table(records), summary(records), disturbed(records)))
    (asked.out / "table.md").write_text(text, encoding="utf-8")
    if asked.docs:
        publish(records, asked.out)
    sys.stdout.write(text)
    return 3 if any("failed" in r for r in records) else 0


if __name__ == "__main__":
    sys.exit(main())
