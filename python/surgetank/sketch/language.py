"""The language of sketches: that of commonware-estimator's `.lazy` files, and quorums by name."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, Final

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from surgetank.errors import SurgetankError
from surgetank.sketch.protocol import (
    Await,
    Barrier,
    Both,
    Condition,
    Either,
    Quorum,
    Send,
    SendKind,
    SketchProtocol,
    Step,
    ThresholdUnit,
)

__all__ = ["builtin_names", "parse", "read_sketch"]

_GRAMMAR: Final = r"""
?start: send | condition
send: SEND "{" INT ("," "size" "=" INT)? "}"
?condition: condition "||" conjunction -> either
          | conjunction
?conjunction: conjunction "&&" primary -> both
            | primary
?primary: "(" condition ")"
        | AWAIT "{" INT "," "threshold" "=" quorum ("," "delay" "=" delay)? "}" -> wait
quorum: INT -> nodes
      | PERCENT -> percent
      | NAMED -> named
delay: "(" SIGNED "," SIGNED ")"
SEND: "propose" | "broadcast" | "reply"
AWAIT: "wait" | "collect"
NAMED: "quorum" | "third"
PERCENT: /\d+(\.\d+)?%/
SIGNED: /\d+(\.\d+)?/
INT: /\d+/
%ignore /[ \t]+/
"""
_NAMED: Final = {"quorum": Fraction(2, 3), "third": Fraction(1, 3)}
_SUFFIX: Final = ".lazy"
#: The size of a message that has none, as there: its number.
_SIZE_BYTES: Final = 4
_HINT: Final = (
    "A line is propose{N}, broadcast{N} or reply{N} (also with size=BYTES), or wait or "
    "collect{N, threshold=…} with threshold a number, a percentage, `quorum` or `third`, and "
    "delay=(ms, ms); && and || join what is waited for"
)


class _Builder(Transformer[Token, Any]):
    """From lark's tree to a step; lines are numbered by the caller."""

    def send(self, found: list[Token]) -> Send:
        size = int(found[2]) if len(found) > 2 else _SIZE_BYTES
        return Send(SendKind(str(found[0])), int(found[1]), size, 0)

    def wait(self, found: list[Any]) -> Await:
        per_message_ms, after_ms = found[3] if len(found) > 3 else (0.0, 0.0)
        is_collect = found[0] == "collect"
        return Await(int(found[1]), found[2], is_collect, per_message_ms, after_ms)

    def nodes(self, found: list[Token]) -> Quorum:
        return Quorum(ThresholdUnit.NODES, Fraction(str(found[0])))

    def percent(self, found: list[Token]) -> Quorum:
        return Quorum(ThresholdUnit.POWER, Fraction(str(found[0])[:-1]) / 100)

    def named(self, found: list[Token]) -> Quorum:
        return Quorum(ThresholdUnit.MORE_THAN, _NAMED[str(found[0])])

    def delay(self, found: list[Token]) -> tuple[float, float]:
        return float(found[0]), float(found[1])

    def either(self, found: list[Condition]) -> Either:
        return Either(*found)

    def both(self, found: list[Condition]) -> Both:
        return Both(*found)


_PARSER: Final = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


def parse(text: str, name: str, place: str = "") -> SketchProtocol:
    """The protocol of a text, one step a line; lines that begin with # are comments.

    Raises:
        SurgetankError: a line is none of the language, or nothing is waited for.
    """
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if content and not content.startswith("#"):
            steps.append(_step(content, number, f"{place or name}, line {number}"))
    protocol = SketchProtocol(name, tuple(steps), place or name)
    if not protocol.barriers:
        hint = "End with what a node waits for before it decides"
        raise SurgetankError("nothing is waited for", place=protocol.place, hint=hint)
    sent = {step.message for step in steps if isinstance(step, Send)}
    for barrier in protocol.barriers:
        for one in _awaits(barrier.condition):
            if one.message not in sent:
                where = f"{protocol.place}, line {barrier.line}"
                hint = f"Messages of this sketch: {', '.join(map(str, sorted(sent))) or 'none'}"
                raise SurgetankError(f"message {one.message} is never sent", place=where, hint=hint)
    return protocol


def _step(content: str, number: int, place: str) -> Step:
    try:
        found: Any = _PARSER.parse(content)
    except UnexpectedInput as error:
        message = f"unexpected at column {error.column}: {content}"
        raise SurgetankError(message, place=place, hint=_HINT) from None
    except VisitError as error:  # pragma: no cover - the grammar admits only what can be built
        raise SurgetankError(str(error.orig_exc), place=place, hint=_HINT) from None
    if isinstance(found, Send):
        return Send(found.kind, found.message, found.size_bytes, number)
    return Barrier(found, number, content)


def _awaits(condition: Condition) -> list[Await]:
    if isinstance(condition, Await):
        return [condition]
    return [*_awaits(condition.first), *_awaits(condition.second)]


def builtin_names() -> list[str]:
    """Names of the sketches that come with surgetank."""
    folder = resources.files("surgetank.sketch") / "protocols"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def read_sketch(name_or_file: str | Path) -> SketchProtocol:
    """The sketch of a file, or one that comes with surgetank by its name.

    Raises:
        SurgetankError: there is none, it cannot be read, or it is no sketch.
    """
    name = str(name_or_file)
    if name in builtin_names():
        entry = resources.files("surgetank.sketch") / "protocols" / (name + _SUFFIX)
        return parse(entry.read_text("utf-8"), name)
    path = Path(name_or_file)
    if not path.exists():
        hint = f"Give a file, or one of {', '.join(builtin_names())}"
        raise SurgetankError("there is no such sketch", place=name, hint=hint)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        hint = "A sketch is a text file"
        raise SurgetankError("not UTF-8", place=name, hint=hint) from None
    except OSError as error:
        raise SurgetankError.of_machine(error) from None
    return parse(text, path.stem, name)
