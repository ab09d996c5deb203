"""What a user brings to a run: a queue rule or a controller written in Python.

A scenario names it by module and class, `rule = "my_rules:Lottery"`; the module is found as
`import` finds it, and lastly in the current directory. From the terminal that needs --allow-code:
a scenario may come from anybody. The class is made without arguments, twice for
every node. It is asked per decision, so it is slower than the built-in rules: docs/plugins.md says
how much.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol, TypedDict

from blake3 import blake3

from surgetank.errors import SurgetankError

__all__ = [
    "Controller",
    "Observation",
    "QueueRule",
    "Setting",
    "Ticket",
    "Wishes",
    "allow_code",
    "code_refused",
    "digest",
    "import_of_user",
    "is_plugin",
    "load_plugin",
]


class Ticket(Protocol):
    """What a rule may know of a message."""

    message: int
    class_number: int
    """Index into `surgetank.trace.CLASSES`."""
    flags: int
    """1 post-only, 2 immediate, 4 reduce-only, 8 express."""
    size_bytes: int
    account: int
    fee_micros: int
    """Offered to be served earlier, in millionths of a USD."""
    reduces_risk: bool


class QueueRule:
    """Orders places: every waiting message lies in a numbered place, which is free again after.

    Override `push`, `pop` and `remove`. The same calls must give the same answers: draw from a
    `random.Random(seed)` of your own, never from the clock.
    """

    def push(self, now_ns: int, place: int, ticket: Ticket) -> None:
        """A message is put into a place."""
        raise NotImplementedError

    def pop(self, now_ns: int) -> int | None:
        """The place to be served next; None if nothing waits."""
        raise NotImplementedError

    def remove(self, places: list[int]) -> None:
        """Forgets these places: another node has put their messages into a block."""
        raise NotImplementedError

    def make_room(self, ticket: Ticket) -> int | None:
        """The queue is full: the place of whoever makes room; None refuses the newcomer."""
        return None

    def order(self) -> list[int]:
        """All places in order of service, if nothing more came. Inherited: pops a copy empty."""
        twin, places = copy.deepcopy(self), dict[int, None]()
        while (place := twin.pop(0)) is not None:
            if place in places:
                raise ValueError(f"queue rule: `pop` gave place {place} twice")
            places[place] = None
        return list(places)


class Setting(Protocol):
    """Numbers that can be tuned."""

    batch_messages_max: int
    window_ns: int
    """How long a batch stays open; under Tendermint, the wait after a decision."""
    admission_limit: int
    """Orders are refused while so many messages wait at the node."""
    lane_weights: list[int]
    """By class number, under the rule `lanes`."""


class Observation(Protocol):
    """What a node has seen since it last asked its controller."""

    now_ns: int
    served: int
    """Messages that it put into blocks; the sojourns (arrival to block) are theirs."""
    refused: int
    sojourn_min_ns: int
    sojourn_mean_ns: int
    sojourn_p50_ns: int
    sojourn_p99_ns: int
    inflight: int
    """Most messages that waited at once."""
    backlog_ns: int
    """How long the work that waits will take."""
    reducing_served: int
    """How many of the served reduce risk; the next two are theirs."""
    reducing_min_ns: int
    reducing_p99_ns: int
    ahead_ns: int
    """How long what stands before a newcomer that reduces risk will take."""
    block_interval_ns: int
    """Smoothed time between decided blocks; 0 under a single sequencer."""
    waiting: list[int]
    """How many wait for a block, by class number."""
    refused_by_class: list[int]
    volatility_ppm: int
    """Realised volatility of the mark, millionths per √s; 178 is 100 % a year."""
    now_set: Setting
    least: Setting
    most: Setting


class Wishes(TypedDict, total=False):
    """What to set; what is left out stays."""

    batch_messages_max: int
    window_ns: int
    admission_limit: int
    lane_weights: list[int]
    on: int
    """On what number it was decided: for the trace."""


class Controller:
    """Tunes a node that makes blocks. Made once for every such node, with a seed of its own.

    Wishes are cut to the scenario's bounds. The same seed and observations must give the same
    wishes.
    """

    files: ClassVar[tuple[Path, ...]] = ()
    """Files beside its source that it reads: a part of the run's name, as the source is."""

    def __init__(self, seed: int) -> None:
        """`seed` follows from the run's seed and the node."""

    def control(self, observation: Observation) -> Wishes:
        """Asked every `layer.tuning.interval_ms`."""
        raise NotImplementedError


def is_plugin(name: str) -> bool:
    """Whether a name is that of a class in a module, `module:Class`."""
    module, _, cls = name.partition(":")
    return bool(cls) and cls.isidentifier() and all(p.isidentifier() for p in module.split("."))


#: Whoever calls the library has chosen the scenario; the terminal asks.
_ALLOWED: ContextVar[bool] = ContextVar("allowed", default=True)


@contextmanager
def code_refused() -> Iterator[None]:
    """Until `allow_code`, no scenario brings code of its own."""
    token = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allow_code() -> None:
    """The user trusts the scenario's code."""
    _ALLOWED.set(True)


def import_of_user(module: str) -> ModuleType:
    """Imports a module of the user's: as `import` does, and lastly from the current directory, so
    that no file there takes the place of an installed library."""
    here = str(Path.cwd())
    known = here in sys.path
    if not known:
        sys.path.append(here)
    try:
        return importlib.import_module(module)
    finally:
        if not known:
            sys.path.remove(here)


def load_plugin(name: str, kind: type) -> Callable[[], Any]:
    """The class of this name.

    Raises:
        SurgetankError: if there is none, it is not a subclass of `kind`, or code is refused.
    """
    module_name, _, class_name = name.partition(":")
    ours = module_name.startswith("surgetank.")
    if not ours and not _ALLOWED.get():
        raise SurgetankError(
            f"this scenario runs code from `{module_name}`",
            place=name,
            mend="Add --allow-code if you trust who wrote it",
        )
    try:
        load = importlib.import_module if ours else import_of_user
        module = load(module_name)
    except ImportError as error:
        mend = f"Put {module_name}.py into the current directory, or install it"
        raise SurgetankError(f"no module of this name ({error})", place=name, mend=mend) from None
    except Exception as error:
        what = f"importing {module_name} raised {type(error).__name__}: {error}"
        raise SurgetankError(what, place=name, mend="Mend it and run again") from error
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, kind)):
        subclasses = [
            n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, kind)
        ]
        own = ", ".join(n for n in subclasses if n != kind.__name__) or "none"
        raise SurgetankError(
            f"no {kind.__name__} of this name", place=name, mend=f"The module has: {own}"
        )
    return found


def digest(name: str, kind: type) -> str:
    """BLAKE3 (hex) of the file that the class stands in and of those that it reads: part of a run's
    name."""
    found: Any = load_plugin(name, kind)
    source = inspect.getsourcefile(found)
    if not source:
        return name
    parts = [Path(source), *getattr(found, "files", ())]
    return blake3(b"".join(path.read_bytes() for path in parts)).hexdigest()
