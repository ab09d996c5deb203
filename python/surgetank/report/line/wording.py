"""What the page of a search says: the answer in a sentence, key figures, tables."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from surgetank.catalogue import LIMITS, LINES, title_of
from surgetank.report.number_format import FAILURES, NBSP, number, share, value
from surgetank.search.answer import Answer, Remedy
from surgetank.search.shape import Level

__all__ = [
    "Figure",
    "LevelRow",
    "bottleneck",
    "facts",
    "failed",
    "gain",
    "heading",
    "notes",
    "outcome",
    "reading",
    "rows",
    "said",
    "sentence",
    "story",
    "tight",
    "would_help",
]


@dataclass(frozen=True)
class Figure:
    """A key figure."""

    title: str
    value: str
    detail: str


@dataclass(frozen=True)
class LevelRow:
    """A level, for the table."""

    level: str
    runs: str
    broken: str
    share: str
    p50: str
    p99: str
    offered: str
    throughput: str


def tight(text: str) -> str:
    """Keeps a percent sign with its number."""
    return re.sub(" ?%", f"{NBSP}%", text)


def digits(v: float) -> str:
    """Four digits: an interval of a few percent must not vanish in rounding."""
    return f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.4g}"


def delay(ms: float) -> str:
    """A delay that must be told from twice itself: 1,030 ms rather than 1 s."""
    return f"{digits(ms)}{NBSP}ms" if 1 <= ms < 10_000 else value(ms, "ms")


def said(answer: Answer, v: float | None, *, unit: bool = True) -> str:
    """A level, with its unit."""
    if v is None:
        return "–"
    if answer.unit == "x":
        return f"{digits(v)}×"
    word = "messages/s" if answer.key == "load" else answer.unit
    return digits(v) if not unit or word in ("", "1") else f"{digits(v)}{NBSP}{word}"


def heading(answer: Answer) -> str:
    """What was looked for."""
    if answer.find in LINES:
        return LINES[answer.find].title
    limit = LIMITS.get(answer.find)
    what = "any limit" if limit is None else title_of(limit.measure)
    return f"The {answer.key} at which {what} breaks"


def sentence(answer: Answer) -> str:
    """The answer in one sentence, or why there is none."""
    head = f"{heading(answer)} of {answer.scenario}"
    if answer.status == "INVALID":
        return f"{head}: no answer, because a run did not do what was asked: {answer.why}."
    if answer.estimate is None:
        return f"{head}: not found. {_capital(answer.why)}."
    text = f"{said(answer, answer.estimate)} ({interval(answer)})"
    if answer.status == "UNKNOWN":
        return f"{head} was not pinned down. {_capital(answer.why)}. As far as it goes: {text}."
    return f"{head}: {text}."


def story(answer: Answer) -> str:
    """How it failed, bottleneck, most used resource, and what moves the line; empty if nothing is
    known."""
    parts = (failed(answer), bottleneck(answer), would_help(answer))
    return " ".join(text for text in parts if text)


def bottleneck(answer: Answer) -> str:
    """What the line hangs on, and what was only full; empty if neither is known."""
    most, found = spoken(answer.most_used), [spoken(x) for x in answer.bottleneck]
    if not found:
        if not most:
            return ""
        return f"Most used: {most}; {_relief(answer)}, so it is not called the bottleneck."
    pair = answer.pairs_tried > 0
    text = f"Bottleneck: {' and '.join(found)}{', only together' if pair else ''}."
    if not most or answer.most_used in answer.bottleneck:
        return text
    return f"{text} Most used was {most}; {_relief(answer)}."


def _relief(answer: Answer) -> str:
    """What became of relieving the most used resource alone."""
    alone = [r for r in answer.remedies if r.resources == (answer.most_used,)]
    if not alone:
        return "no relief of it alone was tried"
    if any(r.restores and r.gain is None and r.gain_high is None for r in alone):
        return "by how much its relief moves the line could not be measured"
    return "relieving it was tried and did not move the line"


def would_help(answer: Answer) -> str:
    """The smallest change that moves the line, that none does, or that nothing is known of what
    was used; empty if none was tried."""
    best = answer.remedy
    if best is not None:
        bound = ", at the same bound of p99" if answer.find == "capacity" else ""
        return f"Smallest change that moves it: {best.text}, by {gain(best)}{bound}."
    if answer.remedies:
        return f"{none_helps(answer)}."
    if answer.used or answer.status != "FOUND":
        return ""
    return (
        "What was used past the line is not known (a live target, or trace.gauge_ms = 0), so no "
        "change was tried."
    )


def none_helps(answer: Answer) -> str:
    """How much was tried in vain."""
    pairs = answer.pairs_tried
    single = len(answer.remedies) - pairs
    text = f"None of {single} single changes tried moves it beyond chance"
    return f"{text}, nor any of {pairs} pairs" if pairs else f"{text}; there was no pair to try"


def spoken(resource: str) -> str:
    """A resource in words."""
    return resource.replace("-", " ")


def failed(answer: Answer) -> str:
    """How the venue failed just past a failure threshold; empty for other lines."""
    if not answer.failures:
        return ""
    parts = [f"{FAILURES[f.kind]} ({f.kind}: {f.seen} of {f.runs} runs)" for f in answer.failures]
    return f"How it failed, the most frequent first cause first: {'; '.join(parts)}."


def interval(answer: Answer) -> str:
    """95 % interval 1,180 to 1,290."""
    ends = (said(answer, v, unit=answer.unit == "x") for v in (answer.ci_low, answer.ci_high))
    return tight(f"{answer.confidence:.0%} interval ") + " to ".join(ends)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def gain(remedy: Remedy) -> str:
    """+38 % (+30 % to +46 %); at least +1,400 % where the end of the range was reached."""
    if remedy.gain is None:
        if remedy.gain_low is not None:
            return f"at least {_signed(remedy.gain_low)}"
        return f"at most {_signed(remedy.gain_high)}" if remedy.gain_high is not None else ""
    text = _signed(remedy.gain)
    if remedy.gain_low is None or remedy.gain_high is None:
        return text
    return f"{text} ({_signed(remedy.gain_low)} to {_signed(remedy.gain_high)})"


def outcome(remedy: Remedy) -> str:
    """What became of a change that was tried."""
    if not remedy.restores:
        return "does not restore"
    if remedy.helps:
        return "moves the line"
    known = remedy.gain is not None or remedy.gain_high is not None
    return "restores, no gain beyond chance" if known else "restores, gain not measurable"


def _signed(x: float) -> str:
    return tight(f"{x:+.0%}".replace("-", "−"))


def facts(answer: Answer) -> list[Figure]:
    """Key figures."""
    found = []
    if answer.estimate is not None:
        name = tight(f"{answer.confidence:.0%} interval")
        ends = f"{said(answer, answer.ci_low, unit=False)} – {said(answer, answer.ci_high)}"
        found.append(Figure(heading(answer), said(answer, answer.estimate), f"{name}: {ends}"))
    if answer.failures:
        worst = answer.failures[0]
        detail = f"came first in {worst.first} of the {worst.runs} runs that broke nearest"
        found.append(Figure("Kind of failure", _capital(worst.kind.replace("-", " ")), detail))
    if answer.used:
        first = next((u for u in answer.used if u.resource == answer.most_used), None)
        detail = "no resource was used to half"
        if first is not None:
            detail = f"{share(first.value)} used ({first.where}); unloaded {share(first.before)}"
        most = _capital(spoken(answer.most_used)) or "Nothing was full"
        found.append(Figure("Most used past the line", most, detail))
    if answer.remedies:
        best = answer.remedy
        named = _capital(" and ".join(spoken(x) for x in answer.bottleneck))
        moved = f"{best.text}: {gain(best)}" if best else none_helps(answer)
        found.append(Figure("Bottleneck", named or ("Not a resource" if best else "None"), moved))
    if answer.unloaded:
        ends = " – ".join(delay(answer.unloaded[k]) for k in ("low_ms", "high_ms"))
        at = said(answer, answer.unloaded["level"])
        p99 = delay(answer.unloaded["p99_ms"])
        found.append(Figure("Unloaded p99 delay", p99, f"{ends}, at {at}"))
    if answer.shape is not None and answer.key == "load" and answer.shape.peak_per_s > 0:
        peak = value(answer.shape.peak_per_s, "1/s")
        at = said(answer, answer.shape.peak_level)
        found.append(Figure("Highest throughput", peak, f"mean of the runs at {at}"))
    detail = f"{number(answer.messages)} messages simulated"
    found.append(Figure("Runs", f"{answer.runs:,}", detail))
    return found


def notes(answer: Answer) -> list[str]:
    """What a reader must see before the figures."""
    found = []
    if answer.status == "INVALID":
        found.append(
            "INVALID: a run did not do what was asked, so the runs below say nothing about the "
            "layer. They are shown for whoever looks for the cause."
        )
    if answer.shape is not None and answer.shape.text:
        found.append(f"{_capital(tight(answer.shape.text))}.")
    if answer.status == "FOUND" and answer.why:
        found.append(f"{_capital(answer.why)}.")
    return found


def rows(answer: Answer) -> list[LevelRow]:
    """The table of levels."""
    return [
        LevelRow(
            said(answer, x.level),
            f"{x.runs:,}",
            f"{number(x.broken)} of {number(x.trials)}",
            share(x.share) if x.trials else "not measured",
            delay(x.delay_p50_ms),
            delay(x.delay_p99_ms),
            value(x.offered_per_s, "1/s"),
            _throughput(x),
        )
        for x in answer.levels
    ]


def _throughput(x: Level) -> str:
    text = value(x.throughput_per_s, "1/s")
    return text if math.isnan(x.throughput_sd) else f"{text} ± {number(x.throughput_sd)}"


def reading(answer: Answer) -> list[str]:
    """How to read the page, in plain words."""
    counts = answer.per == "liquidation"
    coin = (
        "Of each run's liquidations some end in bad debt; liquidations of one run share a price "
        f"path and are not independent (dispersion {answer.dispersion:.2g})."
        if counts
        else "Each run is one seed of the scenario at one level; it holds or it breaks."
    )
    found = [
        f"{coin} The line is the level at which the probability of breaking is "
        f"{share(answer.target)}.",
        tight(f"The interval covers {answer.confidence:.0%}: it is about the seeds not tried. ")
        + "It says nothing about how well the scenario stands for a real venue.",
    ]
    if answer.width is not None and answer.estimate is not None:
        found.append(
            f"How sharp the line is: over {share(answer.width)} of the level the odds of breaking "
            "change by a factor of 2.7."
        )
    if answer.used:
        found.append(
            "Most used is the resource used most in the runs that broke nearest to the line; of "
            "several that are full, the one that is known to fill the others. The bottleneck is "
            "what moves the line when it is relieved: the interval of the gain excludes zero. "
            "The two need not be the same."
        )
    return found
