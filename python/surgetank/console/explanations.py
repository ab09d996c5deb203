"""Terminal output of an explanation."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.catalogue.families import WAIT
from surgetank.console.progress_bar import RunsBar
from surgetank.console.terminal import dim
from surgetank.explain import Explanation
from surgetank.explain.interventions import FASTER, FREE
from surgetank.explain.paired import Effect, Gain
from surgetank.number_format import NBSP, share

__all__ = ["ExplainWatch", "show_explanation"]

#: Rows whose share and whose gains are all below this are left out.
_SHOWN = 0.005
_TITLES: Final = {FASTER: "twice as fast", FREE: "free"}
_NOTES: Final = {
    "computation": "contains validation, execution and consensus",
    "faults": "“twice as fast” halves their durations, “free” removes them",
}


class ExplainWatch(RunsBar):
    """Runs done and the time left, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "explain", hidden=hidden)

    def __call__(self, done: int, total: int) -> None:
        """Shows how many runs are done."""
        self.advance(done, total)


def show_explanation(console: Console, found: Explanation) -> None:
    """The conclusion, then the share of latency of each resource beside the gain."""
    console.print(Text(found.sentence, style="bold"))
    table = Table(box=None, pad_edge=False)
    table.add_column("resource")
    tried = {effect.factor for effect in found.effects}
    factors = [factor for factor in _TITLES if factor in tried]
    titles = [title for factor in factors for title in (f"{_TITLES[factor]}: mean", "p99")]
    table.add_column("share of\nlatency", justify="right", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right")
    shown = set()
    by = {(effect.resource, effect.factor): effect for effect in found.effects}
    for resource in dict.fromkeys(effect.resource for effect in found.effects):
        pair = [by.get((resource, factor)) for factor in factors]
        if any(effect is not None and _matters(effect) for effect in pair):
            known = next(effect for effect in pair if effect is not None)
            cells = [
                _gain_text(effect, of, found, "\n" if len(factors) > 1 else " ")
                for effect in pair
                for of in ("mean", "p99")
            ]
            table.add_row(WAIT.title(resource), share(known.share), *cells)
            shown.add(resource)
    for name in found.untried:
        table.add_row(WAIT.title(name), share(found.shares[name]), "no change to try")
    console.print(table)
    seeds = f"seeds {found.seeds[0]} to {found.seeds[-1]}, paired"
    text = (
        "Shares are means over seeds; changes of latency with 95 % intervals, simultaneous over all"
    )
    console.print(dim(f"{text}; {seeds}."))
    for resource, note in _NOTES.items():
        if resource in shown:
            console.print(dim(f"{WAIT.title(resource)}: {note}."))
    for one in found.left_out:
        how = f"{WAIT.title(one.resource)} × {one.factor:g}"
        console.print(dim(f"No result for {how}: {one.why}"))
    if any(found.endless.values()):
        text = "; ".join(
            f"{of} in {n} of {len(found.seeds)} seeds" for of, n in found.endless.items() if n
        )
        console.print(dim(f"Infinite, because too many messages were never executed: {text}."))
    for reason in found.invalid[1:]:
        console.print(Text(f"INVALID: {reason}", style="magenta"))


def _matters(effect: Effect) -> bool:
    gains = [abs(gain.value) for gain in effect.gains.values() if gain is not None]
    return max([effect.share, *gains]) >= _SHOWN


def _gain_text(effect: Effect | None, of: str, found: Explanation, between: str) -> str:
    """The change of a latency, and its interval beside it or, with many columns, below it."""
    if effect is None:
        return ""
    gain = effect.gains[of]
    if gain is None:
        return "∞ before" if found.endless.get(of) else ""
    return _change(gain, between)


def _change(gain: Gain, between: str) -> str:
    text = f"{-gain.value:+,.0%}{between}({-gain.high:+,.0%} to {-gain.low:+,.0%})"
    return text.replace("-", "−").replace("%", f"{NBSP}%")
