"""Reading and checking the options of a target's URL; all targets share it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Sequence

from surgetank.live.target import TargetError, Where

__all__ = ["check_options", "choice", "real_number", "size", "whole_number"]


def check_options(where: Where, known: Sequence[str] | None) -> None:
    """Refuses options that the target does not know, since a misspelt one would have no effect.

    Raises:
        TargetError: there is one.
    """
    for option in where.options:
        if known is not None and option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise TargetError(
                f"has no option `{option}`{hint}",
                place=f"--target {where.scheme}:",
                hint=f"Give some of {', '.join(known)}",
            )


def choice(where: Where, option: str, choices: Iterable[str], usual: str) -> str:
    """The value of an option with several `choices`; `usual` where the URL lacks it.

    Raises:
        TargetError: it is none of them.
    """
    text = where.options.get(option, usual)
    if text not in (known := list(choices)):
        raise _wrong(where, option, text, "is not known", f"Give one of {', '.join(known)}")
    return text


def real_number(
    where: Where, option: str, usual: float, least: float = 0.0, most: float = math.inf
) -> float:
    """A number from `least` to `most`; `usual`, unchecked, where the URL lacks it.

    Raises:
        TargetError: it is not one.
    """
    text = where.options.get(option)
    if text is None:
        return usual
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value) and least <= value <= most:
        return value
    to = "on" if most == math.inf else f"to {most:.10g}"
    what = f"is not a number from {least:.10g} {to}"
    raise _wrong(where, option, text, what, f"Leave it out, or give such as {usual:.10g}")


def whole_number(where: Where, option: str, usual: int, least: int, most: int) -> int:
    """An integer from `least` to `most`; `usual` where the URL lacks it.

    Raises:
        TargetError: it is not one.
    """
    value = real_number(where, option, usual, least, most)
    if value != int(value):
        text = where.options[option]
        raise _wrong(where, option, text, "is not a whole number", f"Give such as {usual}")
    return int(value)


def size(where: Where, option: str, form: re.Pattern[str], usual: str) -> str:
    """An amount of memory in a server's own notation.

    Raises:
        TargetError: it is not one; it would stand in the server's configuration.
    """
    text = where.options.get(option, usual)
    if not form.fullmatch(text):
        raise _wrong(where, option, repr(text), "is not a size", f"Give such as {usual}")
    return text


def _wrong(where: Where, option: str, text: str, what: str, hint: str) -> TargetError:
    return TargetError(f"`{option}` {text} {what}", place=f"--target {where.scheme}:", hint=hint)
