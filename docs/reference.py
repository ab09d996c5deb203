"""Writes docs/scenario.md from the models, docs/measures.md from the catalogue, the second half of
docs/glossary.md from both, the tables of docs/faults.md from the files of the kinds of faults,
that of docs/attacks.md from the kinds of attacks, and docs/venues.md from the presets of venues.

`python docs/reference.py`; with `--check` the exit code is 1 if one of them is not current.
"""

from __future__ import annotations

import re
import sys
import textwrap
import typing
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import surgetank as st
from surgetank import errors
from surgetank.catalogue import CATALOGUE, Better, MeasureSpec
from surgetank.catalogue.families import CLASS, GROUP, RESOURCE, STAGE, WAIT
from surgetank.live import SYSTEMS
from surgetank.live.faults.kinds import KINDS as LIVE_KINDS
from surgetank.scenario import presets
from surgetank.scenario.attack import ATTACKS
from surgetank.scenario.faults import KINDS
from surgetank.scenario.rule import settings
from surgetank.scenario.venues import VENUES, Venue, VenueFigure
from surgetank.search.goal import FINDS
from surgetank.trace import NAMES, SCHEMA
from surgetank.verdict import EXIT_CODES

PAGE = Path(__file__).with_name("scenario.md")
MEASURES = Path(__file__).with_name("measures.md")
GLOSSARY = Path(__file__).with_name("glossary.md")
FAULTS = Path(__file__).with_name("faults.md")
ATTACKS_PAGE = Path(__file__).with_name("attacks.md")
VENUES_PAGE = Path(__file__).with_name("venues.md")
SIMULATED = Path(__file__).resolve().parents[1] / "crates" / "lab" / "src" / "faults"
HEAD = """# Scenario reference

For authors of scenarios. A scenario is one TOML file. Which keys does it have? Every key is below, with its default;
only `name` is required. Unknown keys are refused. Units come last in names. `surgetank schema` prints the same as JSON
schema; `surgetank init NAME` writes a commented file to start from.

Presets set keys that the file does not give: `rule` in `[layer.queue]` ([queues](queue.md)), `venue` at the top
([venues](venues.md)), and `preset = "aws-13"` in `[network]` (`python/surgetank/scenario/presets.py`).

This page is written by `docs/reference.py`.
"""


MEASURES_HEAD = """# Measures

For readers of reports and setters of limits: what does surgetank measure, in which unit, and by which formula?
`surgetank.measure` computes {count} entries of the catalogue (`python/surgetank/catalogue`), from which limits,
verdicts, reports, leagues and this page derive. A name ends in its unit. `x.<class>` is one measure per class; "and"
means that the whole is measured, too. *Limit* is the key under `limits` ([reference](scenario.md)) that bounds it; of
a class it is under `limits.class.<class>`. A measure without a better direction describes a run and does not judge it:
it has no limit, and leagues are not ranked by it. For a quantile, a verdict requires enough observations to have one
beyond it (Wilks, 1941: 5 for a median, 299 for p99).

This page is written by `docs/reference.py`.

| measure | title | unit | better | limit | definition | source of the formula |
|---|---|---|---|---|---|---|
"""


def measure_row(spec: MeasureSpec) -> str:
    """A row of docs/measures.md."""
    name = f"`{spec.name}`"
    if spec.family is not None:
        of = f"`{spec.name}.<{spec.family.name}>`"
        name = f"{name} and {of}" if spec.alone else of
    can = spec.side is not None and (spec.alone or spec.family in (CLASS, RESOURCE))
    limit = f"`{spec.bounded(spec.side)}`" if can and spec.side is not None else ""
    better = "" if spec.better is Better.NEITHER else spec.better
    cells = (name, spec.title, spec.unit, better, limit, spec.sentence(), spec.source)
    return f"| {' | '.join(cells)} |"


