"""A page in a real browser: what it loads, complains about, and whether it fits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

__all__ = ["CHROMIUM", "QUIET", "Visit", "needs_chromium"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium; install it with `apt-get install chromium`"
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Visit:
    """A page, and what it complained about."""

    def __init__(self, browser: Browser, file: Path, width: int, scheme: Any = "light") -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        self.page: Page = context.new_page()
        self.page.on("console", lambda m: self.said.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.said.append(str(e)))
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.goto(file.as_uri())

    def loaded(self) -> list[str]:
        """What was asked of anywhere but the file itself."""
        return [u for u in self.asked if not u.startswith(("file:", "data:", "blob:"))]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wide = "document.documentElement.scrollWidth - window.innerWidth"
        return int(self.page.evaluate(wide))

    def cut_words(self) -> list[str]:
        """Words that leave their drawing; and figures that do not show just one drawing."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll('figure')].flatMap((f) => {
                const seen = [...f.querySelectorAll('svg.fig')].filter((s) => s.clientWidth > 0);
                if (seen.length !== 1) return [f.id + ': ' + seen.length + ' drawings seen'];
                const box = seen[0].getBoundingClientRect();
                return [...seen[0].querySelectorAll('text')].filter((t) => {
                    const b = t.getBoundingClientRect();
                    return b.left < box.left - 1 || b.right > box.right + 1
                        || b.top < box.top - 1 || b.bottom > box.bottom + 1;
                }).map((t) => f.id + ': ' + t.textContent);
            })"""
        )
        return found

    def background(self) -> str:
        """The page's colour."""
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    def close(self) -> None:
        """Closes the page."""
        self.page.context.close()
