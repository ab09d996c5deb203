"""Words of a comparison that terminal and page share."""

from __future__ import annotations

import json
from typing import Final

from surgetank.compare import Comparison, Difference
from surgetank.number_format import number, value

__all__ = ["basis", "change_text", "key_text"]

#: From this ratio on, a change is a factor and not a percentage.
_FACTOR: Final = 10


def change_text(difference: Difference) -> str:
    """b against a: in percent or as a factor; the difference of shares (in points), of measures
    that can be below zero, and from zero. Empty without a change."""
    change, relative = difference.change, difference.relative
    if not change:
        return ""
    if relative is None:
        share = difference.unit == "share"
        text = f"{number(100 * change)} points" if share else value(change, difference.unit)
    elif relative >= _FACTOR - 1:
        return f"× {number(float(f'{1 + relative:.3g}'))}"
    else:
        text = f"{number(100 * relative)} %"
    return f"+{text}" if change > 0 else text


def key_text(known: object, characters: int) -> str:
    """A scenario's value as text, cut after so many characters."""
    if known is None:
        return "–"
    text = known if isinstance(known, str) else json.dumps(known, ensure_ascii=False)
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def basis(found: Comparison) -> str:
    """What a comparison can say, in two sentences."""
    if found.paired:
        return (
            f"Noise is what differs between seeds: the differences of {len(found.a.runs)} pairs of "
            "one seed (paired t-test). Such a change is significant."
        )
    return (
        "Noise is what fluctuates inside these two runs; other seeds may differ by more, so one "
        "pair of runs shows no significant change. Give folders of several seeds for that."
    )
