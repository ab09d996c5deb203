"""Draws report.png, book.png and risk.png of docs/pictures: the tops of pages, in a real browser.

.venv/bin/python benchmarks/picture.py           # about five minutes, mostly for risk.png
.venv/bin/python benchmarks/picture.py report    # only this
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import sync_playwright

PICTURES: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
#: Picture → height (px, to the end of a row), and the command that writes its page, as the
#: documents show it.
PAGES: Final = {
    "report": (1480, "run black-thursday --quiet"),
    "book": (1280, "book book.csv --scenario black-thursday"),
    "risk": (
        1290,
        "risk black-thursday --positions book.csv --runs 100 --limit bad_debt_p95_usd_max=25e3",
    ),
}
BOOK: Final = "book --example 300 --seed 5"


def command(line: str, folder: Path) -> str:
    """What a command writes to its output; a verdict of FAIL is no error."""
    arguments = [sys.executable, "-m", "surgetank", *shlex.split(line)]
    done = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    return done.stdout


def main() -> None:
    """Makes the pages in a temporary folder, and their pictures."""
    with TemporaryDirectory() as name, sync_playwright() as play:
        folder = Path(name)
        (folder / "book.csv").write_text(command(BOOK, folder), encoding="utf-8")
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        for picture in sys.argv[1:] or PAGES:
            height, line = PAGES[picture]
            command(f"{line} --out {picture}", folder)
            page = browser.new_page(viewport={"width": 1280, "height": height})
            page.goto((folder / picture / f"{picture}.html").as_uri())
            page.wait_for_load_state()
            page.screenshot(path=PICTURES / f"{picture}.png")
        browser.close()


if __name__ == "__main__":
    main()
