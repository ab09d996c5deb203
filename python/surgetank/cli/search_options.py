"""Options that `search`, `frontier` and leagues share, and their folders and workers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn, cast, get_args

import typer

from surgetank.cli.app import EFFORT, OUTPUT, QUESTION, err, seed_in_range
from surgetank.errors import EXIT_STOPPED, SurgetankError
from surgetank.output_folder import claimed, locked

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from surgetank.search.goal import Per

JOURNAL = "runs.jsonl"

Budget = Annotated[
    float,
    typer.Option(
        metavar="P", help="Greatest P(bad debt) for safe leverage.", rich_help_panel=QUESTION
    ),
]
PerWhat = Annotated[
    str | None,
    typer.Option(
        metavar="liquidation|run|account",
        help="What the budget is per; of a position book account or run.",
        rich_help_panel=QUESTION,
        autocompletion=lambda: ["liquidation", "run", "account"],
    ),
]
Precision = Annotated[
    float,
    typer.Option(
        metavar="SHARE", help="Relative half width of the interval.", rich_help_panel=EFFORT
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        callback=seed_in_range,
        help="Seed of the search.",
        rich_help_panel=EFFORT,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Worker processes; by default one per core.",
        rich_help_panel=EFFORT,
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler.", rich_help_panel=EFFORT),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for the results; by default one in runs/.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace earlier results in the folder.", rich_help_panel=OUTPUT),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Resume with the runs recorded in the folder.", rich_help_panel=OUTPUT
    ),
]


@dataclass(frozen=True)
class SearchFolder:
    """The folder and the run journal of a search."""

    folder: Path
    journal: Path


@contextmanager
def placed(folder: Path, *, force: bool, resume: bool) -> Iterator[SearchFolder]:
    """The folder, made before the search so that nothing is lost after it. If an error ends the
    search before any run is recorded, a folder made here is removed: it is empty, and would
    block the corrected command."""
    place = SearchFolder(folder, folder / JOURNAL)
    if resume and force:
        hint = "--resume continues the search there, --force replaces it: leave one out"
        raise SurgetankError("contradict each other", place="--resume --force", hint=hint)
    if resume and folder.is_dir():
        if not place.journal.exists():
            raise SurgetankError(
                "there is no search to resume",
                place=str(folder),
                hint="Leave out --resume, or give the --out of the search that was stopped",
            )
        with locked(folder):
            yield place
        return
    if place.journal.exists() and not force:
        hint = "--resume continues it, --force starts again, --out chooses another folder"
        raise SurgetankError("the folder has an earlier search", place=str(folder), hint=hint)
    with claimed(folder, force=force, mark=JOURNAL):
        place.journal.touch()
        try:
            yield place
        except SurgetankError:
            if not place.journal.stat().st_size:
                place.journal.unlink()
            raise


def span_of(text: str, flag: str) -> tuple[float, float]:
    """The two numbers of a range `A:B`."""
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(low), float(high)
    except ValueError:
        raise SurgetankError(
            "not A:B", place=f"{flag} {text}", hint="Write two numbers, such as 100:5000"
        ) from None


def per_of(text: str | None) -> Per | None:
    """The unit of this name; None if none is given.

    Raises:
        SurgetankError: there is no such unit.
    """
    from surgetank.search.goal import Per

    if text is None:
        return None
    for unit in get_args(Per):
        if text == unit:
            return cast("Per", unit)
    hint = f"Give one of {', '.join(get_args(Per))}"
    raise SurgetankError("no such unit", place=f"--per {text}", hint=hint)


@contextmanager
def executor_of(dask: str | None) -> Iterator[Executor | None]:
    """The workers of a Dask scheduler, or None: processes of this machine."""
    if dask is None:
        yield None
        return
    from surgetank.search.pool import dask_executor

    with dask_executor(dask) as executor:
        yield executor


@contextmanager
def terminable() -> Iterator[None]:
    """Treats SIGTERM as Ctrl-C: workers end, finished runs are recorded."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stopped(place: SearchFolder) -> NoReturn:
    """Reports how to resume, and ends the command."""
    err.print(
        f"Stopped; finished runs are recorded. Resume with: --resume --out {place.folder}",
        soft_wrap=True,
        highlight=False,
    )
    raise typer.Exit(EXIT_STOPPED)
