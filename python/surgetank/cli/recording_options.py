"""Options that read a recording, in every command that takes one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from surgetank.cli.app import err

if TYPE_CHECKING:
    from surgetank.scenario import Scenario
    from surgetank.tape import ReadOptions, TapeFile

__all__ = ["TAPE_PANEL", "PartOptions", "ReadingOptions", "TapeOptions"]

#: Panel of `--help`.
TAPE_PANEL: Final = "Tapes"

_SAME_DAY: Final = (
    "Every run replays the same recording: intervals say nothing of other days "
    "(`surgetank fit` makes a scenario that draws them)."
)


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a recording, where its content does not say enough."""

    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Format of the recording; by default detected from its content.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = ""
    columns: Annotated[
        str,
        typer.Option(
            metavar="ROLE=COLUMN,…",
            help="Columns of a table: time=ts,price=px,amount=qty,side=way.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = ""
    time_unit: Annotated[
        str,
        typer.Option(
            metavar="UNIT",
            help="Unit of times that are numbers: s, ms, us or ns.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = ""
    timezone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="Zone of times that state none, such as Europe/London; by default UTC.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = ""
    bar_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Length of a bar; by default the commonest time between two.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = None
    symbol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Instrument to read, where the recording has several.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = ""
    contract_size: Annotated[
        float | None,
        typer.Option(
            metavar="COINS",
            help="Coins in one unit of the recorded quantities.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = None

    def read(self, file: Path) -> TapeFile:
        """The recording in the file.

        Raises:
            SurgetankError: naming the option, or the file's line, and the remedy.
        """
        from surgetank.tape import read_recording

        return read_recording(file, self._options())

    def _options(self) -> ReadOptions:
        from surgetank.tape import ROLES, ReadOptions, parse_columns

        return ReadOptions(
            format=self.format_,
            columns=parse_columns(self.columns, ROLES) if self.columns else {},
            time_unit=self.time_unit,
            timezone=self.timezone,
            bar_seconds=self.bar_seconds,
            symbol=self.symbol,
            contract_size=self.contract_size,
        )


@dataclass(frozen=True)
class PartOptions:
    """The part of a recording, in recorded time."""

    tape_start: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="Begin after this much recorded time.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = 0.0
    tape_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Length of recorded time to take; by default all.",
            rich_help_panel=TAPE_PANEL,
        ),
    ] = None

    def of(self, recording: TapeFile) -> TapeFile:
        """This part of a recording.

        Raises:
            SurgetankError: there is nothing in it.
        """
        return recording.cut(start_s=self.tape_start, seconds=self.tape_seconds)


@dataclass(frozen=True)
class TapeOptions:
    """A recording that a scenario replays."""

    tape: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Replay a recording: docs/tapes.md.", rich_help_panel=TAPE_PANEL
        ),
    ] = None
    speed: Annotated[
        float,
        typer.Option(
            metavar="FACTOR", help="Replay this many times as fast.", rich_help_panel=TAPE_PANEL
        ),
    ] = 1.0
    part: PartOptions = field(default_factory=PartOptions)
    reading: ReadingOptions = field(default_factory=ReadingOptions)

    def replayed(self, scenario: Scenario, *, hidden: bool, one_run: bool) -> Scenario:
        """The scenario on the recording, if one is given; says how it was read, unless `hidden`,
        and what that means for a question that is not answered by `one_run`.

        Raises:
            SurgetankError: naming the option, or the file's line, and the remedy.
        """
        if self.tape is None:
            return scenario
        whole = self.reading.read(self.tape)
        if not hidden:
            err.print(f"{self.tape}: {'; '.join(whole.said)}", soft_wrap=True, highlight=False)
            if not one_run:
                err.print(_SAME_DAY, soft_wrap=True, highlight=False)
        start, seconds = self.part.tape_start, self.part.tape_seconds
        return scenario.with_tape(whole.part(speed=self.speed, start_s=start, seconds=seconds))
