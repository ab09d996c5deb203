"""Terminal output of the comparison of two runs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import title_of
from surgetank.compare import ChangeFinding, ComparedSide, Comparison, Difference, KeyChange
from surgetank.console.progress_bar import Bar
from surgetank.console.terminal import dim
from surgetank.number_format import value
from surgetank.report.comparison.wording import basis, change_text, key_text, of_scenarios
from surgetank.report.measure_text import interval

__all__ = ["Reading", "show_comparison"]

#: From this width on, the table has room for the intervals of both runs.
_WIDE = 150
#: Most scenario keys shown, most characters of a value, and most measures: a screen of 40 lines.
_KEYS, _CHARACTERS, _ROWS = 8, 40, 16
#: Properties that the line of each side names.
_IN_NAME = ("scenario", "scenario hash", "seed", "seeds", "build")
#: Findings of which the table says nothing: equal values, and those without an interval.
_SILENT = (ChangeFinding.EQUAL, ChangeFinding.UNKNOWN)
_LEGEND = (
    "b is better, worse or changed (neither is better) by more than noise, or undecided; blank: no "
    "interval."
)
_STYLE = {ChangeFinding.BETTER: "green", ChangeFinding.WORSE: "red", ChangeFinding.UNDECIDED: "dim"}


class Reading(Bar):
    """The progress of reading and measuring the runs of a comparison."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "reading runs", hidden=hidden)

    def __call__(self, done: int, total: int) -> None:
        """Shows how many of all runs were read."""
        self._bar.update(self._task, completed=done, total=total)


def show_comparison(console: Console, comparison: Comparison, *, whole: bool = False) -> None:
    """Two runs side by side on one screen: which keys differ, then the measures that limits bound
    and those that differ most; with `whole` every measure, also of classes and if equal."""
    for name, side in (("a", comparison.a), ("b", comparison.b)):
        console.print(Text.assemble((f"{name}  ", "bold"), _named(side)), soft_wrap=True)
    if two := of_scenarios(comparison):
        console.print(Text(two))
    _show_changes(console, comparison)
    shown = comparison.differences if whole else _ranked(comparison)[:_ROWS]
    if shown:
        console.print(_table(shown, wide=console.width >= _WIDE))
        console.print(dim(f"{_LEGEND} {basis(comparison)}"))
    if comparison.invalid:
        console.print("A run is INVALID: its measures say nothing about the venue.")
    if left_out := len(comparison.differences) - len(shown):
        console.print(dim(f"{left_out} more differ less, are equal or of one class: --all"))
    if comparison.same_trace:
        console.print("The traces are identical, byte for byte.")
    elif comparison.divergence is not None:
        console.print(
            f"Same (seed, scenario hash, build) but different traces: {comparison.divergence.text}",
            soft_wrap=True,
        )


def _named(side: ComparedSide) -> str:
    run, seeds = side.run, ", ".join(map(str, side.seeds))
    words = f"{run.name} · seed{'s' if len(side.seeds) > 1 else ''} {seeds} · scenario "
    return f"{words}{run.scenario_hash[:12]} · build {run.build}"


def _show_changes(console: Console, comparison: Comparison) -> None:
    files = (one for one in comparison.properties if one.differs and one.name not in _IN_NAME)
    changes = [*(KeyChange(one.name, one.a or None, one.b or None) for one in files)]
    changes += comparison.changes
    for change in changes[:_KEYS]:
        line = f"   {change.key}: {key_text(change.a, _CHARACTERS)} → "
        line += key_text(change.b, _CHARACTERS)
        console.print(Text(line), soft_wrap=True)
    if (more := len(changes) - _KEYS) > 0:
        console.print(dim(f"   and {more} more keys"))


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
        found = difference.finding
        table.add_row(
            title_of(difference.name),
            *cells,
            change_text(difference),
            Text("" if found in _SILENT else found, style=_STYLE.get(found, "")),
        )
    return table


def _ranked(comparison: Comparison) -> list[Difference]:
    """What differs: measures that limits bound first, then by how far they exceed the noise."""
    order = {name: i for i, name in enumerate(comparison.limited)}
    shown = [one for one in comparison.ranked if _differs(one)]
    return sorted(shown, key=lambda one: order.get(one.name, len(order)))


def _differs(difference: Difference) -> bool:
    """Whether a measure is shown: one of the whole run if the values differ, one of a class only if
    they differ by more than the noise."""
    if "." in difference.name:
        return difference.exceeds_noise
    a, b = (m.value if m else None for m in (difference.a, difference.b))
    return a != b and not (a is None and b is None)
