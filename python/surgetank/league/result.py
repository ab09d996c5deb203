"""The result of a league: all its runs, their means, and the standings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import polars as pl

from surgetank.catalogue import THRESHOLDS
from surgetank.errors import SurgetankError
from surgetank.league.axes import NONE, Entrant
from surgetank.league.columns import SHOWN, rising, unit_of
from surgetank.league.estimate import NOTHING, SeedMean, difference, mean
from surgetank.league.ranks import Pair, pair_of, ranks_of
from surgetank.measure.measured import plain
from surgetank.output_folder import write_json
from surgetank.shown import Shown

__all__ = ["League", "LeagueRun", "SearchedLine", "Standing", "json_rows"]

_Z: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class LeagueRun:
    """A run of the league."""

    entrant: str
    rule: str
    attack: str
    seed: int
    messages: int
    """Client messages simulated."""
    values: Mapping[str, float | None]
    """Every measure; None: the run has no data for it."""
    failed: tuple[str, ...]
    """Limits of the scenario that were violated."""
    invalid: tuple[str, ...]
    """Why the run is INVALID; empty if it is not."""


@dataclass(frozen=True)
class SearchedLine:
    """The result of a search for an entrant."""

    entrant: str
    rule: str
    attack: str
    find: str
    status: str
    """FOUND, UNKNOWN or INVALID, as of a search."""
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    unit: str
    why: str
    """Why it was not found; empty if it was."""
    runs: int


@dataclass(frozen=True)
class Standing:
    """An entrant's place."""

    place: int | None
    """The best rank that it may have: 1 + the number of significantly better entrants. None:
    unknown."""
    place_to: int | None
    """The worst rank that it may have: the number of entrants not significantly worse."""
    entrant: Entrant
    cells: tuple[tuple[str, SeedMean], ...]
    """Attacks and the measure that ranks, worst first; of equal worst cases the next worst
    decides, and so on (leximax)."""
    significant: bool | None
    """Whether it differs significantly from the first of the table; None for the first itself."""

    @property
    def worst(self) -> SeedMean:
        """The mean of the measure that ranks, in the worst case."""
        return self.cells[0][1] if self.cells else NOTHING

    @property
    def attack(self) -> str:
        """The attack of the worst case."""
        return self.cells[0][0] if self.cells else ""

    @property
    def endless(self) -> tuple[str, ...]:
        """Attacks under which the mean is infinite."""
        return tuple(attack for attack, e in self.cells if e.endless)

    @property
    def finite(self) -> tuple[str, SeedMean] | None:
        """The worst finite case: attack and mean."""
        return next((cell for cell in self.cells if not cell[1].endless), None)


