"""Numbers as text, with their units, the same in verdicts, reports and on the terminal: 340 ms,
1.2 s, $1.2 M, 28.6 %."""

from __future__ import annotations

import math
from typing import Final

__all__ = [
    "NBSP",
    "apart",
    "clock",
    "counted",
    "four_digits",
    "leverage",
    "milliseconds",
    "number",
    "share",
    "usd",
    "value",
]

NBSP: Final = "\u00a0"
"""Keeps a number and its unit on one line."""


def number(x: float) -> str:
    """About three significant digits, thousands with a comma."""
    if not math.isfinite(x):
        return _endless(x)
    size = abs(x)
    if size >= 1000 or x == int(x):
        return _minus(f"{x:,.0f}")
    return _minus(f"{x:.1f}" if size >= 100 else f"{x:.3g}")


def counted(count: int, noun: str) -> str:
    """A number of things: 1 account, 1,200 accounts; for nouns whose plural ends with s."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def four_digits(x: float) -> str:
    """Four significant digits, as an interval of a few percent needs; thousands with a comma."""
    if not math.isfinite(x):
        return _endless(x)
    return _minus(f"{x:,.0f}" if abs(x) >= 999.95 else f"{x:.4g}")


def _endless(x: float) -> str:
    """The text of a number that is not finite."""
    if math.isnan(x):
        return "not known"
    return "∞" if x > 0 else "−∞"


def leverage(x: float) -> str:
    """Notional over equity at the start: 12.5×, 7,292×; without equity: bankrupt at the start."""
    if not math.isfinite(x):
        return "bankrupt at the start"
    return f"{x:,.1f}×" if x < 999.95 else f"{x:,.0f}×"


def milliseconds(ms: float) -> str:
    """A length of time given in ms: 850 µs, 340 ms, 1.2 s, 2 min 5 s; infinite: `never`."""
    return _milliseconds(ms).replace(" ", NBSP)


def _milliseconds(ms: float) -> str:
    if not math.isfinite(ms):
        return "never"
    size = abs(ms)
    if size < 1e-3:
        return "0 ms" if ms == 0 else "< 1 µs"
    if size < 0.9995:
        return _minus(f"{ms * 1e3:.3g} µs")
    if size < 9.95:
        return _minus(f"{ms:.2g} ms")
    if size < 999.5:
        return _minus(f"{ms:.0f} ms")
    if size < 99_950:
        return _minus(f"{ms / 1e3:.1f} s".replace(".0 s", " s"))
    minutes, seconds = divmod(round(size / 1e3), 60)
    text = f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"−{text}" if ms < 0 else text


def clock(ns: float) -> str:
    """A time of the run, in seconds since its start, as text."""
    return f"{ns / 1e9:.1f}{NBSP}s"


def usd(x: float) -> str:
    """$950, $12.4 k, $1.2 M, $3 B."""
    if not math.isfinite(x):
        return _endless(x)
    size, sign = abs(x), "−" if x < 0 else ""
    for bound, divisor, unit in ((999.5e6, 1e9, "B"), (999.5e3, 1e6, "M"), (9_999.5, 1e3, "k")):
        if size >= bound:
            scaled = size / divisor
            digits = f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0")
            return f"{sign}${digits}{NBSP}{unit}"
    return f"{sign}${size:,.0f}" if size >= 100 or size == int(size) else f"{sign}${size:.2f}"


def share(x: float) -> str:
    """A share as a percentage."""
    if not math.isfinite(x):
        return _endless(x)
    percent = 100 * x
    if percent and abs(percent) < 0.1:
        return f"{percent:.2g}{NBSP}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{NBSP}%"


def value(x: float | None, unit: str) -> str:
    """A number of a measure with its unit."""
    if x is None or math.isnan(x):
        return "not measured"
    if math.isinf(x):
        return number(x)
    if unit == "ms":
        return milliseconds(x)
    if unit == "s":
        return milliseconds(1e3 * x)
    if unit == "USD":
        return usd(x)
    if unit == "share":
        return share(x)
    if unit == "1/s":
        return f"{number(x)}{NBSP}/s"
    return f"{number(x)}{NBSP}{unit}" if unit not in ("1", "count", "") else number(x)


def apart(x: float | None, y: float | None, unit: str) -> tuple[str, str]:
    """Two numbers of one unit; with more digits where rounding would make them look equal."""
    one, other = value(x, unit), value(y, unit)
    if one != other or x is None or y is None or x == y:
        return one, other
    of = "" if unit in ("1", "count", "") else f"{NBSP}{unit}"
    if unit == "share":
        x, y, of = 100 * x, 100 * y, f"{NBSP}%"
    return _minus(f"{x:,.9g}{of}"), _minus(f"{y:,.9g}{of}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
