"""Sentences and tables of the page of a frontier."""

from __future__ import annotations

from dataclasses import dataclass

from surgetank.number_format import NBSP, counted, number, share
from surgetank.search.frontier import Frontier, Point

__all__ = [
    "FrontierRow",
    "FrontierTile",
    "agreement",
    "budget_text",
    "how_to_read",
    "leverage_text",
    "missing",
    "rows",
    "sentence",
    "status",
    "tiles",
]


@dataclass(frozen=True)
class FrontierRow:
    """A point, for the table."""

    curve: str
    colour: int
    load: str
    used: str
    leverage: str
    interval: str
    theory: str
    off: str
    status: str
    runs: str
    why: str


@dataclass(frozen=True)
class FrontierTile:
    """A curve at the highest load."""

    name: str
    colour: int
    value: str
    detail: str


def leverage_factor(v: float) -> str:
    """Leverage as a factor: 27.4×."""
    return f"{v:,.0f}×" if v >= 1000 else f"{v:.3g}×"


def budget_text(frontier: Frontier, end: str = "end") -> str:
    """The budget in words: `1 % of liquidations end in bad debt`."""
    return f"{share(frontier.budget)} of {frontier.per}s {end} in bad debt"


def leverage_text(p: Point) -> str:
    """Safe leverage of a point with its interval, or that it was not found."""
    if p.estimate is None:
        return f"{p.status}, not found"
    if p.ci_low is None or p.ci_high is None:
        return leverage_factor(p.estimate)
    span = f"{leverage_factor(p.ci_low)} to {leverage_factor(p.ci_high)}"
    return f"{leverage_factor(p.estimate)} ({span})"


def status(frontier: Frontier) -> str:
    """The worst of the points'."""
    found = {p.status for p in frontier.points}
    return next((s for s in ("INVALID", "UNKNOWN") if s in found or not found), "FOUND")


def _at(frontier: Frontier, load: float) -> str:
    text = f"{number(load)}{NBSP}messages/s"
    if frontier.capacity_per_s is None:
        return text
    return f"{text} ({share(load / frontier.capacity_per_s)} of capacity)"


def _known(frontier: Frontier, curve: str) -> list[tuple[Point, float]]:
    return [
        (p, p.estimate)
        for p in frontier.of(curve)
        if p.status == "FOUND" and p.estimate is not None
    ]


def _not_all(frontier: Frontier) -> str:
    count = sum(p.status != "FOUND" for p in frontier.points)
    if not count:
        return ""
    why = "the runs of one were INVALID" if status(frontier) == "INVALID" else ""
    total = counted(len(frontier.points), "point")
    return f"{count} of {total} without a sufficiently narrow interval{': ' if why else ''}{why}. "


def sentence(frontier: Frontier) -> str:
    """Safe leverage of the first curve at its first and last load."""
    if status(frontier) == "INVALID":
        return f"No result: {_not_all(frontier).strip()} The points below are no frontier."
    head = _not_all(frontier) + f"If at most {budget_text(frontier, 'may end')}"
    known = _known(frontier, frontier.curves[0].name) if frontier.curves else []
    if not known:
        return f"{head}: no point of the first curve was found."
    (first, high), (last, low) = known[0], known[-1]
    if first is last:
        return f"{head}, safe leverage is {leverage_factor(high)} at {_at(frontier, first.load)}."
    went = "falls" if low < high else "goes"
    return (
        f"{head}, safe leverage {went} from {leverage_factor(high)} at "
        f"{_at(frontier, first.load)} to {leverage_factor(low)} at {_at(frontier, last.load)}."
    )


def agreement(frontier: Frontier) -> str:
    """The number of intervals that contain the closed form, among the points where it applies;
    empty if the frontier is INVALID."""
    if status(frontier) == "INVALID":
        return ""
    held = [
        p.ci_low <= p.theory <= p.ci_high
        for p in frontier.points
        if p.theory is not None
        and p.status == "FOUND"
        and p.ci_low is not None
        and p.ci_high is not None
    ]
    if not held:
        return "The closed form's assumptions hold at none of the points found."
    confidence = f"{frontier.confidence:.0%}".replace("%", f"{NBSP}%")
    return (
        f"Where its assumptions hold, the closed form lies inside the {confidence} interval at "
        f"{sum(held)} of {counted(len(held), 'point')}."
    )


