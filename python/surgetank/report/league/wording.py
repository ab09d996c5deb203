"""Sentences and table rows of a league, for its page and for the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgetank.catalogue import THRESHOLDS
from surgetank.league import League, SearchedLine, SeedMean, Standing
from surgetank.league.columns import measure_title, rising, short, unit_of
from surgetank.league.ranks import ALPHA
from surgetank.number_format import NBSP, number, value

__all__ = [
    "Cell",
    "LeagueBlock",
    "LeagueRow",
    "SearchRow",
    "blocks",
    "cell_text",
    "change_text",
    "how_to_read",
    "interval_text",
    "league_rows",
    "measure_title",
    "notes",
    "search_rows",
    "search_text",
    "sentence",
    "settings",
    "size",
    "undecided",
    "value_text",
]


def value_text(x: float | None, unit: str) -> str:
    """A value with its unit; a dash if there was nothing to measure."""
    if x is None or math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if unit == "x":
        return f"{number(x)}×"
    return value(x, unit).replace("-", "−")


def change_text(x: float, unit: str) -> str:
    """A difference, with its sign; of shares in percentage points."""
    text = f"{number(100 * x)}{NBSP}points" if unit == "share" else value_text(x, unit)
    return f"+{text}" if x > 0 else text


def interval_text(e: SeedMean, unit: str) -> str:
    """The interval; of an infinite mean, in how many runs it was; or nothing."""
    if 0 < e.endless < e.n:
        return f"in {e.endless} of {e.n} runs"
    if e.low is None or e.high is None or math.isinf(e.low) or math.isinf(e.high):
        return ""
    low, high = e.low, e.high
    # Times and shares are never below zero, shares hardly above one, whatever the formula says.
    if unit in ("ms", "s", "share", "1/s", "x"):
        low = max(low, 0.0)
    if unit == "share" and e.mean is not None:
        high = min(high, max(1.0, e.mean))
    return f"{value_text(low, unit)} – {value_text(high, unit)}"


def cell_text(e: SeedMean, unit: str, seeds: int) -> str:
    """A cell in one line: value, interval, and of how many runs if not of all."""
    span = interval_text(e, unit)
    text = value_text(e.mean, unit) + (f" ({span})" if span else "")
    return text if e.n in (0, seeds) else f"{text}, {e.n} of {seeds} runs"


def search_text(x: SearchedLine) -> str:
    """The result of a search, or why there is none."""
    if x.estimate is None:
        return f"{x.status}: {x.why}"
    mark = "" if x.status == "FOUND" else f"{x.status} "
    if x.ci_low is None or x.ci_high is None:
        return f"{mark}{value_text(x.estimate, x.unit)}"
    span = f"{value_text(x.ci_low, x.unit)} – {value_text(x.ci_high, x.unit)}"
    return f"{mark}{value_text(x.estimate, x.unit)} ({span})"


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def sentence(league: League) -> str:
    """Which entrant is best, or which are tied for it, and which is worst."""
    if league.exit_code:
        return (
            "No winner: a run or search failed its own checks. Places and means below leave it out "
            "and say nothing about which entrant is best."
        )
    ranked = [s for s in league.standings if s.place is not None]
    what = _lower(measure_title(league.rank))
    if not ranked:
        return f"No ranking: no run has data for {what}."
    first = league.contenders
    best = first[0]
    worst = "worst-case " if len(league.attacks) > 1 else ""
    case = f"Its {worst}{what} is {_case(league, ranked[0])}."
    if league.winner is not None:
        others = "the only entrant" if len(ranked) == 1 else "significantly better than all others"
        text = f"{best} is {others}. {case}"
    elif len(first) == len(ranked):
        text = (
            f"No winner: the {len(ranked)} entrants do not differ significantly. {best} is first. "
            f"{case}"
        )
    else:
        text = (
            f"No winner: {_listed(list(first))} do not differ significantly, and no other entrant "
            f"is better. {best} is first. {case}"
        )
    last = ranked[-1]
    if last.place != 1:
        text += f" That of {last.entrant.name}, the last, is {_case(league, last)}."
    return text


def _case(league: League, s: Standing) -> str:
    """The worst case; of an infinite one also the worst that is finite."""
    unit = unit_of(league.rank)
    if len(league.attacks) == 1:
        return value_text(s.worst.mean, unit)
    if not s.endless or s.finite is None:
        return f"{value_text(s.worst.mean, unit)} (under {s.attack})"
    attack, e = s.finite
    under = f"under {s.attack}" if len(s.endless) == 1 else f"under {len(s.endless)} attacks"
    return f"∞ {under}, else {value_text(e.mean, unit)} (under {attack})"


def size(league: League) -> str:
    """The size of a league: `4 entrants × 3 attacks × 1 seed`."""
    counts = {
        "entrant": len(league.entrants),
        "attack": len(league.attacks),
        "seed": league.seeds,
    }
    return " × ".join(f"{n}{NBSP}{word}{'' if n == 1 else 's'}" for word, n in counts.items())


def undecided(league: League) -> str:
    """The sentence on the seeds needed for a winner; empty if there is one."""
    if league.exit_code or league.winner is not None or len(league.contenders) < 2:
        return ""
    if league.rank in THRESHOLDS:
        return "Narrower intervals (--precision, --runs-max) may show a difference."
    if league.seeds < 2:
        return "One seed gives no estimate of chance variation: give more with --seeds."
    first, *others = league.contenders
    needed = league.seeds_needed
    if needed is None:
        return (
            f"Even 1,000 seeds would not show {first} to be better, if the differences stay as "
            f"they are over {league.seeds} seeds."
        )
    return (
        f"About {needed:,} seeds would show {first} to be better than {_listed(others)}, if the "
        f"differences stay as they are over {league.seeds} seeds: --seeds {needed}."
    )


#: Attacks side by side in a table.
_ABREAST = 6


@dataclass(frozen=True)
class Cell:
    """A measure of an entrant under an attack."""

    attack: str
    value: str
    interval_text: str
    change: str
    note: str


@dataclass(frozen=True)
class LeagueBlock:
    """All measures of an entrant."""

    name: str
    settings: list[str]
    parts: list[tuple[list[str], list[tuple[str, list[Cell]]]]]
    """Attacks, and rows of a measure's title and its cells; many attacks make several tables."""


