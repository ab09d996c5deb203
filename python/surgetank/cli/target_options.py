"""Options that go with `--target` or with `--tape`, in every command that takes these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions

__all__ = [
    "DEFAULTS",
    "Cooldown",
    "InflightMax",
    "LatenessMax",
    "MessagesMax",
    "OtelEndpoint",
    "OtelSample",
    "OwnSystem",
    "PrometheusPort",
    "RateMax",
    "SecondsMax",
    "Speed",
    "Tape",
    "TapeSeconds",
    "TapeStart",
    "Target",
    "Workers",
    "refuse_unused",
]

DEFAULTS: Final = LiveOptions()
_PANEL: Final = "Live targets"
_TAPES: Final = "Tapes"

Target = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Run against a live system: nats:, redis://127.0.0.1:6379, my_module:Class, …",
        rich_help_panel=_PANEL,
    ),
]
OwnSystem = Annotated[
    bool,
    typer.Option(
        "--i-own-this-system",
        help="Allow a target that is not on this machine.",
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, max=64, help="Number of sending processes.", rich_help_panel=_PANEL
    ),
]
Cooldown = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="Least time between runs; longer while messages are in transit.",
        rich_help_panel=_PANEL,
    ),
]
RateMax = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0,
        help="Refuse scenarios with more messages in any second.",
        rich_help_panel=_PANEL,
    ),
]
SecondsMax = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="Refuse longer scenarios.", rich_help_panel=_PANEL),
]
MessagesMax = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, help="Refuse scenarios with more messages.", rich_help_panel=_PANEL
    ),
]
InflightMax = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="Most unanswered messages per sending process.",
        rich_help_panel=_PANEL,
    ),
]
LatenessMax = Annotated[
    float,
    typer.Option(
        metavar="MS",
        min=0,
        help="Greatest lateness of the generator at p99; beyond it the run is INVALID.",
        rich_help_panel=_PANEL,
    ),
]
PrometheusPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        min=0,
        max=65_535,
        help="Serve /metrics on this port during the run.",
        rich_help_panel=_PANEL,
    ),
]
OtelEndpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Send traces to this URL by OTLP/HTTP after the run.",
        rich_help_panel=_PANEL,
    ),
]
OtelSample = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=1,
        help="Share of messages that are traced.",
        rich_help_panel=_PANEL,
    ),
]

Tape = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Replay a recording: docs/tapes.md.", rich_help_panel=_TAPES),
]
Speed = Annotated[
    float,
    typer.Option(metavar="FACTOR", help="Replay this many times as fast.", rich_help_panel=_TAPES),
]
TapeStart = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="Begin after this much recorded time.", rich_help_panel=_TAPES
    ),
]
TapeSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Length of recorded time to replay.", rich_help_panel=_TAPES
    ),
]


def refuse_unused(context: typer.Context) -> None:
    """Refuses options that would have no effect: those of a panel need the panel's own flag.

    Raises:
        SurgetankError: `--speed` without `--tape`, `--rate-max` without `--target`, and so on.
    """
    for panel, head, value in ((_PANEL, "target", "URL"), (_TAPES, "tape", "FILE")):
        own = [p for p in context.command.params if getattr(p, "rich_help_panel", None) == panel]
        if context.params.get(head) is not None:
            continue
        for option in own:
            source = context.get_parameter_source(option.name or "")
            if source is not None and source.name == "COMMANDLINE":
                raise SurgetankError(
                    f"has no effect without --{head}",
                    place=option.opts[0],
                    hint=f"Add --{head} {value}, or leave it out",
                )
