"""Words of a comparison that terminal and page share."""

from __future__ import annotations

import json
from typing import Final

from surgetank.compare import ChangeFinding, Comparison, Difference
from surgetank.number_format import counted, number, value

__all__ = ["amount_text", "basis", "change_text", "key_text", "of_scenarios", "sentence"]

#: From this ratio on, a change is a factor and not a percentage.
_FACTOR: Final = 10


def change_text(difference: Difference) -> str:
    """b against a: in percent or as a factor; the difference of shares (in points), of measures
    that can be below zero, and from zero. Empty without a change."""
    change, relative = difference.change, difference.relative
    if not change:
        return ""
    if relative is None:
        text = amount_text(change, difference.unit)
    elif relative >= _FACTOR - 1:
        return f"× {number(float(f'{1 + relative:.3g}'))}"
    else:
        text = f"{number(100 * relative)} %"
    return f"+{text}" if change > 0 else text


def amount_text(amount: float, unit: str) -> str:
    """A difference with its unit; of shares, in percentage points."""
    return f"{number(100 * amount)} points" if unit == "share" else value(amount, unit)


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


def of_scenarios(found: Comparison) -> str:
    """What is said first of runs of two scenarios; empty if both have one name."""
    a, b = found.a.run.name, found.b.run.name
    if a == b:
        return ""
    keys = counted(len(found.changes), "key")
    return (
        f"Runs of two scenarios, {a} and {b}, which differ in {keys}: no single change explains a "
        "difference."
    )


def sentence(found: Comparison) -> str:
    """The result of a comparison in one to three sentences."""
    return f"{of_scenarios(found)} {_result(found)}".lstrip()


def _result(found: Comparison) -> str:
    if found.invalid:
        return (
            "A run is INVALID: it was not what its scenario asks for. Its measures are shown and "
            "nothing is concluded from them."
        )
    if found.same_trace:
        return "The traces are identical, byte for byte."
    tested = [one for one in found.differences if one.p is not None]
    clear = [one for one in tested if one.exceeds_noise]
    counts = [
        f"{count} {words}"
        for finding, words in (
            (ChangeFinding.BETTER, "better in B"),
            (ChangeFinding.WORSE, "worse in B"),
            (ChangeFinding.CHANGED, "of which neither direction is better"),
        )
        if (count := sum(one.finding is finding for one in clear))
    ]
    split = f": {', '.join(counts)}" if counts else ""
    if found.paired:
        return (
            f"Over {len(found.a.runs)} seeds, {len(clear)} of {len(tested)} measures changed "
            f"significantly{split}."
        )
    return (
        f"In these two runs, {len(clear)} of {len(tested)} measures with an interval differ by "
        f"more than noise{split}. One run of each shows no significant change."
    )
