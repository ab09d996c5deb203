"""Terminal output of a league."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from surgetank.catalogue import THRESHOLDS
from surgetank.console.progress_bar import RunsBar
from surgetank.console.searches import SearchWatch
from surgetank.console.terminal import dim
from surgetank.league import League, LeagueProgress
from surgetank.league.columns import short, unit_of
from surgetank.report.league import wording
from surgetank.report.league.wording import LeagueRow

__all__ = ["LeagueWatch", "show_league"]

#: Width of a measure's column, and of the columns before it.
_COLUMN, _BEFORE = 17, 40
_NARROW = 15
#: From this width on, a standing's interval is beside its value.
_ONE_LINE = 120
#: A width in which every table fits.
_UNBOUNDED = 10_000
#: Tables with more rows than this are shown on the page only.
_ROWS_MAX = 24


class LeagueWatch(RunsBar):
    """Runs done, then each search's bracket, on standard error."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        super().__init__(console, "league", hidden=hidden)
        self._search = SearchWatch(console, hidden=hidden)
        self._searching = False

    def stop(self) -> None:
        """Removes what is shown, the searches' progress or its own."""
        if self._searching:
            self._search.stop()
        else:
            super().stop()

    def __call__(self, seen: LeagueProgress) -> None:
        """Shows how many runs are done."""
        if seen.search is not None:
            if not self._searching:
                # One live display at a time.
                super().stop()
                self._search.start()
                self._searching = True
            self._search(seen.search, seen.what)
            return
        self.advance(seen.done, seen.of, seen.what)


def show_league(console: Console, found: League) -> None:
    """The standings, the table of entrants × attacks, and warnings."""
    console.print(
        Text.assemble(
            (f"League of {found.scenario}", "bold"),
            f": {wording.size(found)}, ranked by {short(found.rank)} in the worst case",
        ),
        highlight=False,
    )
    console.print(wording.sentence(found), highlight=False)
    if wording.undecided(found):
        console.print(wording.undecided(found), highlight=False)
    _show_standings(console, found)
    _show_map(console, found)
    _show_cells(console, found)
    _show_searches(console, found)
    for note in wording.notes(found):
        console.print(Text.assemble(("Note:", "bold yellow"), f" {note}"))
    console.print(
        f"{found.runs} runs · {found.messages:,} messages · seeds {found.seed} to "
        f"{found.seed + found.seeds - 1} · scenario {found.scenario_hash[:12]} · "
        f"build {found.build}",
        style="dim",
        soft_wrap=True,
        highlight=False,
    )


def _show_standings(console: Console, found: League) -> None:
    """With as many of the measures beside the ranking one as fit into the terminal's width."""
    rows = wording.league_rows(found)
    wide = console.width >= _ONE_LINE
    unbounded = console.options.update(max_width=_UNBOUNDED)
    beside = len(rows[0].others)
    table = _standings(found, rows, beside, wide=wide)
    while beside and Measurement.get(console, unbounded, table).maximum > console.width:
        beside -= 1
        table = _standings(found, rows, beside, wide=wide)
    console.print(table, highlight=False)


def _standings(found: League, rows: Sequence[LeagueRow], beside: int, *, wide: bool) -> Table:
    """The standings with this many measures beside; not `wide`: the interval below the value."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("entrant", no_wrap=True)
    table.add_column(f"worst {short(found.rank)}", no_wrap=True)
    if len(found.attacks) > 1:
        table.add_column("under")
    table.add_column("difference from the first")
    for name, _ in rows[0].others[:beside]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        mark = " ⚠ INVALID" if row.invalid else ""
        between = " " if wide else "\n"
        span = f"{between}({row.interval_text})" if row.interval_text else ""
        cells: list[str | Text] = [
            row.place,
            Text.assemble(row.name, (mark, "bold magenta")),
            Text.assemble(row.worst, (span, "dim")),
        ]
        cells += [row.attack] if len(found.attacks) > 1 else []
        table.add_row(*cells, row.significant, *(text for _, text in row.others[:beside]))
    return table


def _show_map(console: Console, found: League) -> None:
    """Entrants × attacks in the measure that ranks, split into several tables where the terminal is
    too narrow."""
    if len(found.attacks) < 2 or found.rank in THRESHOLDS:
        return
    unit = unit_of(found.rank)
    room = max(2, (console.width - _BEFORE // 2) // _NARROW)
    for i in range(0, len(found.attacks), room):
        part = found.attacks[i : i + room]
        table = Table(box=None, pad_edge=False)
        table.add_column(short(found.rank) if i == 0 else "")
        for attack in part:
            table.add_column(attack, justify="right", overflow="fold")
        for standing in found.standings:
            name = standing.entrant.name
            cells = [
                wording.value_text(found.estimate(name, a, found.rank).mean, unit) for a in part
            ]
            table.add_row(name, *cells)
        console.print(table, highlight=False)


def _show_searches(console: Console, found: League) -> None:
    """The results of the searches."""
    rows = wording.search_rows(found)
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("entrant", "attack", *(name for name, _ in rows[0].cells)):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(row.name, row.attack, *(text for _, text in row.cells))
    console.print(table, highlight=False)


def _show_cells(console: Console, found: League) -> None:
    """Each entrant under each attack, with as many measures as fit into the terminal's width."""
    if len(found.entrants) * len(found.attacks) > _ROWS_MAX:
        console.print(dim("Every measure with its interval: league.html and league.csv"))
        return
    room = max(3, (console.width - _BEFORE) // _COLUMN)
    names = found.shown[:room]
    table = Table(box=None, pad_edge=False, title="Mean over seeds, 95 % interval below")
    table.title_justify = "left"
    table.add_column("entrant", overflow="fold")
    table.add_column("attack", overflow="fold")
    for name in names:
        table.add_column(short(name), justify="right", overflow="fold")
    for standing in found.standings:
        entrant = standing.entrant.name
        for i, attack in enumerate(found.attacks):
            cells = []
            for name in names:
                e, unit = found.estimate(entrant, attack, name), unit_of(name)
                span = wording.interval_text(e, unit)
                fewer = f", {e.n} of {found.seeds}" if 0 < e.n < found.seeds else ""
                below = f"\n{span}{fewer}" if span or fewer else ""
                cells.append(Text.assemble(wording.value_text(e.mean, unit), (below, "dim")))
            bad = any(m.entrant == entrant and m.attack == attack for m in found.invalid)
            mark = (" ⚠" if bad else "", "bold magenta")
            table.add_row("" if i else entrant, Text.assemble(attack, mark), *cells)
    console.print(table, highlight=False)
    more = len(found.shown) - len(names)
    if more:
        what = "measure" if more == 1 else "measures"
        console.print(dim(f"{more} more {what} in league.html and league.csv"))
