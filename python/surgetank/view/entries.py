"""What lies in a folder: runs, searches, leagues, frontiers and risk answers; and what `book`,
`network` and `tape` say of a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from surgetank.catalogue import MEASURES, RISKS, short_of
from surgetank.errors import SurgetankError
from surgetank.league import League
from surgetank.number_format import number, share, usd, value
from surgetank.risk import Risk
from surgetank.search import Answer, Frontier
from surgetank.trace import Run, read_name

__all__ = ["KINDS", "Entry", "entries_in"]

#: Folders inside folders that are looked at.
_DEPTH: Final = 3
#: Measures of a run that the list shows.
_MEASURES: Final = ("delay_p99_ms", "goodput_ratio", "bad_debt_usd")
#: Quantities of a risk answer that the list shows.
_RISKS: Final = ("bad_debt_mean_usd", "bad_debt_es95_usd")


@dataclass(frozen=True)
class _Facts:
    """What the list says of an entry."""

    verdict: str
    scenario: str
    seed: str
    figures: tuple[tuple[str, str], ...] = ()
    """Title and text of its key numbers."""
    run: Run | None = None


@dataclass(frozen=True)
class Entry:
    """A result in the folder that is viewed."""

    id: str
    """Its folder, relative to the one that is viewed; `.` if it is that one."""
    folder: Path
    kind: str
    """A name of `KINDS`: `run`, `search`, `book` and so on."""
    page: str
    """Name of the file that is its page."""
    written: datetime
    facts: _Facts = field(default=_Facts("", "", ""))
    problem: str = ""
    """Why it cannot be read; empty if it can."""

    @property
    def run(self) -> Run | None:
        """The name of a run; None of anything else."""
        return self.facts.run

    @property
    def words(self) -> str:
        """What a reader's words are looked for in, in small letters."""
        facts = self.facts
        return " ".join((self.id, self.kind, facts.verdict, facts.scenario, facts.seed)).lower()


def _run(folder: Path) -> _Facts:
    run = read_name(folder)
    content = _json(folder / "verdict.json")
    measures = content["measures"]
    figures = tuple(
        (short_of(name), value(_number(measures[name]["value"]), MEASURES[name].unit))
        for name in _MEASURES
        if name in measures
        and measures[name]["value"] is not None
        # The numbers of a run that was not what was asked say nothing.
        and content["status"] != "INVALID"
    )
    return _Facts(content["status"], run.name, str(run.seed), figures, run)


def _search(folder: Path) -> _Facts:
    answer = Answer.read(folder)
    text = "none"
    if answer.estimate is not None:
        ends = (answer.ci_low, answer.ci_high)
        interval = "" if None in ends else f" ({number(ends[0] or 0)} to {number(ends[1] or 0)})"
        text = f"{number(answer.estimate)} {answer.unit}{interval}"
    return _Facts(answer.status, answer.scenario, str(answer.seed), ((answer.find, text),))


def _league(folder: Path) -> _Facts:
    found = League.read(folder)
    winner = found.winner or "none is significantly best"
    figures = (("entrants", str(len(found.entrants))), ("best", winner))
    return _Facts("", found.scenario, f"{found.seeds} seeds", figures)


def _frontier(folder: Path) -> _Facts:
    found = Frontier.read(folder)
    curves = ", ".join(curve.name for curve in found.curves)
    return _Facts("", found.scenario, "", (("curves", curves), ("points", str(len(found.points)))))


def _risk(folder: Path) -> _Facts:
    found = Risk.read(folder)
    figures = tuple(
        (RISKS[one.name].short or RISKS[one.name].title, usd(one.value))
        for one in found.estimates
        if one.name in _RISKS and one.value is not None
    )
    status = str(found.verdict.status)
    return _Facts(status, found.scenario, f"{len(found.seeds)} seeds", figures)


def _book(folder: Path) -> _Facts:
    content = _json(folder / "book.json")
    figures = (
        ("accounts", f"{content['accounts']:,}"),
        ("notional", usd(content["notional_usd"])),
        ("below maintenance", f"{content['below_maintenance']:,}"),
    )
    return _Facts("", Path(content["file"]).name, "", figures)


def _network(folder: Path) -> _Facts:
    content = _json(folder / "network.json")
    figures = (
        ("validators", f"{content['validators']:,}"),
        ("largest share", share(content["largest_share"])),
    )
    return _Facts("", ", ".join(Path(file).name for file in content["files"]), "", figures)


def _tape(folder: Path) -> _Facts:
    content = _json(folder / "tape.json")
    figures = (
        ("span", value(content["span_s"], "s")),
        ("lowest price", usd(content["low_usd"])),
        ("highest price", usd(content["high_usd"])),
    )
    return _Facts("", Path(content["file"]).name, "", figures)


def _number(plain: Any) -> float:
    return float(plain)


def _json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hint = "Run the scenario again"
        raise SurgetankError("cannot be read", place=str(file), hint=hint) from None
    return content


@dataclass(frozen=True)
class _Kind:
    """A kind of result: the file that marks its folder, its page, and how it is read."""

    name: str
    page: str
    read: Callable[[Path], _Facts]


KINDS: Final[Mapping[str, _Kind]] = {
    "run.json": _Kind("run", "report.html", _run),
    "search.json": _Kind("search", "search.html", _search),
    "league.json": _Kind("league", "league.html", _league),
    "frontier.json": _Kind("frontier", "frontier.html", _frontier),
    "risk.json": _Kind("risk", "risk.html", _risk),
    "book.json": _Kind("book", "book.html", _book),
    "network.json": _Kind("network", "network.html", _network),
    "tape.json": _Kind("tape", "tape.html", _tape),
}
"""Kinds of results by the file that marks their folder."""


def entries_in(folder: Path, known: Mapping[str, Entry] | None = None) -> dict[str, Entry]:
    """The results in a folder and the folders inside it, the latest first; links to folders are
    not followed. Those of `known` that were not written again are not read again.

    Raises:
        SurgetankError: there is no such folder.
    """
    if not folder.is_dir():
        hint = "Name a folder with runs; `surgetank run` writes into runs/"
        raise SurgetankError("there is no such folder", place=str(folder), hint=hint)
    found = {}
    for inner, mark in _marked(folder, _DEPTH):
        id_ = inner.relative_to(folder).as_posix()
        written = datetime.fromtimestamp((inner / mark).stat().st_mtime)
        before = (known or {}).get(id_)
        same = before is not None and before.written == written
        found[id_] = before if same and before else _entry(id_, inner, KINDS[mark], written)
    return dict(sorted(found.items(), key=lambda item: item[1].written, reverse=True))


def _marked(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    mark = next((name for name in KINDS if (folder / name).is_file()), None)
    if mark is not None:
        yield folder, mark
        return
    if not depth:
        return
    try:
        inner = sorted(folder.iterdir())
    except OSError:
        return
    for path in inner:
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _marked(path, depth - 1)


def _entry(id_: str, folder: Path, kind: _Kind, written: datetime) -> Entry:
    try:
        facts, problem = kind.read(folder), ""
    except SurgetankError as error:
        facts, problem = _Facts("", "", ""), str(error)
    except (KeyError, TypeError, ValueError, AttributeError):
        facts, problem = _Facts("", "", ""), "written by another version of surgetank"
    return Entry(id_, folder, kind.name, kind.page, written, facts, problem)
