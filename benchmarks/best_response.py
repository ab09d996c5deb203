"""What the best strategy found of each kind of attack gains under each rule (docs/attacks.md).

    .venv/bin/python benchmarks/best_response.py [--fresh 16] [--workers 2]

The venue of benchmarks/front_running.py, 20 s. As `surgetank attack`: strategies are chosen on some
seeds and measured on others; the intervals of a rule hold for its kinds together. A gain whose
interval holds zero is in parentheses, and one that has nothing above zero is called none.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from front_running import CASES as FRONT_RUNNING
from front_running import FIVE
from surgetank.attacker import best_response
from surgetank.attacker.response import Response
from surgetank.number_format import number
from venue_under_attack import venue

KINDS: Final = ("sandwich", "insider", "latency-race", "spam")
CASES: Final[dict[str, dict[str, Any]]] = {
    "fifo": {},
    "class": {"layer__queue__rule": "class"},
    "hash, beacon": FRONT_RUNNING["hash"],
    "themis": FRONT_RUNNING["themis"],
    "commit-reveal": {"layer__queue__rule": "commit-reveal"},
    "threshold": {"layer__queue__rule": "threshold"},
}


def cell(response: Response) -> str:
    """The gain and its interval, USD."""
    gain = response.gain
    if response.pays is False:
        return "none"
    reported = f"{number(gain.mean)} [{number(gain.low)}, {number(gain.high)}]"
    return reported if response.pays else f"({reported})"


def main() -> None:
    """The table, a row per rule."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--fresh", type=int, default=16)
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    print("| rule | " + " | ".join(f"`{kind}`" for kind in KINDS) + " |")
    print("|---|" + "---:|" * len(KINDS), flush=True)
    for name, values in CASES.items():
        sys.stderr.write(f"  {name}\n")
        scenario = venue(**FIVE, **values)
        found = best_response(scenario, kinds=KINDS, fresh=args.fresh, workers=args.workers)
        cells = {response.kind: cell(response) for response in found.responses}
        print(f"| {name} | " + " | ".join(cells.get(k, "–") for k in KINDS) + " |", flush=True)


if __name__ == "__main__":
    main()
