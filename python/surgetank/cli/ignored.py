"""Options that would have no effect beside the others given: they are refused, since the work would
not be what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer

from surgetank.cli.adversaries import ADVERSARY_PANEL
from surgetank.cli.position_options import POSITIONS_PANEL
from surgetank.cli.recording_options import TAPE_PANEL
from surgetank.cli.target_options import TARGET_PANEL
from surgetank.errors import SurgetankError

__all__ = ["refuse_ignored"]

_Given = Mapping[str, Any]


@dataclass(frozen=True)
class _Rule:
    """Options of a command that have an effect only under a condition."""

    command: str
    options: tuple[str, ...]
    """Names of parameters."""
    has_effect: Callable[[_Given], bool]
    """From the values of all parameters."""
    why: str
    """What follows "has no effect"."""
    remedy: str


def _finds(what: str) -> Callable[[_Given], bool]:
    """Whether a search is for this; `capacity` is what it finds unless something else is named."""
    return lambda given: given["until"] is None and (given["find"] or "capacity") == what


_WITHOUT_DASK: Final = "with --dask, whose scheduler has workers of its own"
_OF_TWO_FOLDERS: Final = "where two folders are compared"
_RULES: Final = (
    _Rule(
        "book",
        ("seed", "markets"),
        lambda given: given["example"] is not None,
        "without --example",
        "Add --example N",
    ),
    _Rule(
        "book",
        ("columns", "units", "marks", "scenario", "out", "force"),
        lambda given: given["example"] is None,
        "with --example, which prints a book",
        "",
    ),
    _Rule(
        "run",
        ("otel_sample",),
        lambda given: given["otel_endpoint"] is not None,
        "without --otel-endpoint",
        "Add --otel-endpoint URL",
    ),
    _Rule(
        "search",
        (
            *("find", "vary", "range_", "until", "degradation", "budget", "per", "precision"),
            *("runs_max", "baseline", "fall", "target"),
        ),
        lambda given: not given["adversary"],
        "with --adversary, which finds an attack and no threshold",
        "",
    ),
    _Rule(
        "search",
        ("fall",),
        lambda given: given["baseline"] is not None,
        "without --baseline",
        "Add --baseline FILE",
    ),
    _Rule(
        "search",
        ("degradation",),
        _finds("capacity"),
        "on this search: it defines the capacity",
        "Add --find capacity",
    ),
    _Rule(
        "search",
        ("budget", "per"),
        _finds("safe-leverage"),
        "on this search: it defines safe leverage",
        "Add --find safe-leverage",
    ),
    _Rule(
        "search",
        ("workers", "dask"),
        lambda given: given["target"] is None,
        "with --target: live runs are made one after the other",
        "",
    ),
    *(
        _Rule(
            name,
            (option,),
            lambda given: given["target"] is None,
            f"with --target: a live system has {what} of its own",
            "",
        )
        for name in ("run", "search")
        for option, what in (("network", "nodes"), ("positions", "accounts"))
    ),
    *(
        _Rule(name, ("workers",), lambda given: given["dask"] is None, _WITHOUT_DASK, "")
        for name in ("search", "frontier", "attack", "compare", "risk")
    ),
    _Rule(
        "compare",
        ("whole", "html"),
        lambda given: given["b"] is not None,
        "on a league",
        "Give two folders",
    ),
    _Rule(
        "compare",
        ("force",),
        lambda given: given["b"] is None or given["out"] is not None,
        "without --out",
        "Add --out FOLDER",
    ),
    _Rule(
        "compare", ("whole",), lambda given: not given["as_json"], "with --json, which has all", ""
    ),
    _Rule(
        "compare",
        ("allow_code", "tape", "positions"),
        lambda given: given["b"] is None,
        _OF_TWO_FOLDERS,
        "",
    ),
    _Rule(
        "compare",
        ("budget",),
        lambda given: given["b"] is not None or "safe-leverage" in (given["find"] or ""),
        "without a search for safe leverage",
        "Add --search safe-leverage",
    ),
    _Rule(
        "compare",
        ("search_attacks",),
        lambda given: given["b"] is not None or given["attack"] is not None,
        "without --attack",
        "Add --attack all",
    ),
    _Rule(
        "calibrate", ("seconds",), lambda given: given["check"], "without --check", "Add --check"
    ),
    _Rule(
        "calibrate",
        ("allow_code",),
        lambda given: given["scenario"] is not None,
        "without --scenario",
        "Add --scenario SCENARIO",
    ),
    _Rule(
        "tape",
        ("force",),
        lambda given: given["out"] is not None,
        "without --out",
        "Add --out FOLDER",
    ),
)
#: Panels of `--help` whose options need the first of them.
_PANELS: Final = (
    (TARGET_PANEL, "target", "URL"),
    (TAPE_PANEL, "tape", "FILE"),
    (POSITIONS_PANEL, "positions", "FILE"),
    (ADVERSARY_PANEL, "adversary", ""),
)


def refuse_ignored(context: typer.Context) -> None:
    """Refuses options that were given and would be ignored; every command calls it first.

    Raises:
        SurgetankError: `--speed` without `--tape`, `--fall` without `--baseline`, and so on.
    """
    options = {option.name: option for option in context.command.params}
    for panel, head, value in _PANELS:
        if head in options and context.params.get(head) in (None, False):
            of_panel = [n for n, o in options.items() if _panel(o) == panel]
            remedy = f"Add --{head} {value}".rstrip()
            _refuse(context, of_panel, f"without --{head}", remedy)
    for rule in _RULES:
        if rule.command == context.info_name and not rule.has_effect(context.params):
            _refuse(context, rule.options, rule.why, rule.remedy)


def _panel(option: Any) -> str | None:
    panel: str | None = getattr(option, "rich_help_panel", None)
    return panel


def _refuse(context: typer.Context, names: Any, why: str, remedy: str) -> None:
    for option in context.command.params:
        if option.name not in names:
            continue
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            hint = f"{remedy}, or leave it out" if remedy else "Leave it out"
            raise SurgetankError(f"has no effect {why}", place=option.opts[0], hint=hint)
