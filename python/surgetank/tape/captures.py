"""Captures: lines of JSON messages, with or without the recorder's stamp before them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.tape.clock import TimeColumn
from surgetank.tape.columns import Columns
from surgetank.tape.formats import CAPTURES, Capture
from surgetank.tape.lines import broken, lines
from surgetank.tape.options import ReadOptions

__all__ = ["detect", "read"]

#: Lines in which the venue of a capture is looked for.
_LOOKED_AT: Final = 500
_DAMAGED: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)
_STAMPED: Final = "A line is a JSON message, or `<local time> <JSON message>`"


def detect(path: Path) -> type[Capture] | None:
    """The venue whose messages are the most among the first lines; None if there are none."""
    found: Counter[type[Capture]] = Counter()
    for number, text in islice(lines(path), _LOOKED_AT):
        _, message = _parsed(path, number, text)
        for venue in CAPTURES:
            if _recognised(venue, message):
                found[venue] += 1
                break
    return max(found, key=lambda venue: found[venue]) if found else None


def read(path: Path, venue: type[Capture], options: ReadOptions) -> tuple[Columns, str]:
    """Every message of a capture, and how its times were read.

    The time of a line is the recorder's stamp before it, or else the venue's own time in the
    message; a message without either has the time of the line before.

    Raises:
        SurgetankError: naming file and line.
    """
    columns = Columns(path, options)
    clock = TimeColumn(path, options)
    reader = venue(columns)
    stamped, timed = False, False
    for number, text in lines(path):
        stamp, message = _parsed(path, number, text)
        if not _recognised(venue, message):
            columns.kinds["other"] += 1
            continue
        columns.line = number
        try:
            exchange = reader.exchange_ns(message)
            if stamp:
                at = clock.ns(stamp, number)
                stamped = True
            elif exchange is not None:
                at = exchange
            elif timed:
                at = columns.now
            else:
                columns.kinds["before the first time"] += 1
                continue
            timed = True
            columns.row(number, at, exchange if stamp else None)
            reader.take(message)
        except SurgetankError:
            raise
        except _DAMAGED:
            hint = "Record it again, or leave the line out"
            what = f"a message of {venue.title} that cannot be read"
            raise broken(path, number, what, hint) from None
    said = f"the recorder's stamps, {clock.said}" if stamped else "the venue's own times"
    return columns, said


def _parsed(path: Path, number: int, text: str) -> tuple[str, dict[str, Any]]:
    """The stamp before a message ("" without one) and the message."""
    brace = text.find("{")
    try:
        message = json.loads(text[brace:]) if 0 <= brace <= 64 else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise broken(path, number, "not a line of a capture", _STAMPED)
    return text[:brace].strip(), message


def _recognised(venue: type[Capture], message: dict[str, Any]) -> bool:
    try:
        return venue.recognises(message)
    except _DAMAGED:
        return False
