"""The content of a recording, and a part of it as a tape on the run's clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from surgetank.csv_file import line_of
from surgetank.errors import SurgetankError
from surgetank.number_format import counted
from surgetank.tape.columns import Steps
from surgetank.tape.options import ReadOptions

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

__all__ = ["Floats", "Ints", "Tape", "TapeFile"]

#: As the scenario's `duration_s` allows; its nanoseconds fit into 64 bits.
_LONGEST_S: Final = 1e9
#: A step of time from a row to the next one, either way, that is called doubtful: ten minutes.
_DOUBTFUL_NS: Final = 600 * 10**9


@dataclass(frozen=True, eq=False, repr=False)
class Tape:
    """Prices and messages; times in nanoseconds from the tape's start.

    `recorded_…_ns` are times as recorded; a run has them divided by `speed`.

    `messages_*` are equally long (empty if the recording has none): class number (2 cancel, 3
    replace, 4 order), side (1 buy, 2 sell), price in USD, quantity in coins, and the key of the
    resting order that the message is about (0 = none: a market order).
    """

    kind: str
    """Name of the recording's format."""
    recorded_prices_ns: Ints
    prices_usd: Floats
    recorded_messages_ns: Ints
    messages_class: Ints
    messages_side: Ints
    messages_usd: Floats
    messages_qty: Floats
    messages_key: Ints
    file: str = ""
    """The file from which it was read; with the options below, it can be read again."""
    speed: float = 1.0
    start_s: float = 0.0
    part_s: float | None = None
    read: ReadOptions = field(default_factory=ReadOptions)

    def __repr__(self) -> str:
        counts = f"{len(self.prices_ns):,} prices, {len(self.messages_ns):,} messages"
        return f"<Tape {self.file or 'unnamed'}: {self.kind}, {self.seconds:g} s, {counts}>"

    @cached_property
    def prices_ns(self) -> Ints:
        """Times of the prices on the run's clock."""
        return _faster(self.recorded_prices_ns, self.speed)

    @cached_property
    def messages_ns(self) -> Ints:
        """Times of the messages on the run's clock."""
        return _faster(self.recorded_messages_ns, self.speed)

    @property
    def options(self) -> list[str]:
        """The command line's options that read it."""
        found = ["--tape", self.file or "RECORDING"]
        for flag, value, usual in (
            ("--speed", self.speed, 1.0),
            ("--tape-start", self.start_s, 0.0),
            ("--tape-seconds", self.part_s, None),
        ):
            if value != usual:
                # The shortest text that reads back as the same number.
                found += [flag, repr(value).removesuffix(".0")]
        return found + self.read.flags()

    @property
    def seconds(self) -> float:
        """Length in seconds of simulated time."""
        ends = [int(times[-1]) for times in (self.prices_ns, self.messages_ns) if len(times)]
        return max(ends) / 1e9

    @cached_property
    def hash(self) -> str:
        """BLAKE3 (hex) of its whole content: a part of the run's scenario hash."""
        digest = blake3()
        for name, values in self.as_arrays().items():
            digest.update(name.encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def as_arrays(self) -> dict[str, Ints | Floats]:
        """The columns by name."""
        return {
            "prices_ns": self.prices_ns,
            "prices_usd": self.prices_usd,
            "messages_ns": self.messages_ns,
            "messages_class": self.messages_class,
            "messages_side": self.messages_side,
            "messages_usd": self.messages_usd,
            "messages_qty": self.messages_qty,
            "messages_key": self.messages_key,
        }

    def as_core(self) -> dict[str, list[Any]]:
        """The columns as the compiled core takes them."""
        return {name: values.tolist() for name, values in self.as_arrays().items()}


@dataclass(frozen=True)
class TapeFile:
    """A whole recording; times in nanoseconds since 1970, in order.

    `messages_*` are as in `Tape`.
    """

    file: str
    format: str
    """The format's name, its title, how it was detected, and how the times were read."""
    title: str
    detected: str
    clock: str
    notes: tuple[str, ...]
    symbol: str
    kinds: Mapping[str, int]
    """Rows or messages of each kind."""
    price_source: str
    """A key of `surgetank.tape.columns.SOURCES`."""
    bar_ns: int | None
    duplicates: int
    """Trades that were there twice and are left out."""
    steps: Steps
    rows_ns: Ints
    lags_ns: Ints
    """The recorder's clock less the exchange's, of every row that has both, in the file's order."""
    prices_ns: Ints
    prices_usd: Floats
    messages_ns: Ints
    messages_class: Ints
    messages_side: Ints
    messages_usd: Floats
    messages_qty: Floats
    messages_key: Ints
    options: ReadOptions = field(default_factory=ReadOptions)

    @property
    def began_ns(self) -> int:
        """Time of the first price or message."""
        return min(int(times[0]) for times in (self.prices_ns, self.messages_ns) if len(times))

    @property
    def said(self) -> list[str]:
        """How it was read, in sentences for a person."""
        found = [f"{self.title} ({self.detected})", f"times: {self.clock}", *self.notes]
        found += self._doubts()
        if self.duplicates:
            of = counted(self.duplicates, "trade")
            found.append(f"{of} with the identifier of an earlier one: left out")
        return found

    def _doubts(self) -> Iterator[str]:
        """What is said of rows out of order, and of a row far from all others."""
        steps, span_ns = self.steps, int(self.rows_ns[-1] - self.rows_ns[0])
        if steps.back:
            verb = "goes" if steps.back == 1 else "go"
            text = f"{counted(steps.back, 'row')} {verb} back in time, by at most "
            text += f"{steps.back_ns / 1e9:g} s ({line_of(self.file, steps.back_line)}): sorted"
            if steps.back_ns > _DOUBTFUL_NS:
                text += "; check the times of this row and the one before"
            yield text
        elif len(self.rows_ns) > 2 and steps.ahead_ns > max(_DOUBTFUL_NS, span_ns / 2):
            text = f"no row for {steps.ahead_ns / 1e9:g} of its {span_ns / 1e9:g} s, before "
            yield f"{text}{line_of(self.file, steps.ahead_line)}; check the time of this row"

    def cut(self, *, start_s: float = 0.0, seconds: float | None = None) -> TapeFile:
        """The part of it from `start_s` on, `seconds` long: rows, prices and messages.

        Raises:
            SurgetankError: naming the option, and the hint.
        """
        _check("--tape-start", start_s, above=-1e-9, hint="0 is the first line")
        if seconds is not None:
            _check("--tape-seconds", seconds, above=0.0, hint="Leave it out to take all")
        first = self.began_ns + int(start_s * 1e9)
        last = np.iinfo(np.int64).max if seconds is None else first + int(seconds * 1e9)
        seen, sent, rows = (
            (times >= first) & (times < last)
            for times in (self.prices_ns, self.messages_ns, self.rows_ns)
        )
        if not seen.any():
            hint = "Choose another --tape-start or --tape-seconds"
            raise SurgetankError("no prices in this part of the tape", place=self.file, hint=hint)
        return replace(
            self,
            rows_ns=self.rows_ns[rows],
            prices_ns=self.prices_ns[seen],
            prices_usd=self.prices_usd[seen],
            messages_ns=self.messages_ns[sent],
            messages_class=self.messages_class[sent],
            messages_side=self.messages_side[sent],
            messages_usd=self.messages_usd[sent],
            messages_qty=self.messages_qty[sent],
            messages_key=self.messages_key[sent],
        )

    def part(
        self, *, speed: float = 1.0, start_s: float = 0.0, seconds: float | None = None
    ) -> Tape:
        """`start_s` and `seconds` choose a part, in recorded time; `speed` compresses it: 600
        replays ten hours in a minute.

        Raises:
            SurgetankError: naming the option, and the hint.
        """
        _check("--speed", speed, above=0.0, hint="1 is as recorded")
        cut = self.cut(start_s=start_s, seconds=seconds)
        first = self.began_ns + int(start_s * 1e9)
        ends = [times[-1] for times in (cut.prices_ns, cut.messages_ns) if len(times)]
        if (int(max(ends)) - first) / speed > _LONGEST_S * 1e9:
            hint = "Raise --speed, or take a part with --tape-seconds"
            raise SurgetankError("the tape is longer than a run can be", place=self.file, hint=hint)
        return Tape(
            file=self.file,
            speed=speed,
            start_s=start_s,
            part_s=seconds,
            kind=self.format,
            recorded_prices_ns=cut.prices_ns - first,
            prices_usd=cut.prices_usd,
            recorded_messages_ns=cut.messages_ns - first,
            messages_class=cut.messages_class,
            messages_side=cut.messages_side,
            messages_usd=cut.messages_usd,
            messages_qty=cut.messages_qty,
            messages_key=cut.messages_key,
            read=self.options,
        )


def _faster(times: Ints, speed: float) -> Ints:
    return times if speed == 1 else (times / speed).astype(np.int64)


def _check(flag: str, value: float, *, above: float, hint: str) -> None:
    if not (math.isfinite(value) and above < value <= _LONGEST_S):
        what = f"{value:g} is not a positive number up to {_LONGEST_S:g}"
        raise SurgetankError(what, place=flag, hint=hint)