@dataclass(frozen=True, repr=False)
class League(Shown):
    """Entrants × attacks × seeds, with all results."""

    scenario: str
    title: str
    scenario_hash: str
    build: str
    seed: int
    seeds: int
    """Seeds are `seed`, `seed` + 1, …"""
    rank: str
    """The measure that ranks, by its worst case over attacks."""
    confidence: float
    keys: tuple[str, ...]
    """The keys that were varied."""
    attacks: tuple[str, ...]
    entrants: tuple[Entrant, ...]
    made: tuple[LeagueRun, ...]
    lines: tuple[SearchedLine, ...]
    left_out: tuple[str, ...]
    """Values and attacks that do not fit the scenario, with the reason."""
    search_runs: int
    """Runs spent on searches."""
    messages: int
    """Client messages simulated in all."""

    @property
    def runs(self) -> int:
        """Runs made or found, searches included."""
        return len(self.made) + self.search_runs

    @property
    def invalid(self) -> tuple[LeagueRun, ...]:
        """Runs that are INVALID."""
        return tuple(m for m in self.made if m.invalid)

    @property
    def exit_code(self) -> int:
        """3 if any run or search is INVALID, else 0."""
        return 3 if self.invalid or any(x.status == "INVALID" for x in self.lines) else 0

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """Names of measures that any run has a value of, in the order of a run's measures."""
        names = dict.fromkeys(name for m in self.made for name in m.values)
        found = {k for m in self.made for k, v in m.values.items() if v is not None}
        return tuple(name for name in names if name in found)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Measures of the table: the one that ranks first, then those of `SHOWN` that there are."""
        first = [] if self.rank in THRESHOLDS else [self.rank]
        listed = [name for name in SHOWN if name in self.measured]
        return tuple(dict.fromkeys([*first, *listed]))

    def entrant(self, name: str) -> Entrant:
        """The entrant of this name."""
        return next(e for e in self.entrants if e.name == name)

    def values(self, entrant: str, attack: str, measure: str) -> list[float | None]:
        """A measure by seed; None where the run is INVALID or has no data for it."""
        by_seed = self._by_cell.get((entrant, attack), {})
        cells = [by_seed.get(seed) for seed in range(self.seed, self.seed + self.seeds)]
        return [None if m is None or m.invalid else _value(m, measure) for m in cells]

    def estimate(self, entrant: str, attack: str, measure: str) -> SeedMean:
        """Mean over seeds."""
        return mean(self.values(entrant, attack, measure))

    def change(self, entrant: str, attack: str, measure: str) -> SeedMean:
        """The difference that the attack makes, paired by seed; without values if no run is without
        attack."""
        if NONE not in self.attacks or attack == NONE:
            return NOTHING
        calm = self.values(entrant, NONE, measure)
        return difference(calm, self.values(entrant, attack, measure))

    def line(self, entrant: str, attack: str, find: str) -> SearchedLine | None:
        """The result of a search, if there was one."""
        key = (entrant, attack, find)
        return next((x for x in self.lines if (x.entrant, x.attack, x.find) == key), None)

    def leaders(self, attack: str, measure: str) -> tuple[str, ...]:
        """Entrants under an attack than which none is significantly better, corrected for all
        pairs; empty if all entrants are."""
        values = {e.name: self.values(e.name, attack, measure) for e in self.entrants}
        sign = -1.0 if rising(measure) else 1.0
        means = {name: sign * m for name, v in values.items() if (m := mean(v).mean) is not None}
        if not means or math.isinf(min(means.values())):
            return ()
        pairs = {
            (a, b): pair_of([sign * d for d in _differences(values[a], values[b])])
            for a, b in combinations(means, 2)
        }
        best = ranks_of(list(means), pairs).best
        near = tuple(name for name in means if best[name] == 1)
        return () if len(near) == len(means) else near

    @cached_property
    def pairs(self) -> dict[tuple[str, str], Pair]:
        """Every two entrants that can be ranked, compared seed by seed in their worst cases."""
        known = [
            e.name
            for e in self.entrants
            if any(self._ranked(e.name, a).mean is not None for a in self.attacks)
        ]
        compared = self._by_search if self.rank in THRESHOLDS else self._by_seed
        return {(a, b): compared(a, b) for a, b in combinations(known, 2)}

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Entrants by their possible ranks, then by their worst case over attacks, best
        first; those without one last."""
        found = []
        for entrant in self.entrants:
            known = [(a, e) for a in self.attacks if (e := self._ranked(entrant.name, a)).n]
            known = [(a, e) for a, e in known if e.mean is not None]
            cells = tuple(sorted(known, key=lambda cell: self._badness(cell[1]), reverse=True))
            found.append((entrant, cells))
        names = [entrant.name for entrant, cells in found if cells]
        ranks = ranks_of(names, self.pairs)

        def order(one: tuple[Entrant, tuple[tuple[str, SeedMean], ...]]) -> Any:
            entrant, cells = one
            if not cells:
                return (True, 0, [])
            middle = ranks.best[entrant.name] + ranks.worst[entrant.name]
            return (False, middle, [self._badness(e) for _, e in cells])

        standings: list[Standing] = []
        for entrant, cells in sorted(found, key=order):
            if not cells:
                standings.append(Standing(None, None, entrant, (), None))
                continue
            name = entrant.name
            first = standings[0].entrant.name if standings else None
            significant = None if first is None else ranks.differ(first, name)
            place = ranks.best[name], ranks.worst[name]
            standings.append(Standing(*place, entrant, cells, significant))
        return tuple(standings)

    @property
    def winner(self) -> str | None:
        """The entrant that is significantly better than every other, if there is one."""
        first = self.standings[0]
        return first.entrant.name if first.place_to == 1 else None

    @property
    def contenders(self) -> tuple[str, ...]:
        """Entrants than which none is significantly better."""
        return tuple(s.entrant.name for s in self.standings if s.place == 1)

    @cached_property
    def seeds_needed(self) -> int | None:
        """Number of seeds that would separate the first of the table from every other contender
        with power 0.8 each, if the true differences are those observed; None with a winner, for
        searches, or above 1,000."""
        if self.winner or self.rank in THRESHOLDS or len(self.contenders) < 2:
            return None
        first, *others = self.contenders
        needed = []
        for other in others:
            pair = self.pairs.get((first, other)) or self.pairs[other, first]
            needed.append(pair.seeds_needed(len(self.pairs)))
        known = [n for n in needed if n is not None]
        return max(known) if len(known) == len(needed) else None

    def _by_seed(self, a: str, b: str) -> Pair:
        """Two entrants compared seed by seed in their worst cases over the attacks for which both
        have values; of equal worst cases the next worst decides, and so on."""
        sign = -1.0 if rising(self.rank) else 1.0
        cells = [(self.values(a, x, self.rank), self.values(b, x, self.rank)) for x in self.attacks]
        found = []
        for i in range(self.seeds):
            both = [(x[i], y[i]) for x, y in cells]
            one = sorted(
                (sign * x for x, y in both if x is not None and y is not None), reverse=True
            )
            two = sorted(
                (sign * y for x, y in both if x is not None and y is not None), reverse=True
            )
            if one:
                parts = (y - x for x, y in zip(one, two, strict=True) if x != y)
                found.append(next(parts, 0.0))
        return pair_of(found)

    def _by_search(self, a: str, b: str) -> Pair:
        """The thresholds of two entrants, on the scale of ln, their errors taken as independent."""
        lines = ([self._ranked(name, x) for x in self.attacks] for name in (a, b))
        one, two = (max((e for e in x if e.mean is not None), key=self._badness) for x in lines)
        ends = (one.low, one.high, two.low, two.high, one.mean, two.mean)
        if any(x is None or x <= 0 for x in ends):
            return Pair((), 1.0, 0)
        al, ah, bl, bh, am, bm = (math.log(x) for x in ends if x is not None)
        error = math.hypot(ah - al, bh - bl) / (2 * _Z)
        gap = bm - am
        z = gap / error if error else math.copysign(math.inf, gap) if gap else 0.0
        worse = z < 0 if rising(self.rank) else z > 0
        return Pair((), 2 * NormalDist().cdf(-abs(z)), 1 if worse else -1)

    def _badness(self, e: SeedMean) -> tuple[float, int]:
        """Higher is worse; of infinite means, the one that was infinite in more runs."""
        return (-1.0 if rising(self.rank) else 1.0) * (e.mean or 0.0), e.endless

    def _ranked(self, entrant: str, attack: str) -> SeedMean:
        if self.rank not in THRESHOLDS:
            return self.estimate(entrant, attack, self.rank)
        x = self.line(entrant, attack, self.rank)
        return NOTHING if x is None else SeedMean(x.estimate, x.ci_low, x.ci_high, x.runs)

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str], dict[int, LeagueRun]]:
        found: dict[tuple[str, str], dict[int, LeagueRun]] = {}
        for m in self.made:
            found.setdefault((m.entrant, m.attack), {})[m.seed] = m
        return found

    @property
    def rows(self) -> pl.DataFrame:
        """One row per run: entrant, rule, attack, seed, the keys varied, messages, invalid, failed,
        and every measure by its name (Float64; null: nothing to measure it on)."""
        names = list(dict.fromkeys(name for m in self.made for name in m.values))
        listed = [
            {k: _cell(v) for k, v in row_of(self, m).items()} | {n: m.values.get(n) for n in names}
            for m in self.made
        ]
        kinds: dict[str, Any] = dict.fromkeys(names, pl.Float64)
        kinds |= {"seed": pl.UInt64, "messages": pl.Int64}
        return pl.DataFrame(listed, schema_overrides=kinds, infer_schema_length=None)

    def table(self, *measures: str) -> pl.DataFrame:
        """One row per entrant × attack and measure, best entrant first: place, place_to, entrant,
        rule, attack, measure, unit, mean, low, high, n, endless (runs where it was infinite),
        change, change_low, change_high (against attack `none`, paired by seed), invalid (runs that
        do not count), status and why (of a search).

        Without `measures`, those that are shown and what searches found.
        """
        kinds = measures or self.shown
        found: list[dict[str, Any]] = []
        for s in self.standings:
            e = s.entrant
            for attack in self.attacks:
                who = {
                    "place": s.place,
                    "place_to": s.place_to,
                    "entrant": e.name,
                    "rule": e.rule,
                    "attack": attack,
                }
                bad = sum(1 for m in self._by_cell.get((e.name, attack), {}).values() if m.invalid)
                for name in kinds:
                    here = self.estimate(e.name, attack, name)
                    d = self.change(e.name, attack, name)
                    change = {"change": d.mean, "change_low": d.low, "change_high": d.high}
                    cells = {"measure": name, "unit": unit_of(name)} | asdict(here) | change
                    found.append(who | cells | {"invalid": bad, "status": None, "why": None})
                for x in self.lines:
                    if (x.entrant, x.attack) == (e.name, attack) and not measures:
                        found.append(_line_cells(x) | who)
        return pl.DataFrame(found, schema=_TABLE, orient="row")

    def in_short(self) -> str:
        """The scenario and the size of the league."""
        of = f"{len(self.entrants)} entrants, {len(self.attacks)} attacks, {self.seeds} seeds"
        return f"{self.scenario}: {of}, ranked by {self.rank}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinity is the text "inf"."""
        content = asdict(self)
        for key in ("made", "lines"):
            content[key] = [plain(item) for item in content[key]]
        standings = [
            {
                "place": s.place,
                "place_to": s.place_to,
                "entrant": s.entrant.name,
                "cells": [{"attack": a} | plain(asdict(e)) for a, e in s.cells],
                "significant": s.significant,
            }
            for s in self.standings
        ]
        said = {"winner": self.winner, "seeds_needed": self.seeds_needed}
        return content | said | {"standings": standings, "table": plain(self.table().to_dicts())}

    def write(self, folder: Path) -> None:
        """Writes `league.json`, `league.csv` (the table) and `rows.csv` (one row a run)."""
        write_json(folder / "league.json", self.to_dict())
        self.table().write_csv(folder / "league.csv")
        self.rows.write_csv(folder / "rows.csv")

    @classmethod
    def read(cls, path: Path) -> League:
        """Reads `league.json`, or the folder that holds it.

        Raises:
            SurgetankError: if there is no league there.
        """
        file = path / "league.json" if path.is_dir() else path
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            for derived in ("winner", "seeds_needed", "standings", "table"):
                del content[derived]
            content["entrants"] = tuple(Entrant(**e) for e in content["entrants"])
            content["made"] = tuple(_league_run(m) for m in content["made"])
            content["lines"] = tuple(SearchedLine(**x) for x in content["lines"])
            for key in ("keys", "attacks", "left_out"):
                content[key] = tuple(content[key])
            return cls(**content)
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise SurgetankError(reason, place=str(file), hint="Give a league's folder") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SurgetankError(
                "this is not a league",
                place=str(file),
                hint="Give a league.json that `surgetank compare --vary` wrote",
            ) from None


