"""The one exception a person meets: what is wrong, where, and how to mend it."""

from __future__ import annotations


class SurgetankError(Exception):
    """Something a person can mend.

    `place` names where (a file, a key, a table), `mend` says what to do, `exit_code` is what the
    command line returns.
    """

    def __init__(
        self, message: str, *, place: str = "", mend: str = "", exit_code: int = 2
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.mend = mend
        self.exit_code = exit_code

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}. {self.mend}" if self.mend else head
