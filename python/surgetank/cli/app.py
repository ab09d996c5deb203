"""What all commands share: the application, its two consoles, and how values are read and shown.

Commands import their working modules in their bodies, so that `--help` and shell completion load
only the declarations of options (docs/decisions/0024).
"""

from __future__ import annotations

import logging
import math
import sys
import tomllib
from typing import Annotated, Any, Final

import typer
from rich.text import Text
from typer.core import TyperGroup

from surgetank.cli.completion import scenario_names
from surgetank.console.terminal import Terminal
from surgetank.errors import SurgetankError
from surgetank.plugins import allow_code, code_refused
from surgetank.version import __version__

__all__ = [
    "EFFORT",
    "OUTPUT",
    "QUESTION",
    "SCENARIO",
    "AllowCode",
    "CommandGroup",
    "Left",
    "ScenarioName",
    "app",
    "err",
    "finite",
    "out",
    "overrides",
    "seed_in_range",
]

#: Panels of `--help`.
SCENARIO: Final = "Scenario"
QUESTION: Final = "Question"
EFFORT: Final = "Effort"
OUTPUT: Final = "Output"


def _allow_code(asked: bool) -> bool:
    if asked:
        allow_code()
    return asked


AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        callback=_allow_code,
        help="Run Python classes that the scenario names (module:Class).",
        rich_help_panel=SCENARIO,
    ),
]


def seed_in_range(seed: int | None) -> int | None:
    """Refuses a seed over 64 bits. A `max` of the option would fill `--help` with its 20 digits."""
    if seed is not None and seed >= 2**64:
        raise typer.BadParameter("Give a whole number from 0 to 2**64 - 1.")
    return seed


ScenarioName = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario's name, or a .toml file.",
        autocompletion=scenario_names,
    ),
]


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"surgetank {__version__}\n")
        raise typer.Exit


#: Levels of `--log-level`.
_LEVELS: Final = ("debug", "info", "warning", "error")


class _ToTerminal(logging.Handler):
    """Prints records above a progress bar that is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a record."""
        err.print(Text(self.format(record), style="dim"), soft_wrap=True, highlight=False)


def _log(level: str | None) -> str | None:
    if level is None:
        return None
    if level not in _LEVELS:
        raise typer.BadParameter(f"Give {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}.")
    handler = _ToTerminal()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("surgetank")
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    return level


def _without_types(options: list[Any]) -> list[Any]:
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    return options


class CommandGroup(TyperGroup):
    """A group of commands whose help shows no type beside options without a value."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; its flags have an empty metavar."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _without_types(command.get_params(ctx))
        return command

    def get_params(self, ctx: Any) -> Any:
        """The options before a command."""
        return _without_types(super().get_params(ctx))


class _Program(CommandGroup):
    """Keeps Typer from giving its own exit codes to two exceptions, one of them that of FAIL."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            with code_refused():
                return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise Left(error) from None


class Left(Exception):
    """Interrupted by Ctrl-C, or the reader of the output has closed it."""

    def __init__(self, how: BaseException) -> None:
        super().__init__(how)
        self.how = how


app = typer.Typer(
    cls=_Program,
    help="Stress tests for the messaging layer of a derivatives venue.",
    epilog="Exit codes: 0 PASS · 1 FAIL · 2 usage · 3 INVALID · 4 UNKNOWN (also: stopped) · "
    "70 internal error · 74 operating system error (disk full, no memory, …).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
err = Terminal(stderr=True)
out = Terminal()


@app.callback()
def _surgetank(
    log_level: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="Log to standard error: debug, info, warning or error.",
            callback=_log,
            autocompletion=lambda: list(_LEVELS),
        ),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    pass


def overrides(values: list[str], flag: str = "--set") -> dict[str, Any]:
    """`KEY=VALUE` pairs of an option; values are TOML, or text where that fails."""
    found: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SurgetankError("has no value", place=f"{flag} {text}", hint="Write KEY=VALUE")
        try:
            found[key.strip()] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value
        except (ValueError, RecursionError):
            hint = "Give a shorter value"
            raise SurgetankError(
                "is too long or nested too deeply", place=f"{flag} {key}", hint=hint
            ) from None
    return found


def finite(value: Any) -> Any:
    """Infinities and NaN as null, which every JSON reader accepts."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value