@dataclass(frozen=True)
class SearchRow:
    """What the searches found for an entrant, under an attack."""

    name: str
    attack: str
    cells: list[tuple[str, str]]
    """Title, and what was found."""


@dataclass(frozen=True)
class LeagueRow:
    """A row of the league table."""

    place: str
    name: str
    worst: str
    interval_text: str
    attack: str
    significant: str
    others: list[tuple[str, str]]
    """Short title and worst value of further measures."""
    invalid: int
    contends: bool
    """Whether no other entrant is significantly better."""


def settings(league: League, name: str) -> list[str]:
    """What an entrant sets, as `key = value`."""
    return [f"{key} = {v}" for key, v in league.entrant(name).values.items()]


#: Shown in the table beside the measure that ranks.
_BESIDE = ("delay_p99_ms.cancel", "executed_share", "attacker_gain_usd", "others_loss_usd")


def league_rows(league: League) -> list[LeagueRow]:
    """The league table, by rank."""
    names = [n for n in (*_BESIDE, "bad_debt_usd") if n in league.shown and n != league.rank]
    unit = unit_of(league.rank)
    rows = []
    for s in league.standings:
        others = [(short(n), _worst(league, s.entrant.name, n)) for n in names]
        rows.append(
            LeagueRow(
                _place(s),
                s.entrant.name,
                value_text(s.worst.mean, unit),
                _below(league, s),
                s.attack if len(s.endless) < 2 else f"{s.attack}, {len(s.endless) - 1} more",
                {True: "significant", False: "not significant", None: ""}[s.significant],
                others,
                sum(m.entrant == s.entrant.name for m in league.invalid),
                s.place == 1 and not league.exit_code,
            )
        )
    return rows


def _place(s: Standing) -> str:
    """The possible ranks: 1, or 1–3."""
    if s.place is None:
        return "–"
    return str(s.place) if s.place == s.place_to else f"{s.place}–{s.place_to}"


