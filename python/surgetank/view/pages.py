"""The pages that `surgetank view` serves: the list, a result's page, a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from surgetank.compare.folders import compare_folders, compare_paths
from surgetank.errors import SurgetankError
from surgetank.league import League
from surgetank.measure import measure
from surgetank.report import render
from surgetank.report.comparison import render_comparison
from surgetank.report.frontier import render_frontier
from surgetank.report.league import render_league
from surgetank.report.risk import render_risk
from surgetank.report.search import render_search
from surgetank.report.shell import render_template
from surgetank.risk import Risk
from surgetank.search import Answer, Frontier
from surgetank.trace import Trace
from surgetank.verdict import judge
from surgetank.view.entries import KINDS, Entry

__all__ = ["Wanted", "comparison_page", "list_page", "message_page", "page_of"]

#: Columns by which the list can be sorted, with their headings.
SORTS = {
    "name": "Result",
    "kind": "Kind",
    "verdict": "Verdict",
    "scenario": "Scenario",
    "seed": "Seed",
    "written": "Written",
}


@dataclass(frozen=True)
class Wanted:
    """What of the list is asked for, and in which order."""

    text: str = ""
    kind: str = ""
    verdict: str = ""
    sort: str = "written"
    down: bool = True

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Wanted:
        """From the parameters of an address; what is not known is left out."""
        sort = asked.get("sort", "")
        if sort not in SORTS:
            return cls(asked.get("q", ""), asked.get("kind", ""), asked.get("verdict", ""))
        down = asked.get("order") == "down"
        return cls(asked.get("q", ""), asked.get("kind", ""), asked.get("verdict", ""), sort, down)

    def address(self, sort: str) -> str:
        """The list sorted by a column; in the other direction if it is sorted by that already."""
        down = not self.down if sort == self.sort else sort == "written"
        order = "down" if down else "up"
        asked = {"q": self.text, "kind": self.kind, "verdict": self.verdict, "sort": sort}
        return f"/?{urlencode({k: v for k, v in asked.items() if v} | {'order': order})}"

    def chosen(self, entries: Mapping[str, Entry]) -> list[Entry]:
        """The entries that are asked for, in their order."""
        words = self.text.lower().split()
        found = [
            one
            for one in entries.values()
            if self.kind in ("", one.kind)
            and self.verdict in ("", one.facts.verdict)
            and all(word in one.words for word in words)
        ]
        return sorted(found, key=self._key, reverse=self.down)

    def _key(self, one: Entry) -> tuple[object, ...]:
        facts = one.facts
        keys: dict[str, tuple[object, ...]] = {
            "name": (one.id,),
            "kind": (one.kind, one.id),
            "verdict": (facts.verdict, one.id),
            "scenario": (facts.scenario, one.id),
            "seed": (int(facts.seed) if facts.seed.isdecimal() else -1, one.id),
            "written": (one.written, one.id),
        }
        return keys[self.sort]


def list_page(folder: Path, entries: Mapping[str, Entry], wanted: Wanted) -> str:
    """The list of all results, filtered and sorted as wanted."""
    shown = wanted.chosen(entries)
    return render_template(
        "view.html.j2",
        scripts=("view.js",),
        status="",
        folder=str(folder),
        total=len(entries),
        shown=shown,
        wanted=wanted,
        sorts=SORTS,
        kinds=[kind.name for kind in KINDS.values()],
        verdicts=sorted({e.facts.verdict for e in entries.values() if e.facts.verdict}),
        comparable=sum(one.run is not None for one in shown) > 1,
    )


def message_page(title: str, text: str) -> str:
    """A page with a sentence and the way back."""
    return render_template("message.html.j2", status="", title=title, text=text)


def page_of(entry: Entry, root: Path) -> str:
    """The page of a result: the file that was written with it, or made now; nothing is written.

    Raises:
        SurgetankError: there is none, and it cannot be made.
    """
    file = entry.folder / entry.page
    if file.is_file() and file.resolve().is_relative_to(root.resolve()):
        return file.read_text(encoding="utf-8", errors="replace")
    folder = entry.folder
    match entry.kind:
        case "run":
            trace = Trace.load(folder)
            measures = measure(trace)
            return render(
                trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace)
            )
        case "search":
            return render_search(Answer.read(folder))
        case "league":
            return render_league(League.read(folder))
        case "frontier":
            return render_frontier(Frontier.read(folder))
        case "risk":
            return render_risk(Risk.read(folder))
    hint = f"`surgetank {entry.kind} FILE --out FOLDER --force` writes it again"
    raise SurgetankError("is not there", place=f"{entry.id}/{entry.page}", hint=hint)


def comparison_page(a: Entry, b: Entry, entries: Mapping[str, Entry], *, seeds: bool) -> str:
    """Run b against run a; with `seeds`, all runs of both scenarios and builds, paired by seed.

    Raises:
        SurgetankError: they cannot be compared.
    """
    if a.run is None or b.run is None:
        raise SurgetankError("only runs can be compared here", place=f"{a.id} {b.id}")
    if not seeds:
        compared = compare_folders(a.folder, b.folder)
    else:
        sides = (_of_scenario(a, entries), _of_scenario(b, entries))
        compared = compare_paths(*sides, place=f"{a.id} {b.id}")
    return render_comparison(compared.comparison, compared.traces, (a.id, b.id))


def _of_scenario(of: Entry, entries: Mapping[str, Entry]) -> dict[int, Path]:
    """The runs of the same scenario and build, by seed; of two of one seed, the chosen one, else
    the latest."""
    assert of.run is not None
    found: dict[int, Path] = {of.run.seed: of.folder}
    for one in entries.values():
        run = one.run
        if run and (run.scenario_hash, run.build) == (of.run.scenario_hash, of.run.build):
            found.setdefault(run.seed, one.folder)
    return found
