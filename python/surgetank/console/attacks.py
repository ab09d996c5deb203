"""Terminal output of the search for attacks that pay."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surgetank.attacker import BestResponse, Response
from surgetank.console.progress_bar import RunsBar
from surgetank.number_format import usd
from surgetank.verdict import Status

__all__ = ["AttackWatch", "show_response"]

_PAYS: Final = {True: "pays", False: "does not pay", None: "undecided"}
_STYLE: Final = {True: "red", False: "green", None: "yellow"}


class AttackWatch(RunsBar):
    """Runs done and the time left, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "attacks", hidden=hidden)

    def __call__(self, kind: str, done: int, total: int) -> None:
        """Shows the progress of a kind of attack."""
        self.advance(done, total, kind)


def show_response(found: BestResponse, console: Console) -> None:
    """The best strategy of each kind, its gain, and the conclusion."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("attack", "left"), ("gain of its best strategy", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("interval", justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("settings", overflow="fold")
    for row in found.responses:
        table.add_row(
            row.kind,
            usd(row.gain.mean),
            f"{usd(row.gain.low)} – {usd(row.gain.high)}",
            Text(_PAYS[row.pays], style=_STYLE[row.pays]),
            _settings(row),
        )
    console.print(table)
    for reason in found.left_out:
        console.print(Text(f"left out: {reason}", style="dim"))
    for reason in found.invalid:
        console.print(Text(f"INVALID: {reason}", style="red"))
    console.print(Text(_sentence(found), style="bold"))
    console.print(
        Text(
            f"{found.runs:,} runs; strategies chosen on seeds {found.search_seeds[0]}–"
            f"{found.search_seeds[-1]}, gains measured on {found.fresh_seeds[0]}–"
            f"{found.fresh_seeds[-1]}; 95 % simultaneous intervals.",
            style="dim",
        )
    )


def _settings(row: Response) -> str:
    values = row.strategy.values.items()
    return " ".join(f"{key}={v:,.0f}" if abs(v) >= 100 else f"{key}={v:.3g}" for key, v in values)


def _sentence(found: BestResponse) -> str:
    if found.status is Status.INVALID:
        return f"{len(found.invalid)} runs are INVALID; what they gained is not known."
    if found.status is Status.FAIL:
        best = next(row for row in found.responses if row.pays)
        return f"The best attack found gains {usd(found.gain_usd)} per run: {best.kind}."
    if found.status is Status.PASS:
        return "None of the strategies tried pays: the best response found is not to attack."
    needed = found.seeds_needed
    more = (
        ""
        if needed is None
        else f"; about {needed:,} fresh seeds would decide it (--fresh {needed})"
    )
    return f"Whether an attack pays is undecided with these seeds{more}."
