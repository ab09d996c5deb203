"""What keeps a reader from reading a page: rules of axe-core, words that are too faint, words that
touch."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from chromium import Visit

__all__ = ["CONTRAST_MIN", "faint_words", "touching_words", "violations"]

CONTRAST_MIN = 4.5
"""WCAG 2.2, 1.4.3."""


def violations(visit: Visit) -> list[str]:
    """The rules of axe-core that the page breaks, everything unfolded."""
    visit.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = Axe().run(visit.page).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes']]}" for rule in found]


def faint_words(visit: Visit) -> list[str]:
    """Words in figures whose colour is too near to that of their ground, which axe-core does not
    look at."""
    found: list[str] = visit.page.evaluate(
        """(least) => {
            const light = (colour) => {
                const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255);
                const [r, g, b] = parts.map(
                    (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            return [...document.querySelectorAll('figure svg.fig')].flatMap((svg) => {
                const ground = light(getComputedStyle(svg.closest('figure')).backgroundColor);
                return [...svg.querySelectorAll('text')].filter((text) => {
                    const ink = light(getComputedStyle(text).fill);
                    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05) < least;
                }).map((text) => svg.closest('figure').id + ': ' + text.textContent);
            });
        }""",
        CONTRAST_MIN,
    )
    return found


def touching_words(visit: Visit) -> list[str]:
    """Pairs of words in the drawings that are shown whose boxes overlap by more than a pixel."""
    found: list[str] = visit.page.evaluate(
        """() => [...document.querySelectorAll('svg.fig')].flatMap((svg) => {
            const words = [...svg.querySelectorAll('text')].map((text) => {
                const { left, right, top, bottom } = text.getBoundingClientRect();
                // A line of text is higher than its letters.
                const rim = (bottom - top) * 0.2;
                const words = text.textContent;
                return { words, left, right, top: top + rim, bottom: bottom - rim };
            }).filter((text) => text.right > text.left);
            return words.flatMap((a, i) => words.slice(i + 1).filter((b) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1,
            ).map((b) => svg.closest('figure').id + ': ' + a.words + ' | ' + b.words));
        })"""
    )
    return found
