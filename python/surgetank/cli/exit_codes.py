"""Exit codes: each outcome has its own, and an error is reported in one line."""

from __future__ import annotations

import codecs
import io
import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Final

from rich.text import Text

from surgetank.cli.app import Left, err
from surgetank.errors import EXIT_BROKE, EXIT_STOPPED, SurgetankError, printable

__all__ = ["ended"]

#: Substitutes for terminals without Unicode; all other characters become a question mark.
_PLAIN: Final = {
    "✔": "+",
    "✘": "X",
    "⚠": "!",
    "█": "#",
    "▏": "|",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "·": "-",
    "→": "->",
    "∞": "inf",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "±": "+-",
    "µ": "u",
    "μ": "u",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "≈": "~",
    "²": "2",
    "√": "sqrt ",
    "▁": ".",
    "▂": ".",
    "▃": ":",
    "▄": ":",
    "▅": "=",
    "▆": "=",
    "▇": "#",
    "⚡": "!",
    "\xa0": " ",
}
#: The exit code that a shell reports for a program ended by SIGPIPE: the reader closed the output.
_READER_CLOSED: Final = 141


def ended(command: Callable[[], object]) -> int:
    """Runs a command and returns its exit code."""
    _open_streams()
    _write_any_text()
    try:
        return _left(command)
    except KeyboardInterrupt:
        _say(Text("Stopped."))
        return EXIT_STOPPED
    except SurgetankError as error:
        return _refused(error)
    except BrokenPipeError:
        return _reader_closed()
    except (OSError, MemoryError) as error:
        return _refused(SurgetankError.of_machine(error))
    except BaseException as error:  # A panic of the core is not an Exception.
        return _broke(error)


def _left(command: Callable[[], object]) -> int:
    code = 0
    try:
        command()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        code = end.code or 0
    except Left as left:
        raise left.how from None
    # Here, where a closed reader is not a crash.
    sys.stdout.flush()
    return code


def _open_streams() -> None:
    """Replaces streams that the parent process closed by the null device, so that the exit code is
    still right."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 — to the end


def _write_any_text() -> None:
    """Makes output robust: no character fails in any encoding of the terminal."""
    codecs.register_error("surgetank-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surgetank-plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char, "?") for char in text), error.end


def _say(line: Text) -> None:
    """One line on standard error. Where that cannot be written, the exit code has to do."""
    try:
        err.print(line, soft_wrap=True, highlight=False)
        sys.stderr.flush()
    except OSError:
        _discard(2)


def _discard(stream: int) -> None:
    """Sends the rest of an output to the null device: Python writes it at exit, which would fail
    again and change the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _refused(error: SurgetankError) -> int:
    _say(Text.assemble(("error:", "bold red"), f" {error}"))
    return error.exit_code


def _reader_closed() -> int:
    _discard(1)
    return _READER_CLOSED


def _broke(error: BaseException) -> int:
    what = printable(f"{type(error).__name__}: {error}")
    line = Text.assemble(("error:", "bold red"), f" surgetank itself failed ({what}). ")
    line.append(f"This is a defect, not a verdict; please report it with {_kept(error)}")
    _say(line)
    return EXIT_BROKE


def _kept(error: BaseException) -> str:
    """The path of the file with the traceback, or the traceback itself where no file can be
    written."""
    text = "".join(
        (
            f"command: {shlex.join(sys.argv)}\n",
            f"Python {platform.python_version()} on {platform.platform()}\n\n",
            *traceback.format_exception(error),
        )
    )
    for folder in (None, os.curdir):
        try:
            number, path = tempfile.mkstemp(prefix="surgetank-", suffix=".txt", dir=folder)
            with open(number, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return printable(text)
