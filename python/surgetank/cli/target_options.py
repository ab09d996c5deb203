"""Options that go with `--target` or with `--tape`, in every command that takes these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from surgetank.cli.completion import target_schemes
from surgetank.live import LiveOptions

if TYPE_CHECKING:
    from surgetank.tape import ReadOptions

__all__ = [
    "DEFAULTS",
    "TAPE_PANEL",
    "TARGET_PANEL",
    "BarSeconds",
    "ContractSize",
    "Cooldown",
    "Format",
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
    "Symbol",
    "Tape",
    "TapeColumns",
    "TapeSeconds",
    "TapeStart",
    "Target",
    "TimeUnit",
    "Timezone",
    "Workers",
    "read_options",
]

DEFAULTS: Final = LiveOptions()
#: Panels of `--help`; their options need `--target` or `--tape`.
TARGET_PANEL: Final = "Live targets"
TAPE_PANEL: Final = "Tapes"

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

Tape = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Replay a recording: docs/tapes.md.", rich_help_panel=TAPE_PANEL
    ),
]
Speed = Annotated[
    float,
    typer.Option(
        metavar="FACTOR", help="Replay this many times as fast.", rich_help_panel=TAPE_PANEL
    ),
]
TapeStart = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="Begin after this much recorded time.", rich_help_panel=TAPE_PANEL
    ),
]
TapeSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Length of recorded time to replay.", rich_help_panel=TAPE_PANEL
    ),
]
#: How to read a recording, where its content does not say enough.
Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of the recording; by default detected from its content.",
        rich_help_panel=TAPE_PANEL,
    ),
]
TapeColumns = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="ROLE=COLUMN,…",
        help="Columns of a table: time=ts,price=px,amount=qty,side=way.",
        rich_help_panel=TAPE_PANEL,
    ),
]
TimeUnit = Annotated[
    str,
    typer.Option(
        metavar="UNIT",
        help="Unit of times that are numbers: s, ms, us or ns.",
        rich_help_panel=TAPE_PANEL,
    ),
]
Timezone = Annotated[
    str,
    typer.Option(
        metavar="ZONE",
        help="Zone of times that state none, such as Europe/London; by default UTC.",
        rich_help_panel=TAPE_PANEL,
    ),
]
BarSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Length of a bar; by default the commonest time between two.",
        rich_help_panel=TAPE_PANEL,
    ),
]
Symbol = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Instrument to read, where the recording has several.",
        rich_help_panel=TAPE_PANEL,
    ),
]
ContractSize = Annotated[
    float | None,
    typer.Option(
        metavar="COINS",
        help="Coins in one unit of the recorded quantities.",
        rich_help_panel=TAPE_PANEL,
    ),
]


def read_options(
    format_: str,
    columns: str,
    time_unit: str,
    timezone: str,
    bar_seconds: float | None,
    symbol: str,
    contract_size: float | None,
) -> ReadOptions:
    """How to read a recording, from the options of a command.

    Raises:
        SurgetankError: naming the option.
    """
    from surgetank.tape import ROLES, ReadOptions, parse_columns

    return ReadOptions(
        format=format_,
        columns=parse_columns(columns, ROLES) if columns else {},
        time_unit=time_unit,
        timezone=timezone,
        bar_seconds=bar_seconds,
        symbol=symbol,
        contract_size=contract_size,
    )
