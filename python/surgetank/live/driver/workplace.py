"""A live run's temporary folder, removed when the run ends or, if the program was killed, by the
next run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import IO, Final

from surgetank.errors import EXIT_MACHINE, SurgetankError

__all__ = ["Workplace"]

_PREFIX: Final = "surgetank-"
#: No other program's file: a folder with this name is swept, and a venue's data has a `lock`.
_LOCK: Final = "surgetank-workplace.lock"


class Workplace:
    """A folder under the system's temporary one.

    Its creator holds a lock in it, which the kernel releases however the process ends. A folder
    that is found unlocked was therefore left by a killed process, and is removed.

    Raises:
        SurgetankError: there is no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            root = Path(tempfile.gettempdir())
        except FileNotFoundError:
            raise SurgetankError(
                "there is no place for temporary files",
                hint="Set TMPDIR to a folder that you may write",
                exit_code=EXIT_MACHINE,
            ) from None
        _sweep(root)
        # It has another name until it is locked, so that no other process removes it in between.
        draft = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=root))
        self._lock = _locked(draft / _LOCK)
        self.folder = draft.rename(root / f"{_PREFIX}{secrets.token_hex(6)}")

    def remove(self) -> None:
        """Safe to call twice."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def _locked(path: Path) -> IO[bytes] | None:
    """The file, open and locked; None if another process holds it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = folder / _LOCK
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not lock.is_file():
                continue
            if (held := _locked(lock)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()
