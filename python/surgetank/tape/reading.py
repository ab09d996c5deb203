"""Reading of a recording file as a tape."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.tape import table, websocket
from surgetank.tape.recording import Tape

__all__ = ["read_tape"]

#: As the scenario's `duration_s` allows; its nanoseconds fit into 64 bits.
_LONGEST_S: Final = 1e9


def read_tape(
    path: str | Path, *, speed: float = 1.0, start_s: float = 0.0, seconds: float | None = None
) -> Tape:
    """Reads a recording: a WebSocket capture (`.jsonl`), bars, trades or prices (`.csv`), plain or
    `.gz`; docs/tapes.md.

    `start_s` and `seconds` choose a part of it, in recorded time; `speed` compresses it: 600
    replays ten hours in a minute.

    Raises:
        SurgetankError: naming file and line, and the hint.
    """
    path = Path(path)
    _check("--speed", speed, above=0.0, hint="1 is as recorded")
    _check("--tape-start", start_s, above=-1e-9, hint="0 is the first line")
    if seconds is not None:
        _check("--tape-seconds", seconds, above=0.0, hint="Leave it out to take all")
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".json")):
        kind, columns = "websocket", websocket.read(path)
    elif name.endswith(".csv"):
        kind, columns = "table", table.read(path)
    else:
        hint = "Give a .jsonl capture or a .csv of bars, trades or prices, plain or .gz"
        raise SurgetankError("not a known kind of tape", place=str(path), hint=hint)
    prices = np.array(columns.prices, dtype=np.float64).reshape(-1, 2)
    # Times do not fit into a float: they are stored separately.
    prices_ns = np.array([at for at, _ in columns.prices], dtype=np.int64)
    messages_ns = np.array([row[0] for row in columns.messages], dtype=np.int64)
    messages = np.array([row[1:] for row in columns.messages], dtype=np.float64).reshape(-1, 5)
    if not len(prices_ns):
        hint = "Give one with trades, bars or best bids and offers"
        raise SurgetankError("there is no price in this recording", place=str(path), hint=hint)
    began = min(int(times[0]) for times in (prices_ns, messages_ns) if len(times))
    first = began + int(start_s * 1e9)
    last = np.iinfo(np.int64).max if seconds is None else first + int(seconds * 1e9)
    seen = (prices_ns >= first) & (prices_ns < last)
    sent = (messages_ns >= first) & (messages_ns < last)
    if not seen.any():
        hint = "Choose another --tape-start or --tape-seconds"
        raise SurgetankError("no prices in this part of the tape", place=str(path), hint=hint)
    last_ns = max(int(times[-1]) for times in (prices_ns, messages_ns[sent]) if len(times)) - first
    if last_ns / speed > _LONGEST_S * 1e9:
        hint = "Raise --speed, or take a part with --tape-seconds"
        raise SurgetankError("the tape is longer than a run can be", place=str(path), hint=hint)
    return Tape(
        file=str(path),
        speed=speed,
        start_s=start_s,
        part_s=seconds,
        kind=kind,
        prices_ns=((prices_ns[seen] - first) / speed).astype(np.int64),
        prices_usd=prices[seen, 1],
        messages_ns=((messages_ns[sent] - first) / speed).astype(np.int64),
        messages_class=messages[sent, 0].astype(np.int64),
        messages_side=messages[sent, 1].astype(np.int64),
        messages_usd=messages[sent, 2],
        messages_qty=messages[sent, 3],
        messages_key=messages[sent, 4].astype(np.int64),
    )


def _check(flag: str, value: float, *, above: float, hint: str) -> None:
    if not (math.isfinite(value) and above < value <= _LONGEST_S):
        what = f"{value:g} is not a positive number up to {_LONGEST_S:g}"
        raise SurgetankError(what, place=flag, hint=hint)
