"""One run: scenario → trace → measures → verdict, and its output files."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from polars import selectors as cs

from surgetank.errors import SurgetankError
from surgetank.measure import Measures, failures, measure
from surgetank.measure.book_accounts import book_accounts
from surgetank.output_folder import claimed, write_file
from surgetank.positions import PositionBook
from surgetank.scenario import Scenario, load
from surgetank.shown import Shown
from surgetank.simulate import Progress, simulate
from surgetank.tape import Tape
from surgetank.trace import Trace
from surgetank.verdict import Verdict, judge
from surgetank.verdict.junit import write_junit

if TYPE_CHECKING:
    from surgetank.live import LiveOptions, Watch

__all__ = ["ReportPage", "Result", "can_journal", "run", "write"]


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """The result of a run."""

    scenario: Scenario
    trace: Trace
    measures: Measures
    verdict: Verdict
    out: Path | None
    """The folder written, if any."""

    def in_short(self) -> str:
        """Verdict and name of the run."""
        run = self.trace.run
        return f"{self.verdict.status} {run.name} seed {run.seed} scenario {run.scenario_hash[:12]}"

    def report(self, path: str | Path | None = None) -> ReportPage:
        """The run's report, which a notebook shows; with `path` it is also written there.

        Raises:
            SurgetankError: the file cannot be written.
        """
        from surgetank.report import render
        from surgetank.report.shell import save

        found = ReportPage(render(self.trace, self.measures, self.verdict))
        if path is not None:
            save(found.html, path)
        return found


@dataclass(frozen=True)
class ReportPage:
    """The page of a report as HTML, which a notebook shows in a frame."""

    html: str

    def __repr__(self) -> str:
        return f"<ReportPage of {len(self.html) / 1e3:,.0f} kB>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its style and scripts stay in it."""
        page = escape(self.html, quote=True)
        size = 'width="100%" height="800" style="border:0"'
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" {size}></iframe>'


def run(
    scenario: Scenario | str | Path,
    *,
    seed: int | None = None,
    tape: Tape | None = None,
    positions: PositionBook | None = None,
    out: str | Path | None = None,
    force: bool = False,
    report: bool = False,
    progress: Progress | None = None,
    target: str | None = None,
    options: LiveOptions | None = None,
    watch: Watch | None = None,
    journal: Path | None = None,
) -> Result:
    """Runs a scenario and judges it.

    `out` is a folder for the trace, `verdict.json` and `junit.xml` (and `report.html` with
    `report`); nothing is written without it. The name of the run is (seed, scenario hash, build);
    the same name gives the same bytes.

    With `target`, a URL such as `nats:`, the scenario is run with `options` against that live
    system instead of being simulated, and `watch` is called with readings (docs/targets.md).
    `venue:` is a venue of `surgetank serve`, on which the scenario's actors trade with money if it
    has a market (docs/venue.md), and which its messages load as orders if not
    (docs/target-venue.md).

    With `positions`, the market opens with the accounts of that book (docs/positions.md).

    `journal` is a file for the simulated venue's journal (docs/journal.md).

    Raises:
        SurgetankError: if the scenario, the tape, the book or the folder is not usable.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    if tape is not None:
        chosen = chosen.with_tape(tape)
    if positions is not None:
        chosen = chosen.with_positions(positions)
    if journal is not None:
        can_journal(journal, target)
    with nullcontext() if out is None else claimed(Path(out), force=force) as folder:
        if target is None:
            trace = simulate(chosen, seed=seed, progress=progress, journal=journal)
        else:
            trace = _live(chosen, target, seed, options, progress=progress, watch=watch)
        measures = measure(trace)
        verdict = judge(measures, chosen.limits.as_mapping(), trace)
        if folder is not None:
            write(folder, trace, measures, verdict, report=report)
    return Result(chosen, trace, measures, verdict, folder)


def _live(
    scenario: Scenario,
    target: str,
    seed: int | None,
    options: LiveOptions | None,
    *,
    progress: Progress | None,
    watch: Watch | None,
) -> Trace:
    from surgetank.live.venue import plays_money

    if plays_money(target, scenario):
        from surgetank.live.venue.money import play

        return play(scenario, url=target, seed=seed, options=options, progress=progress)
    from surgetank.live import Rig

    with Rig(target, options, faults=scenario.faults) as rig:
        return rig.run(scenario, seed=seed, watch=watch)


def can_journal(journal: Path, target: str | None) -> None:
    """Checks before the run that a journal can be written after it."""
    if target is not None:
        hint = "Leave --journal out: a live system keeps a log of its own"
        raise SurgetankError("only a simulated venue writes one", place="--journal", hint=hint)
    if journal.exists() or not journal.parent.is_dir():
        what = "exists already" if journal.exists() else "is in a folder that does not exist"
        raise SurgetankError(what, place=str(journal), hint="Give another --journal")


def write(
    folder: Path, trace: Trace, measures: Measures, verdict: Verdict, *, report: bool
) -> None:
    """Writes all files of a run into an existing folder."""
    trace.save(folder)
    content = verdict.to_dict() | {
        "failures": [failure.to_dict() for failure in failures(trace)],
        "measures": measures.to_dict(),
    }
    (folder / "verdict.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    write_junit(verdict, trace.run, folder / "junit.xml")
    accounts = book_accounts(trace)
    if accounts is not None:
        # Digits beyond these say only that a binary fraction is near a decimal one.
        text = accounts.with_columns(cs.float().round_sig_figs(12)).write_csv()
        write_file(folder / "accounts.csv", text, hint="Choose another folder")
    if trace.stats.live is not None:
        from surgetank.live.export.histogram import write_log

        write_log(trace, folder / "delays.hlog")
    if report:
        from surgetank.report import write as write_report

        write_report(trace, measures, verdict, folder / "report.html")
