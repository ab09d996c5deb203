"""Terminal output of the comparison of two runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import MEASURES, Better, title_of
from surgetank.compare import Comparison, Difference, KeyChange
from surgetank.console.terminal import dim
from surgetank.number_format import number, value
from surgetank.report.measure_text import interval
from surgetank.trace import Run

__all__ = ["show_comparison"]

#: From this width on, the table has room for the intervals of both runs.
_WIDE = 150
#: Most scenario keys shown, most characters of a value, and most measures: a screen of 40 lines.
_KEYS, _CHARACTERS, _ROWS = 8, 40, 16
#: From this ratio on, a change is a factor and not a percentage.
_FACTOR = 10
_STYLE = {"better": "green", "worse": "red", "undecided": "dim"}


def show_comparison(console: Console, comparison: Comparison, *, whole: bool = False) -> None:
    """Two runs side by side on one screen: which keys differ, then the measures that limits bound
    and those that differ most; with `whole` every measure, also of classes and if equal."""
    for name, run in (("a", comparison.a), ("b", comparison.b)):
        console.print(Text.assemble((f"{name}  ", "bold"), _named(run)), soft_wrap=True)
    _show_changes(console, comparison.changes)
    shown = comparison.differences if whole else _ranked(comparison)[:_ROWS]
    if shown:
        console.print(_table(shown, wide=console.width >= _WIDE))
        console.print(
            dim(
                "b is better or worse than a; undecided: the 95 % intervals overlap; blank: no "
                "interval, or no better direction. Intervals "
                "cover sampling inside a run; other seeds may differ: compare SCENARIO --vary KEY"
            )
        )
    if left_out := len(comparison.differences) - len(shown):
        console.print(dim(f"{left_out} more differ less, are equal or of one class: --all"))
    if comparison.same_trace:
        console.print("The traces are identical, byte for byte.")
    elif comparison.divergence is not None:
        console.print(
            f"Same (seed, scenario hash, build) but different traces: {comparison.divergence.text}",
            soft_wrap=True,
        )


def _named(run: Run) -> str:
    return f"{run.name} · seed {run.seed} · scenario {run.scenario_hash[:12]} · build {run.build}"


def _show_changes(console: Console, changes: tuple[KeyChange, ...]) -> None:
    for change in changes[:_KEYS]:
        line = f"   {change.key}: {_short(change.a)} → {_short(change.b)}"
        console.print(Text(line), soft_wrap=True)
    if (more := len(changes) - _KEYS) > 0:
        console.print(dim(f"   and {more} more keys"))


def _short(known: object) -> str:
    """A scenario's value as text; a long one is cut."""
    if known is None:
        return "–"
    text = known if isinstance(known, str) else json.dumps(known, ensure_ascii=False)
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _table(shown: Sequence[Difference], *, wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("measure", overflow="fold", min_width=30 if wide else None)
    for run in ("a", "b"):
        table.add_column(run, justify="right", no_wrap=True)
        if wide:
            table.add_column("95 % interval", style="dim", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("b is", no_wrap=True)
    for difference in shown:
        cells = []
        for measure in (difference.a, difference.b):
            known = measure is not None and measure.value is not None
            cells.append(value(measure.value, difference.unit) if measure and known else "–")
            if wide:
                cells.append(interval(measure) if measure else "")
        found = _judged(difference)
        table.add_row(
            title_of(difference.name),
            *cells,
            _change(difference),
            Text(found, style=_STYLE.get(found, "")),
        )
    return table


def _ranked(comparison: Comparison) -> list[Difference]:
    """What differs: measures that limits bound first, then those whose intervals are disjoint, by
    significance, then those without intervals and the others, by relative change."""
    order = {name: i for i, name in enumerate(comparison.limited)}

    def rank(one: Difference) -> tuple[float, float, float]:
        if one.name in order:
            return (0, order[one.name], 0)
        groups = {False: 1, None: 2, True: 3}
        return (groups[one.overlap], -one.gap if one.overlap is False else 0, -_relative(one))

    return sorted((d for d in comparison.differences if _differs(d)), key=rank)


def _relative(difference: Difference) -> float:
    """Size of the change over the larger of the two values."""
    values = [m.value or 0.0 for m in (difference.a, difference.b) if m is not None]
    largest = max((abs(value) for value in values), default=0.0)
    return abs(difference.change or 0.0) / largest if largest else 0.0


def _differs(difference: Difference) -> bool:
    """Whether a measure is shown: one of the whole run if the values differ, one of a class only if
    the intervals are disjoint."""
    if "." in difference.name:
        return difference.overlap is False
    a, b = (m.value if m else None for m in (difference.a, difference.b))
    return a != b and not (a is None and b is None)


def _judged(difference: Difference) -> str:
    """Whether b is better, if the measure has a better direction and both runs an interval."""
    better = MEASURES[difference.name].better
    if not difference.change or difference.overlap is None or better is Better.NEITHER:
        return ""
    if difference.overlap:
        return "undecided"
    return "better" if (difference.change > 0) == (better is Better.MORE) else "worse"


def _change(difference: Difference) -> str:
    """b against a: in percent or as a factor; the difference of shares (in points), of measures
    that can be below zero, and from zero."""
    change, a = difference.change, difference.a
    if not change or a is None or a.value is None:
        return ""
    if difference.unit == "share":
        text = f"{number(100 * change)} points"
    elif MEASURES[difference.name].signed or not a.value:
        text = value(change, difference.unit)
    elif change / a.value >= _FACTOR - 1:
        return f"× {number(float(f'{1 + change / a.value:.3g}'))}"
    else:
        text = f"{number(100 * change / a.value)} %"
    return f"+{text}" if change > 0 else text
