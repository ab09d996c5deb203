"""What threshold encryption costs: milliseconds a step, on one core.

    .venv/bin/python benchmarks/keypers.py [--keypers 5] [--threshold 3] [--repeats 30] [--json]

The median of the repeats. 128-byte messages. Checking share by share is what a forger forces.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from surgetank.keypers import deal, set_up

BATCH, SENDER, MESSAGE = b"batch 1", b"account 1", bytes(128)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median processor time of one call, in milliseconds."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken) * 1e3


def measure(keypers: int, threshold: int, repeats: int) -> dict[str, float]:
    """Milliseconds by step."""
    dealings = [deal(dealer, keypers, threshold) for dealer in range(keypers)]
    committee, them = set_up(dealings)
    shares = [keyper.share(BATCH) for keyper in them[:threshold]]
    signed = [keyper.sign(BATCH) for keyper in them[:threshold]]
    encrypted = committee.encrypt(BATCH, MESSAGE, SENDER)
    key, beacon = committee.batch_key(BATCH, shares), committee.beacon(BATCH, signed)
    steps: dict[str, Callable[[], object]] = {
        "encrypt a message": lambda: committee.encrypt(BATCH, MESSAGE, SENDER),
        "make a share": lambda: them[0].share(BATCH),
        "check a share": lambda: committee.check(shares[0]),
        f"key of {threshold} shares, checked at once": lambda: committee.batch_key(BATCH, shares),
        "decrypt a message": lambda: key.decrypt(encrypted, SENDER),
        "verify a beacon": lambda: committee.verify(beacon),
    }
    found = {step: median_ms(work, repeats) for step, work in steps.items()}
    found[f"set up {keypers} keypers, each deals"] = median_ms(
        lambda: set_up([deal(dealer, keypers, threshold) for dealer in range(keypers)]), 3
    )
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keypers", type=int, default=5)
    parser.add_argument("--threshold", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.keypers, asked.threshold, asked.repeats)
    if asked.json:
        print(json.dumps(found))
        return
    print("| step | ms |\n|---|---|")
    for step, ms in found.items():
        print(f"| {step} | {ms:.1f} |")


if __name__ == "__main__":
    main()
