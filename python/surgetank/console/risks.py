"""Terminal output of a risk answer: the distribution, who bears it, and what would change it."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import RISKS
from surgetank.catalogue.families import BEARER
from surgetank.console.progress_bar import RunsBar
from surgetank.console.runs import COLOURS, MARKS
from surgetank.console.terminal import dim
from surgetank.number_format import NBSP, usd, value
from surgetank.risk import Risk, RiskEstimate
from surgetank.risk.groups import group_title
from surgetank.risk.paired import DebtDifference, DebtEffect
from surgetank.scenario.recording import ONE_RECORDING
from surgetank.verdict import NO_LIMITS, Status

__all__ = ["RiskWatch", "show_risk"]

_BORNE: Final = ("bad_debt_mean_usd", "bad_debt_es95_usd")


class RiskWatch(RunsBar):
    """Runs done and the time left, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "risk", hidden=hidden)

    def __call__(self, done: int, total: int) -> None:
        """Shows how many runs are done."""
        self.advance(done, total)


def show_risk(console: Console, found: Risk) -> None:
    """The verdict and sentence, then the tables."""
    status = found.verdict.status
    mark = Text(f" {MARKS[status]} {status} ", style=COLOURS[status])
    console.print(mark, Text(found.sentence), sep=" ")
    for reason in found.reasons:
        mark = Text(MARKS[reason.status], style=COLOURS[reason.status])
        console.print(mark, Text(reason.text), sep=" ")
    if status is Status.NO_LIMIT:
        console.print(dim(f"{NO_LIMITS} (--limit NAME=USD sets one)"))
    if found.invalid:
        for one in found.invalid[1:10]:
            console.print(dim(f"seed {one.seed}: {one.why}"))
        return
    console.print(_distribution(found))
    if found["bad_debt_probability"].value:
        console.print(_bearers(found))
        for division in found.divisions:
            console.print(_causes(found, division))
    if found.effects:
        console.print(_changes(found))
        for effect in found.effects:
            if not effect.differences:
                said = "Not tried" if effect.left_out else "No result for"
                console.print(dim(f"{said}: {effect.text} ({effect.why})"))
    seeds = f"{len(found.seeds):,} runs, seeds {found.seeds[0]} to {found.seeds[-1]}"
    console.print(dim(f"95{NBSP}% intervals; {seeds}."))
    if found.recording:
        console.print(dim(ONE_RECORDING))


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, title=Text(title), title_justify="left")
    table.title_style = "bold"
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _distribution(found: Risk) -> Table:
    """One row per quantity of all bad debt."""
    table = _table("Bad debt of a run", "value", f"95{NBSP}% interval")
    for name, spec in RISKS.items():
        one = found[name]
        table.add_row(spec.short or spec.title, _value(one), _interval(one))
    return table


def _value(one: RiskEstimate) -> str:
    return "UNKNOWN" if one.value is None else value(one.value, one.spec.unit)


def _interval(one: RiskEstimate) -> str:
    unit = one.spec.unit
    if one.value is None:
        least = "" if not one.low else f"at least {value(one.low, unit)}; "
        return f"{least}needs {one.needed:,} runs"
    if one.low is None or one.high is None:
        return one.without_interval
    return f"{value(one.low, unit)} to {value(one.high, unit)}"


def _bearers(found: Risk) -> Table:
    """Who bears it: mean and expected shortfall of each bearer with a loss."""
    table = _table("Borne by", *(RISKS[name].short for name in _BORNE))
    for bearer in BEARER.members:
        of = [found[f"{name}.{bearer}"] for name in _BORNE]
        if found.losses.bearers[bearer].any():
            table.add_row(BEARER.title(bearer), *(_with_ends(one) for one in of))
    return table


def _with_ends(one: RiskEstimate) -> str:
    return (
        _value(one) if one.low is None or one.high is None else f"{_value(one)} ({_interval(one)})"
    )


def _causes(found: Risk, division: str) -> Table:
    """Each group's contribution to the mean and to the expected shortfall."""
    table = _table(f"Caused by accounts, by {division}", *(RISKS[name].short for name in _BORNE))
    groups = [one for one in found.contributions if one.division == division]
    for one in groups:
        shortfall = "UNKNOWN"
        if one.shortfall is not None:
            shortfall = _allocated(one.shortfall, one.shortfall_ends)
        table.add_row(
            group_title(division, one.member), _allocated(one.mean, one.mean_ends), shortfall
        )
    return table


def _allocated(usd_: float, ends: tuple[float, float] | None) -> str:
    return usd(usd_) if ends is None else f"{usd(usd_)} ({usd(ends[0])} to {usd(ends[1])})"


def _changes(found: Risk) -> Table:
    """One row per change: mean and expected shortfall, less those without it."""
    table = _table("With a change, less without", "mean", "expected shortfall 95 %")
    for effect in found.effects:
        if effect.differences:
            cells = (_difference(effect, of) for of in ("mean", "es95"))
            table.add_row(Text(effect.text), *cells)
    return table


def _difference(effect: DebtEffect, of: str) -> Text:
    """The difference, its interval below it, and whether it is significant."""
    one: DebtDifference = effect.differences[of]
    if one.low is None or one.high is None:
        return Text("UNKNOWN", style="dim")
    style = "green" if one.reduces else "red" if one.raises else "dim"
    head = _signed(one.value) if one.reduces or one.raises else "no effect shown"
    return Text(f"{head}\n{_signed(one.low)} to {_signed(one.high)}", style=style)


def _signed(x: float) -> str:
    return f"+{usd(x)}" if x > 0 else usd(x)
