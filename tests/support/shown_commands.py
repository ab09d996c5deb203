"""Commands that documents show, and what is wrong with one, found without running it."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
import typer.main

from surgetank.attacker import KINDS
from surgetank.cli import app
from surgetank.cli.app import overrides
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.search_options import span_of
from surgetank.errors import SurgetankError
from surgetank.explain.paired import DELAYS
from surgetank.league import LeagueSearch
from surgetank.league.play import plan_of
from surgetank.live.registry import SYSTEMS, parse, target_class
from surgetank.live.url_options import check_options
from surgetank.live.venue import is_venue
from surgetank.plugins import code_refused, import_of_user
from surgetank.scenario import Scenario, load, names
from surgetank.search.question import question_of
from surgetank.starter import STARTER

__all__ = ["commands_in", "wrong_with"]

ROOT = Path(__file__).resolve().parents[2]
#: What the parser raises, whichever library Typer takes it from.
_USAGE: type[Exception] = typer.BadParameter.__mro__[1]
#: Words that stand for a reader's own.
STANDS_FOR = re.compile(
    r"…|\.\.\.|(?<!=)\[|\b(?:S|SCENARIO|NAME|KEY|URL|FILE|LIMIT|LEVEL|PORT|ADDRESS)\b"
)
#: What `surgetank init my-venue` writes, in examples.
OWN_SCENARIO = "my-venue.toml"


def commands_in(text: str) -> Iterator[str]:
    """Lines of the blocks that are commands (after `$ `, or in a block without a language), each
    with its continuation lines; and those in the text that have arguments, none of which stands
    for something."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = block.replace("\\\n", " ").splitlines()
        if language == "console":
            yield from (line[2:] for line in lines if line.startswith("$ "))
        elif not language:
            yield from (line for line in lines if re.match(r"(surgetank|python|make|pip) ", line))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for command in re.findall(r"`((?:surgetank|python|make|pip) [^`]*)`", prose):
        if len(command.split()) > 2 and not STANDS_FOR.search(command):
            yield " ".join(command.split())


def wrong_with(line: str) -> str:
    """Why a command would be refused; empty if it would not."""
    command = (line.partition("&&")[2] or line).strip().removeprefix(".venv/bin/")
    words = shlex.split(re.split(r" > |&$", command)[0], comments=True)
    try:
        match words:
            case ["surgetank", name, *rest]:
                return _surgetank(name, rest)
            case ["python", "-m", "pytest", *rest]:
                return "" if all((ROOT / x).exists() for x in rest if "/" in x) else "no such tests"
            case ["python", script, *rest]:
                return _script(script, rest)
            case ["make", goal]:
                return "" if f"\n{goal}:" in (ROOT / "Makefile").read_text() else "no such goal"
            case ["pip", "install", *rest]:
                return _extra(" ".join(rest))
    except (SurgetankError, _USAGE, ImportError, ValueError) as error:
        return str(getattr(error, "message", error))
    return ""


def _surgetank(name: str, rest: list[str]) -> str:
    group: Any = typer.main.get_command(app)
    if name not in group.commands:
        return f"no command {name}"
    if STANDS_FOR.search(" ".join(rest)):
        return "has a word that stands for something: give an example"
    command = group.commands[name]
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    with code_refused():
        context = command.make_context(name, rest)
        refuse_ignored(context)
        _check(name, context.params)
    return ""


def _check(name: str, given: Mapping[str, Any]) -> None:
    """What a command checks before it works, as far as documents show it."""
    if given.get("target") and not is_venue(given["target"]):
        where = parse(given["target"])
        if where.scheme in SYSTEMS:
            check_options(where, target_class(where).options)
    if given.get("by", "mean") not in DELAYS:
        raise ValueError(f"no latency {given['by']}")
    if set((given.get("kinds") or KINDS[0]).split(",")) - set(KINDS):
        raise ValueError(f"no attack {given['kinds']}")
    scenario = _scenario(next((given[k] for k in ("scenario", "a", "run") if given.get(k)), None))
    if scenario is None:
        return
    values = overrides(given.get("values") or [])
    for plugin in [one for one in values.values() if isinstance(one, str) and ":" in one]:
        module, _, of_module = plugin.partition(":")
        if not (given["allow_code"] and hasattr(import_of_user(module), of_module)):
            raise ValueError(f"no class {plugin}, or no --allow-code")
    chosen = scenario.with_values(values)
    if name == "search":
        span = span_of(given["range_"], "--range") if given.get("range_") else None
        question_of(
            chosen,
            given["find"],
            vary=given["vary"],
            range=span,
            until=given["until"],
            budget=given["budget"],
        )
    elif name == "compare" and given["vary"]:
        finds = [find for find in (given["find"] or "").split(",") if find]
        plan_of(
            chosen,
            vary=given["vary"],
            attacks=given["attack"],
            rank=given["rank"],
            searches=LeagueSearch(finds),
        )


def _scenario(name: str | None) -> Scenario | None:
    if name == OWN_SCENARIO:
        return Scenario.from_toml(STARTER.replace("NAME", "my-venue"), place=name)
    return load(name) if name in names() else None


def _script(script: str, rest: list[str]) -> str:
    """A script is there, and its help names every option; its words are not checked."""
    if not (ROOT / script).exists():
        return f"no script {script}"
    helped = (ROOT / script).read_text(encoding="utf-8")
    unknown = [word for word in rest if word.startswith("--") and f'"{word}"' not in helped]
    return f"unknown: {unknown}" if unknown else ""


def _extra(what: str) -> str:
    """An extra of this project is declared."""
    named = re.fullmatch(r"\.\[(\w+)\]", what)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = named is not None and named[1] not in project["optional-dependencies"]
    return f"no extra {what}" if missing else ""
