"""Errors: message, place, hint and exit code."""

from __future__ import annotations

import errno
import unicodedata
from typing import Final

__all__ = [
    "EXIT_BROKE",
    "EXIT_MACHINE",
    "EXIT_STOPPED",
    "EXIT_USAGE",
    "CoreError",
    "SurgetankError",
    "printable",
]

#: Wrong usage: the user can correct it.
EXIT_USAGE: Final = 2
#: Stopped before a result: the code of the verdict UNKNOWN.
EXIT_STOPPED: Final = 4
#: Internal error: a defect, never a verdict. EX_SOFTWARE of sysexits(3).
EXIT_BROKE: Final = 70
#: Operating system error: disk full, no memory, too many open files. EX_IOERR of sysexits(3).
EXIT_MACHINE: Final = 74

_REMEDIES: Final = {
    errno.ENOSPC: "Free space there, or write elsewhere",
    errno.EDQUOT: "Free space there, or write elsewhere",
    errno.EMFILE: "Raise the limit (`ulimit -n 1024`)",
    errno.ENFILE: "Close programs that hold many files",
    errno.ENOMEM: "Reduce the scenario, or use a machine with more memory",
    errno.EROFS: "Write elsewhere",
    errno.EACCES: "Give a place that you may use",
    errno.EPERM: "Give a place that you may use",
}


def printable(text: str, *, lines: bool = False) -> str:
    """The text with control and formatting characters replaced by spaces, and line ends too unless
    `lines` is set."""
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(char if char in kept or _is_shown(char) else " " for char in text)


def _is_shown(char: str) -> bool:
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


class SurgetankError(Exception):
    """An error that the user can correct.

    `place` names its location (a file, a key, a table), `hint` says what to do, and `exit_code` is
    the exit code of the command line.
    """

    def __init__(
        self, message: str, *, place: str = "", hint: str = "", exit_code: int = EXIT_USAGE
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return printable(f"{head}. {self.hint}" if self.hint else head)

    @classmethod
    def of_machine(cls, error: OSError | MemoryError) -> SurgetankError:
        """An error of the operating system, with its usual remedy."""
        if isinstance(error, MemoryError):
            hint = _REMEDIES[errno.ENOMEM]
            return cls("not enough memory", hint=hint, exit_code=EXIT_MACHINE)
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        hint = _REMEDIES.get(error.errno or 0, "")
        place = "" if error.filename is None else str(error.filename)
        return cls(reason, place=place, hint=hint, exit_code=EXIT_MACHINE)


class CoreError(Exception):
    """The compiled core failed: a defect of surgetank, not of the input."""
