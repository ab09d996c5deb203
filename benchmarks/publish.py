"""Runs the benchmarks, puts what each prints into docs/benchmarks.md, between its two markers, and
the figures among it into the table of README.md.

    python benchmarks/publish.py              # all of them, as `make bench` does
    python benchmarks/publish.py pairs queues

The part of a benchmark that fails, or that is not asked for, stays as it was.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "benchmarks.md"
README: Final = ROOT / "README.md"
#: Script → the figure among what it prints that README.md shows.
FIGURES: Final = {
    "simulator": r"flood, 1,000 nodes.*\| SimPy \|.*\| (\d+×) \|",
    "pairs": r"M/M/1: SimPy over surgetank \| ([^|]+) \|",
    "search": r"surgetank search \|.*\| (\d+ of \d+) \|",
    "venue": r"venue, disk \| frames of 1,000 \| ([^|]+) \|",
    "live": r"NATS core \| surgetank[^|]*\| ([^|]+) \|",
}
#: Script → its options.
SCRIPTS: Final[dict[str, tuple[str, ...]]] = {
    "simulator": (),
    "pairs": (),
    "flagship": (),
    "search": (),
    "queues": (),
    "live": (),
    "venue": (),
    "predict": (),
    "omission": (),
    "proxy": (),
    "protocols": ("--quick",),
}


def markers(name: str) -> tuple[str, str]:
    """The lines before and after what a script printed."""
    return f"<!-- printed by benchmarks/{name}.py -->", f"<!-- end of benchmarks/{name}.py -->"


def replaced(page: str, name: str, printed: str) -> str:
    """The page with what a script printed in place of what it printed last.

    Raises:
        ValueError: the page lacks one of the script's markers.
    """
    begin, end = markers(name)
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"lacks the line {end if found else begin}")
    return f"{head}{begin}\n\n{printed.strip()}\n\n{end}{tail}"


def with_figure(readme: str, name: str, printed: str) -> str:
    """The README with a script's figure in its row of the table, if it has one there.

    Raises:
        ValueError: what was printed, or the README, lacks the figure.
    """
    if name not in FIGURES:
        return readme
    found = re.search(FIGURES[name], printed)
    row = rf"^(\| [^|]+ \| )[^|]+( \| \[{name}\.py\])"
    if found is None or not re.search(row, readme, re.MULTILINE):
        raise ValueError(f"no figure of benchmarks/{name}.py for README.md")
    return re.sub(row, rf"\g<1>{found[1]}\g<2>", readme, flags=re.MULTILINE)


def main() -> None:
    """Command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("script", nargs="*", help=f"of {', '.join(SCRIPTS)}")
    names = parser.parse_args().script or list(SCRIPTS)
    unknown = [name for name in names if name not in SCRIPTS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    failed = []
    for name in names:
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *SCRIPTS[name]]
        print(f"\n{name}.py", flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        print(done.stdout, flush=True)
        if done.returncode:
            failed.append(name)
            continue
        # Written after each: the last one may be stopped.
        PAGE.write_text(replaced(PAGE.read_text(), name, done.stdout))
        README.write_text(with_figure(README.read_text(), name, done.stdout))
    if failed:
        sys.exit(f"publish.py: failed, and left as it was on the page: {', '.join(failed)}")


if __name__ == "__main__":
    main()
