"""A tape as a file of its own, beside the run that replayed it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.tape.recording import Tape

__all__ = ["load_tape", "save_tape"]

_KINDS = {"usd": np.float64, "qty": np.float64}


def save_tape(tape: Tape, path: Path) -> None:
    """Writes the tape's columns, times as the run had them, as compressed NumPy arrays.

    Raises:
        OSError: it cannot be written.
    """
    np.savez_compressed(path, allow_pickle=False, **tape.as_arrays())


def load_tape(path: Path) -> Tape:
    """The tape in the file; its recording, part and speed are named by the scenario.

    Raises:
        SurgetankError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            columns = {
                name: found[name].astype(_KINDS.get(name.rpartition("_")[2], np.int64))
                for name in found.files
            }
        return Tape(
            kind="",
            recorded_prices_ns=columns.pop("prices_ns"),
            recorded_messages_ns=columns.pop("messages_ns"),
            **columns,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        hint = "Run the scenario with the recording again"
        raise SurgetankError("is damaged", place=str(path), hint=hint) from None
