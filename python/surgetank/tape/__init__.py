"""Tapes: recordings of prices or messages, as arrays on the run's clock."""

from surgetank.tape.formats.table import ROLES
from surgetank.tape.options import ReadOptions, parse_columns
from surgetank.tape.reading import read_recording, read_tape
from surgetank.tape.recording import Tape, TapeFile

__all__ = [
    "ROLES",
    "ReadOptions",
    "Tape",
    "TapeFile",
    "parse_columns",
    "read_recording",
    "read_tape",
]