def measures() -> str:
    """docs/measures.md."""
    rows = [measure_row(spec) for spec in CATALOGUE.values()]
    return MEASURES_HEAD.format(count=len(rows)) + "\n".join(rows) + "\n"


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def default_of(field: FieldInfo) -> str:
    """The default as a reader of TOML would write it."""
    if field.default_factory is not None:
        return ""
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f'"{field.default}"' if isinstance(field.default, str) else f"{field.default}"


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a symbol or a name (`γ`, `timeoutPropose(0)`)."""
    word = text.split()[0].strip(",;:") if text else ""
    return f"{text.capitalize()[:1]}{text[1:]}." if re.fullmatch("[a-z-]+", word) else f"{text}."


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def section(path: str, model: type[BaseModel], lines: list[str]) -> None:
    """A heading per key, depth first."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key == "kind":
            continue
        whole = f"{path}.{key}" if path else key
        default = default_of(field)
        lines += [f"### `{whole}`", ""]
        text = (field.description or "").strip()
        lines += [_wrapped(_sentence(text) + (f" Default: `{default}`." if default else "")), ""]
        inner = models_in(field.annotation)
        kinds = [m for m in inner if "kind" in m.model_fields]
        if kinds:
            names = ", ".join(f"`{m.model_fields['kind'].default}`" for m in kinds)
            lines += [_wrapped(f"Kinds: {names}."), ""]
        for one in inner:
            kind = one.model_fields.get("kind")
            place = f"{whole}[kind = {kind.default}]" if kind is not None else whole
            if kind is not None:
                lines += [f"#### `{place}`", "", _wrapped(_doc(one)), ""]
            section(place, one, lines)


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    section("", st.Scenario, lines)
    return "\n".join(lines).rstrip() + "\n"


NAMES_HEAD = """## Names that files and tables use

From here on this page is written by `docs/reference.py`. Measures: [measures.md](measures.md). Keys of a scenario:
[scenario.md](scenario.md).
"""


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def choices(path: str, model: type[BaseModel]) -> list[str]:
    """Rows of a key, a name that it can have, and what the name means."""
    rows = []
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        whole = f"{path}.{field.alias or name}".removeprefix(".")
        inner = models_in(field.annotation)
        for one in inner:
            if "kind" in one.model_fields:
                rows.append(f"| `{whole}` | `{one.model_fields['kind'].default}` | {_doc(one)} |")
            rows += choices(whole, one)
        if whole == "layer.queue.rule":
            rows += [f"| `{whole}` | `{rule}` | {_settings(rule)} |" for rule in literals(field)]
        elif found := literals(field):
            names = ", ".join(f"`{one}`" for one in found)
            rows.append(f"| `{whole}` | {names} | {field.description} |")
    return list(dict.fromkeys(rows))


def literals(field: FieldInfo) -> list[str]:
    """Names that a key can have, of those that are listed in its type."""

    def within(annotation: Any) -> list[str]:
        if typing.get_origin(annotation) is typing.Literal:
            return [one for one in typing.get_args(annotation) if isinstance(one, str)]
        return [one for part in typing.get_args(annotation) for one in within(part)]

    return within(field.annotation)


def _settings(rule: str) -> str:
    own = {key: value for key, value in settings(rule).items() if value != settings("fifo")[key]}
    said = [f"`{key}` = {value}".replace("True", "true") for key, value in own.items()]
    return ", ".join(said) or "all five settings at their defaults"


def names() -> str:
    """The second half of docs/glossary.md."""
    lines = [NAMES_HEAD, "### In a scenario", "", "| key | name | meaning |", "|---|---|---|"]
    lines += choices("", st.Scenario)
    lines += ["", "### Parts of a measure", ""]
    lines += ["| part | name | shown as | meaning |", "|---|---|---|---|"]
    for family in (CLASS, STAGE, WAIT, RESOURCE, GROUP):
        lines += [
            f"| {family.name} | `{name}` | {family.title(name)} | {what} |"
            for name, what in family.members.items()
        ]
    lines += ["", "### In a trace", "", "What each is: [trace.md](trace.md).", ""]
    lines += ["| enumeration | names |", "|---|---|", f"| tables | {_listed(SCHEMA)} |"]
    lines += [f"| {of} | {_listed(members)} |" for of, members in NAMES.items()]
    lines += ["", "### On the command line", "", "| of | names |", "|---|---|"]
    verdicts = ", ".join(f"`{status}` (exit code {code})" for status, code in EXIT_CODES.items())
    others = ", ".join(f"`{n}` = {getattr(errors, n)}" for n in errors.__all__ if "EXIT" in n)
    lines += [
        f"| preset of `{key}` | {_listed(presets.names_of(key))} |"
        for key in ("venue", "network.preset")
    ]
    lines += [f"| verdicts | {verdicts} |", f"| other exit codes | {others} |"]
    lines += [f"| `search --find` | {_listed(FINDS)} |", f"| `--target` | {_listed(SYSTEMS)} |"]
    return "\n".join(lines) + "\n"


def _listed(found: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in found if name)


def glossary() -> str:
    """docs/glossary.md: what stands in it by hand, and the names."""
    by_hand = GLOSSARY.read_text(encoding="utf-8").partition(NAMES_HEAD.splitlines()[0])[0]
    return f"{by_hand.rstrip()}\n\n{names()}"