def _below(league: League, s: Standing) -> str:
    """Note on the worst case: its interval, or the worst finite case."""
    unit = unit_of(league.rank)
    if not s.endless or s.finite is None or len(league.attacks) == 1:
        return interval_text(s.worst, unit)
    return f"else {value_text(s.finite[1].mean, unit)}, {s.finite[0]}"


def _worst(league: League, entrant: str, name: str) -> str:
    means = [league.estimate(entrant, a, name).mean for a in league.attacks]
    known = [m for m in means if m is not None]
    if not known:
        return "–"
    return value_text(min(known) if rising(name) else max(known), unit_of(name))


def search_rows(league: League) -> list[SearchRow]:
    """The table of what the searches found, by rank."""
    finds = list(dict.fromkeys(x.find for x in league.lines))
    rows = []
    for s in league.standings:
        own = [x for x in league.lines if x.entrant == s.entrant.name]
        for attack in dict.fromkeys(x.attack for x in own):
            lines = {x.find: x for x in own if x.attack == attack}
            cells = [(THRESHOLDS[f].title, search_text(lines[f])) for f in finds if f in lines]
            rows.append(SearchRow(s.entrant.name, attack, cells))
    return rows


def blocks(league: League) -> list[LeagueBlock]:
    """Every measure shown, of every entrant, under every attack."""
    attacks = [league.attacks[i : i + _ABREAST] for i in range(0, len(league.attacks), _ABREAST)]
    found_blocks = []
    for s in league.standings:
        name = s.entrant.name
        parts = [
            (
                list(part),
                [
                    (measure_title(m), [_cell(league, name, a, m) for a in part])
                    for m in league.shown
                ],
            )
            for part in attacks
        ]
        found_blocks.append(LeagueBlock(name, settings(league, name), parts))
    return found_blocks


def _cell(league: League, entrant: str, attack: str, name: str) -> Cell:
    unit = unit_of(name)
    e = league.estimate(entrant, attack, name)
    d = league.change(entrant, attack, name)
    change = ""
    if d.mean is not None and d.significant:
        change = change_text(d.mean, unit)
    note = "" if e.n in (0, league.seeds) else f"{e.n} of {league.seeds} runs"
    return Cell(attack, value_text(e.mean, unit), interval_text(e, unit), change, note)


def notes(league: League) -> list[str]:
    """Warnings: runs excluded as INVALID, thresholds not found, values left out."""
    texts: dict[str, list[str]] = {}
    for m in league.invalid:
        texts.setdefault(f"INVALID, left out of the means: {m.invalid[0]}", []).append(
            f"{m.entrant} under {m.attack} (seed {m.seed})"
        )
    for x in league.lines:
        if x.status != "FOUND":
            under = "" if x.attack == "none" else f" under {x.attack}"
            what = f"{THRESHOLDS[x.find].title} of {x.entrant}{under}"
            texts.setdefault(f"{x.status}: {x.why}", []).append(what)
    found_notes = [f"{', '.join(who)}: {why}." for why, who in texts.items()]
    return found_notes + [
        f"Left out, does not fit the scenario: {text}" for text in league.left_out
    ]


def how_to_read(league: League) -> list[str]:
    """Explanations of the tables and figures."""
    better = "more" if rising(league.rank) else "less"
    what = _lower(measure_title(league.rank))
    texts = [
        f"The order is by {what}, {better} is better, in the worst case over the attacks played. "
        "Equal worst cases are ordered by the next worst. `--rank` chooses another measure.",
        f"Each number is a mean over {league.seeds}{NBSP}seeds, the same for all, with a "
        f"{league.confidence:.0%} interval (Student’s t).".replace("%", f"{NBSP}%"),
        "A place such as 2–4 is the range of possible ranks: from 1 + the number of entrants that "
        "are "
        "significantly better, to the number that are not significantly worse. Each pair of "
        "entrants is compared seed "
        "by seed in its worst cases, corrected for all pairs (Holm), so that the probability "
        f"of a difference found by chance is at most {ALPHA:.0%}.".replace("%", f"{NBSP}%"),
        "∞ means that more messages than the quantile allows were never executed. A dash means "
        "that "
        "the run has no data for it.",
    ]
    if len(league.attacks) > 1:
        texts.append(
            "A number with a sign is what the attack changed: the mean difference from the same "
            "seed without attack, shown where its interval excludes zero."
        )
    return texts