def row_of(league: League, made: LeagueRun) -> dict[str, Any]:
    """The columns that identify a run; they stand before its measures."""
    return {
        "entrant": made.entrant,
        "rule": made.rule,
        "attack": made.attack,
        "seed": made.seed,
        **league.entrant(made.entrant).values,
        "messages": made.messages,
        "invalid": "; ".join(made.invalid) or None,
        "failed": list(made.failed),
    }


def json_rows(league: League) -> list[dict[str, Any]]:
    """One plain row per run, then one per search; infinity is the text "inf"."""
    runs = [plain(row_of(league, m) | dict(m.values)) for m in league.made]
    return runs + [plain(asdict(x) | {"seed": league.seed}) for x in league.lines]


_TABLE: dict[str, Any] = {
    "place": pl.Int64,
    "place_to": pl.Int64,
    "entrant": pl.String,
    "rule": pl.String,
    "attack": pl.String,
    "measure": pl.String,
    "unit": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
    "endless": pl.Int64,
    "change": pl.Float64,
    "change_low": pl.Float64,
    "change_high": pl.Float64,
    "invalid": pl.Int64,
    "status": pl.String,
    "why": pl.String,
}


def _value(made: LeagueRun, measure: str) -> float | None:
    return made.values.get(measure)


def _differences(a: Sequence[float | None], b: Sequence[float | None]) -> list[float]:
    """b − a by seed, where both have a value; equal infinities have a difference of 0."""
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return [0.0 if x == y else y - x for x, y in both]


def _line_cells(x: SearchedLine) -> dict[str, Any]:
    ends = {"mean": x.estimate, "low": x.ci_low, "high": x.ci_high, "n": x.runs}
    result = {"measure": x.find, "unit": x.unit, "status": x.status, "why": x.why}
    return dict.fromkeys(_TABLE) | ends | result


def _cell(value: Any) -> Any:
    """A list as text, since CSV has no lists; other values unchanged."""
    return "; ".join(str(v) for v in value) if isinstance(value, list | tuple) else value


def _league_run(content: Mapping[str, Any]) -> LeagueRun:
    values = {k: None if v is None else float(v) for k, v in content["values"].items()}
    lists = {key: tuple(content[key]) for key in ("failed", "invalid")}
    return LeagueRun(**(dict(content) | lists | {"values": values}))