def tiles(frontier: Frontier) -> list[FrontierTile]:
    """Each curve at the highest load where it was found, relative to the first curve at that
    load."""
    found = []
    base = (
        {p.load: v for p, v in _known(frontier, frontier.curves[0].name)} if frontier.curves else {}
    )
    for index, curve in enumerate(frontier.curves):
        known = _known(frontier, curve.name)
        if not known:
            found.append(FrontierTile(curve.name, index % 8, "not found", "at any load"))
            continue
        p, v = known[-1]
        detail = f"at {number(p.load)}/s"
        if frontier.capacity_per_s is not None:
            detail += f" ({share(p.load / frontier.capacity_per_s)})"
        if index and p.load in base:
            ratio = v / base[p.load]
            more = f"{ratio:.2g} times" if ratio >= 1 else f"1/{1 / ratio:.2g} of"
            detail += f": {more} “{frontier.curves[0].name}”"
        found.append(FrontierTile(curve.name, index % 8, leverage_factor(v), detail))
    return found


def missing(frontier: Frontier) -> list[str]:
    """Points that were not found, and why."""
    found: dict[str, list[str]] = {}
    for p in frontier.points:
        if p.status != "FOUND":
            why = f"{p.status}. {p.why[:1].upper()}{p.why[1:]}."
            found.setdefault(why, []).append(f"{p.curve} at {number(p.load)}/s")
    return [f"{', '.join(points)}: {why}" for why, points in found.items()]


def rows(frontier: Frontier) -> list[FrontierRow]:
    """The table of all points, by curve."""
    found = []
    judged = status(frontier) != "INVALID"
    for index, curve in enumerate(frontier.curves):
        for p in frontier.of(curve.name):
            low, high = (leverage_factor(v or 0) for v in (p.ci_low, p.ci_high))
            mu, theory = frontier.capacity_per_s, p.theory
            off = None if theory is None or p.estimate is None else p.estimate / theory - 1
            found.append(
                FrontierRow(
                    curve.name,
                    index % 8,
                    number(p.load),
                    share(p.load / mu) if mu else "",
                    "–" if p.estimate is None else leverage_factor(p.estimate),
                    f"{low} – {high}" if p.ci_low and p.ci_high else "",
                    "" if theory is None else leverage_factor(theory),
                    "" if off is None else f"{off:+.1%}".replace("-", "−").replace("%", " %"),
                    p.status if judged or p.status == "INVALID" else "UNKNOWN",
                    f"{p.runs:,}",
                    p.why,
                )
            )
    return found


def how_to_read(frontier: Frontier) -> list[str]:
    """Explanations of the figure."""
    found = [
        "Go across to the load that the venue must carry, then up to a curve: that is the highest "
        f"leverage it can offer there if at most {budget_text(frontier, 'may end')}.",
        "The scale of leverage is logarithmic: equal steps are equal ratios, and halving the "
        "leverage halves the position that a given collateral may carry.",
    ]
    if frontier.capacity_per_s is not None:
        found.append(
            "A liquidation waits behind other messages. The nearer the load comes to capacity, the "
            "longer and the more variable the wait, and the price moves meanwhile."
        )
    if frontier.theory:
        found.append(f"The thin dark line is a formula, not a fit. {agreement(frontier)}")
    found.append(
        f"Bars are {frontier.confidence:.0%} intervals of the simulation. Open marks have no "
        "sufficiently narrow interval: an arrow up means at least, an arrow down at most, a cross "
        "that nothing is "
        "known.".replace("%", f"{NBSP}%")
    )
    if len(frontier.curves) > 1:
        found.append(
            "Each further curve changes one setting, so the distance between two curves is what "
            "that "
            "setting costs or gains. The shaded region lies below the intervals of all curves."
        )
    return found
