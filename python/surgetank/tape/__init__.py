"""Tapes: recordings of prices or messages, as arrays on the run's clock."""

from surgetank.tape.reading import read_tape
from surgetank.tape.recording import Tape

__all__ = ["Tape", "read_tape"]