def simulated(kind: str) -> tuple[str, list[str]]:
    """What the header of a kind's file in the lab says: its first paragraph, and the rows of its
    table, `measured | allowed`. Empty if the simulator does not have the kind."""
    path = SIMULATED / f"{kind.replace('-', '_')}.rs"
    source = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    header = [line[3:].strip() for line in source if line.startswith("//!")]
    text = " ".join(takewhile(bool, header))
    return text, [line.strip("| ") for line in header if line.startswith("|")][2:]


def played(kind: str) -> tuple[str, list[str]]:
    """The same of its class in `surgetank.live.faults.kinds`."""
    if kind not in LIVE_KINDS:
        return ("part of the flow" if KINDS[kind].sends_messages else ""), []
    text = " ".join((LIVE_KINDS[kind].__doc__ or "").partition("\n\n")[0].split())
    return text, [f"`{t.quantity.label}` | {t}" for t in LIVE_KINDS[kind].tolerances]


def faults() -> str:
    """docs/faults.md with new tables."""
    kinds = ["| kind | in the simulator | in a live run |", "|---|---|---|"]
    allowed = ["| kind | in | measured | allowed |", "|---|---|---|---|"]
    for kind in KINDS:
        both = {"the simulator": simulated(kind), "a live run": played(kind)}
        texts = " | ".join(text.rstrip(".") or "refused" for text, _ in both.values())
        kinds.append(f"| `{kind}` | {texts} |")
        allowed += [f"| `{kind}` | {where} | {row} |" for where in both for row in both[where][1]]
    return with_tables(FAULTS, {"kinds": kinds, "allowed": allowed})


def attacks() -> str:
    """docs/attacks.md with a new table."""
    kinds = ["| kind | what it does | what it tests |", "|---|---|---|"]
    for kind, section in ATTACKS.items():
        kinds.append(f"| `{kind}` | {_doc(section).rstrip('.')} | {section.tests} |")
    return with_tables(ATTACKS_PAGE, {"kinds": kinds})


VENUES_HEAD = """# Venues as presets

For authors of scenarios: which numbers of which venue does `venue = "NAME"` at the top of a scenario set, and where do
they come from? A key that the scenario gives itself has precedence, and so has `--set`. A preset does not make a market
where the scenario has none. *ours*: no public source states it, so this project chose it. Most venues change such
numbers from time to time: compare them with the source before you rely on a result.

```toml
name = "my-book-on-hyperliquid"
venue = "hyperliquid"

[market.margin]
initial = 0.05      # overrides the preset's
maintenance = 0.025
tiers = []
```

This page is written by `docs/reference.py` from `python/surgetank/scenario/venues.py`.
"""


def venue_table(venue: Venue) -> str:
    """One venue: its figures, and what the preset does not have."""
    lines = ["| key | value | source | date |", "|---|---|---|---|"]
    for figure in venue.figures:
        note = f"; {figure.note}" if figure.note else ""
        source, (table, _, name) = figure.source, figure.key.rpartition(".")
        key = f"`kind` of `[{table}]`" if name == "kind" else f"`{figure.key}`"
        lines.append(f"| {key} | {_value(figure)} | {source.text}{note} | {source.date} |")
    missing = "\n".join(f"- {line}" for line in venue.left_out)
    return (
        f'## `venue = "{venue.name}"`\n\n{venue.title}.\n\n'
        + "\n".join(lines)
        + f"\n\nNot in the preset:\n\n{missing}\n"
    )


def _value(figure: VenueFigure) -> str:
    if not isinstance(figure.value, list):
        return f"`{figure.value}`".replace("`True`", "`true`").replace("`False`", "`false`")
    rows = (
        f"above {tier['above_usd']:,.0f} USD {tier['initial']:.3%}, {tier['maintenance']:.3%}"
        for tier in figure.value
    )
    return "; ".join(rows)


def venues() -> str:
    """docs/venues.md."""
    return "\n".join([VENUES_HEAD, *map(venue_table, VENUES.values())])


def with_tables(path: Path, tables: dict[str, list[str]]) -> str:
    """A page whose tables, each between marks with its name, are replaced by these."""
    text = path.read_text(encoding="utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, tail = text.partition(begin)[0], text.partition(end)[2]
        text = head + begin + "\n".join(table) + "\n" + end + tail
    return text


if __name__ == "__main__":
    written = {PAGE: page(), MEASURES: measures(), GLOSSARY: glossary(), FAULTS: faults()}
    written |= {ATTACKS_PAGE: attacks(), VENUES_PAGE: venues()}
    if "--check" in sys.argv:
        sys.exit(any(path.read_text(encoding="utf-8") != text for path, text in written.items()))
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
