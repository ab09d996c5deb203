"""Sentences and tables of a search: the answer, key figures, levels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from surgetank.catalogue import LIMITS, THRESHOLDS, title_of
from surgetank.number_format import NBSP, number, share, value
from surgetank.report.measure_text import FAILURES
from surgetank.scenario.recording import ONE_RECORDING
from surgetank.search.answer import Answer, PartThreshold, Remedy
from surgetank.search.shape import Level, offered_at

__all__ = [
    "Figure",
    "LevelRow",
    "bottleneck",
    "failure_text",
    "findings",
    "gain",
    "heading",
    "how_to_read",
    "key_figures",
    "level_text",
    "no_break",
    "notes",
    "part_text",
    "remedy_outcome",
    "remedy_text",
    "rows",
    "sentence",
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


def no_break(text: str) -> str:
    """The text with non-breaking spaces between numbers and percent signs."""
    return re.sub(" ?%", f"{NBSP}%", text)


def digits(v: float) -> str:
    """Four digits: an interval of a few percent must not vanish in rounding."""
    return f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.4g}"


def delay(ms: float) -> str:
    """A latency with enough digits to compare two of them: 1,030 ms, not 1 s."""
    return f"{digits(ms)}{NBSP}ms" if 1 <= ms < 10_000 else value(ms, "ms")


def level_text(answer: Answer, v: float | None, *, unit: bool = True) -> str:
    """A level, with its unit."""
    if v is None:
        return "–"
    if answer.unit == "x":
        return f"{digits(v)}×"
    word = "background messages/s" if answer.key == "load" else answer.unit
    return digits(v) if not unit or word in ("", "1") else f"{digits(v)}{NBSP}{word}"


def part_text(answer: Answer, part: PartThreshold) -> str:
    """Safe leverage of a part of a position book with its interval, or the end that is known."""
    if part.ci_low is None and part.ci_high is None:
        return f"UNKNOWN after {part.runs:,} runs"
    if part.ci_high is None:
        return f"at least {level_text(answer, part.ci_low)}"
    if part.ci_low is None:
        return f"at most {level_text(answer, part.ci_high)}"
    ends = f"{level_text(answer, part.ci_low)} to {level_text(answer, part.ci_high)}"
    return f"{level_text(answer, part.estimate)} ({ends})"


def heading(answer: Answer) -> str:
    """The goal of the search, as a heading."""
    if answer.find in THRESHOLDS:
        return THRESHOLDS[answer.find].title
    limit = LIMITS.get(answer.find)
    what = "any limit" if limit is None else title_of(limit.measure)
    return f"The {answer.key} at which {what} is violated"


def sentence(answer: Answer) -> str:
    """The answer in one sentence, or why there is none."""
    head = f"{heading(answer)} of {answer.scenario}"
    if answer.status == "INVALID":
        return f"{head}: no result, because a run is INVALID: {answer.why}."
    if answer.estimate is None:
        return f"{head}: not found. {_capital(answer.why)}."
    text = f"{level_text(answer, answer.estimate)} ({interval(answer)})"
    if answer.status == "UNKNOWN":
        return (
            f"{head}: no sufficiently narrow interval. {_capital(answer.why)}. Estimate so far: "
            f"{text}."
        )
    return f"{head}: {text}.{_in_all(answer)}"


def _in_all(answer: Answer) -> str:
    """What clients send at the threshold altogether, where that is more than the background."""
    if answer.key != "load" or answer.estimate is None:
        return ""
    offered = offered_at(answer.levels, answer.estimate)
    if offered is None or offered <= 1.02 * answer.estimate:
        return ""
    return f" There, {digits(offered)}{NBSP}messages/s are sent in all."


def findings(answer: Answer) -> str:
    """Kinds of failure, bottleneck, most used resource, and remedies; empty if nothing is
    known."""
    parts = (failure_text(answer), bottleneck(answer), remedy_text(answer))
    return " ".join(text for text in parts if text)


def bottleneck(answer: Answer) -> str:
    """The bottleneck, and the most used resource if that is another; empty if neither is known."""
    most, found = resource_text(answer.most_used), [resource_text(x) for x in answer.bottleneck]
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
    """The result of relieving the most used resource alone."""
    alone = [r for r in answer.remedies if r.resources == (answer.most_used,)]
    if not alone:
        return "relieving it alone was not tried"
    if any(r.restores and r.gain is None and r.gain_high is None for r in alone):
        return "the gain from relieving it could not be measured"
    return "relieving it did not move the threshold"


def remedy_text(answer: Answer) -> str:
    """The smallest change that moves the threshold, or a sentence that none does or that the use of
    resources is unknown; empty if none was tried."""
    best = answer.remedy
    if best is not None:
        bound = ", at the same bound of p99" if answer.find == "capacity" else ""
        return f"Smallest change that moves the threshold: {best.text}, by {gain(best)}{bound}."
    if answer.remedies:
        return f"{no_remedy(answer)}."
    if answer.used or answer.status != "FOUND":
        return ""
    return (
        "Resource use past the threshold is not known (a live target, or trace.gauge_ms = 0), so "
        "no "
        "change was tried."
    )


def no_remedy(answer: Answer) -> str:
    """The sentence on the number of changes tried without effect."""
    pairs = answer.pairs_tried
    single = len(answer.remedies) - pairs
    text = f"None of {single} single changes tried moves the threshold significantly"
    return f"{text}, nor any of {pairs} pairs" if pairs else f"{text}; there was no pair to try"


def resource_text(resource: str) -> str:
    """A resource in words."""
    return resource.replace("-", " ")


def failure_text(answer: Answer) -> str:
    """How the venue failed just past a failure threshold; empty for other searches."""
    if not answer.failures:
        return ""
    parts = [f"{FAILURES[f.kind]} ({f.kind}: {f.seen} of {f.runs} runs)" for f in answer.failures]
    return f"Kinds of failure, by how often each came first: {'; '.join(parts)}."


def interval(answer: Answer) -> str:
    """95 % interval 1,180 to 1,290."""
    ends = (level_text(answer, v, unit=answer.unit == "x") for v in (answer.ci_low, answer.ci_high))
    return no_break(f"{answer.confidence:.0%} interval ") + " to ".join(ends)


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


def remedy_outcome(remedy: Remedy) -> str:
    """The result of a change that was tried."""
    if not remedy.restores:
        return "does not restore the limit"
    if remedy.helps:
        return "moves the threshold"
    known = remedy.gain is not None or remedy.gain_high is not None
    return (
        "restores the limit, gain not significant"
        if known
        else "restores the limit, gain not measurable"
    )


def _signed(x: float) -> str:
    return no_break(f"{x:+.0%}".replace("-", "−"))


def key_figures(answer: Answer) -> list[Figure]:
    """The key figures of the page."""
    found = []
    if answer.estimate is not None:
        name = no_break(f"{answer.confidence:.0%} interval")
        low = level_text(answer, answer.ci_low, unit=False)
        ends = f"{low} – {level_text(answer, answer.ci_high)}"
        found.append(
            Figure(heading(answer), level_text(answer, answer.estimate), f"{name}: {ends}")
        )
    if answer.failures:
        worst = answer.failures[0]
        detail = (
            f"came first in {worst.first} of the {worst.runs} failing runs nearest to the threshold"
        )
        found.append(Figure("Kind of failure", _capital(worst.kind.replace("-", " ")), detail))
    if answer.used:
        first = next((u for u in answer.used if u.resource == answer.most_used), None)
        detail = "no resource was used to half its capacity"
        if first is not None:
            detail = f"{share(first.value)} used ({first.where})"
            detail += "" if first.before is None else f"; unloaded {share(first.before)}"
        most = _capital(resource_text(answer.most_used)) or "No resource was full"
        found.append(Figure("Most used past the threshold", most, detail))
    if answer.remedies:
        best = answer.remedy
        named = _capital(" and ".join(resource_text(x) for x in answer.bottleneck))
        moved = f"{best.text}: {gain(best)}" if best else no_remedy(answer)
        found.append(Figure("Bottleneck", named or ("Not a resource" if best else "None"), moved))
    if answer.unloaded:
        ends = " – ".join(delay(answer.unloaded[k]) for k in ("low_ms", "high_ms"))
        at = level_text(answer, answer.unloaded["level"])
        p99 = delay(answer.unloaded["p99_ms"])
        found.append(Figure("Unloaded p99 latency", p99, f"{ends}, at {at}"))
    if answer.shape is not None and answer.key == "load" and answer.shape.peak_per_s > 0:
        peak = value(answer.shape.peak_per_s, "1/s")
        at = level_text(answer, answer.shape.peak_level)
        found.append(Figure("Highest throughput", peak, f"mean of the runs at {at}"))
    detail = f"{number(answer.messages)} messages simulated"
    found.append(Figure("Runs", f"{answer.runs:,}", detail))
    return found


def notes(answer: Answer) -> list[str]:
    """Warnings that stand above the figures."""
    found = []
    if answer.status == "INVALID":
        found.append(
            "INVALID: a run failed its own checks, so the runs below are not evidence about the "
            "layer. They are shown to help find the cause."
        )
    if answer.shape is not None and answer.shape.text:
        found.append(f"{_capital(no_break(answer.shape.text))}.")
    if answer.status == "FOUND" and answer.why:
        found.append(f"{_capital(answer.why)}.")
    if answer.recording:
        found.append(f"{ONE_RECORDING} {answer.recording}.")
    return found


def rows(answer: Answer) -> list[LevelRow]:
    """The table of levels."""
    return [
        LevelRow(
            level_text(answer, x.level),
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


def how_to_read(answer: Answer) -> list[str]:
    """Explanations of the page."""
    counts = answer.per == "liquidation"
    coin = (
        "Of each run's liquidations some end in bad debt; liquidations of one run share a price "
        f"path and are not independent (dispersion {answer.dispersion:.2g})."
        if counts
        else "Each run is one seed of the scenario at one level; it passes or it fails."
    )
    if answer.key == "leverage" and answer.parts:
        coin += (
            " A level is a cap: accounts of more leverage have the collateral that brings them to "
            "it. A tier or a market fails by its own accounts."
        )
    found = [
        f"{coin} The threshold is the level at which the probability of failure is "
        f"{share(answer.target)}.",
        no_break(
            f"The interval covers {answer.confidence:.0%}: it accounts for the seeds not tried.  "
        )
        + "It says nothing about how well the scenario stands for a real venue.",
    ]
    if answer.width is not None and answer.estimate is not None:
        found.append(
            f"Sharpness: over {share(answer.width)} of the level the odds of failure "
            "change by a factor of 2.7."
        )
    if answer.used:
        found.append(
            "Most used is the resource used most in the failing runs nearest to the threshold; of "
            "several that are full, the one whose saturation fills the others. The bottleneck is "
            "the resource whose relief moves the threshold: the interval of the gain excludes "
            "zero. "
            "The two need not be the same."
        )
    return found
