"""Options that go with `--target`, in every command that takes it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from surgetank.cli.completion import target_schemes
from surgetank.live import LiveOptions

__all__ = [
    "DEFAULTS",
    "TARGET_PANEL",
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
    "Target",
    "Workers",
]

DEFAULTS: Final = LiveOptions()
#: Panel of `--help`; its options need `--target`.
TARGET_PANEL: Final = "Live targets"

Target = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Run against a live system: nats:, redis://127.0.0.1:6379, my_module:Class, …",
        rich_help_panel=TARGET_PANEL,
        autocompletion=target_schemes,
    ),
]
OwnSystem = Annotated[
    bool,
    typer.Option(
        "--i-own-this-system",
        help="Allow a target that is not on this machine.",
        rich_help_panel=TARGET_PANEL,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        max=64,
        help="Number of sending processes.",
        rich_help_panel=TARGET_PANEL,
    ),
]
Cooldown = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="Least time between runs; longer while messages are in transit.",
        rich_help_panel=TARGET_PANEL,
    ),
]
RateMax = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0,
        help="Refuse scenarios with more messages in any second.",
        rich_help_panel=TARGET_PANEL,
    ),
]
SecondsMax = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0, help="Refuse longer scenarios.", rich_help_panel=TARGET_PANEL
    ),
]
MessagesMax = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="Refuse scenarios with more messages.",
        rich_help_panel=TARGET_PANEL,
    ),
]
InflightMax = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="Most unanswered messages per sending process.",
        rich_help_panel=TARGET_PANEL,
    ),
]
LatenessMax = Annotated[
    float,
    typer.Option(
        metavar="MS",
        min=0,
        help="Greatest lateness of the generator at p99; beyond it the run is INVALID.",
        rich_help_panel=TARGET_PANEL,
    ),
]
PrometheusPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        min=0,
        max=65_535,
        help="Serve /metrics on this port during the run.",
        rich_help_panel=TARGET_PANEL,
    ),
]
OtelEndpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Send traces to this URL by OTLP/HTTP after the run.",
        rich_help_panel=TARGET_PANEL,
    ),
]
OtelSample = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        min=0,
        max=1,
        help="Share of messages that are traced.",
        rich_help_panel=TARGET_PANEL,
    ),
]
