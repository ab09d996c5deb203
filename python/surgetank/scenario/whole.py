"""A complete scenario: the input of a run."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Self

from blake3 import blake3
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from surgetank.errors import SurgetankError
from surgetank.positions import PositionBook
from surgetank.scenario import presets
from surgetank.scenario.attack import Attack, NoAttack
from surgetank.scenario.dotted import put
from surgetank.scenario.faults import Fault, named_nodes
from surgetank.scenario.flow import Flow
from surgetank.scenario.layer import Layer
from surgetank.scenario.limits import Limits
from surgetank.scenario.market import Market
from surgetank.scenario.network import Network
from surgetank.scenario.position_book import book_values
from surgetank.scenario.problem import explain
from surgetank.scenario.recording import tape_values
from surgetank.scenario.rule import RULE
from surgetank.scenario.section import Integer, NonNegative, Positive, Section, SpanMs, Whole
from surgetank.tape import Tape

#: Keys that the core does not read.
_OWN = (
    *("title", "event", "source", "description", "seed", "limits"),
    *("network_file", "network_hash", "tape_hash", "tape_options"),
    *("positions_hash", "positions_options"),
)


class TraceOptions(Section):
    """The data that a run records."""

    receipts_every: Whole = Field(
        1, ge=0, description="receipts are recorded of every n-th client message; 0 = none"
    )
    gauge_ms: SpanMs = Field(250.0, description="interval of the gauges, ms; 0 = none")


class Scenario(Section):
    """The input of a run, with sections in the order in which a message passes them."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="name of the scenario")
    title: str = Field("", description="one line, for people")
    event: str = Field("", description="the real event that it models, with figures")
    source: str = Field("", description="sources of these figures, one on each line")
    description: str = Field("", description="what it shows")
    seed: Integer = Field(7, ge=0, lt=2**64, description="seed; `--seed` overrides it")
    duration_s: Positive = Field(
        30.0, le=1e9, description="time during which messages arrive, seconds"
    )
    warmup_s: NonNegative = Field(3.0, description="start of the measured window, seconds")
    drain_s: NonNegative = Field(
        10.0, le=1e9, description="additional time for messages in transit, seconds"
    )
    flow: Flow = Field(default_factory=Flow, description="the messages that arrive")
    network: Network = Field(default_factory=Network, description="nodes and links")
    layer: Layer = Field(default_factory=Layer, description="how messages travel and are ordered")
    market: Market | None = Field(
        None, description="the market that executes messages; without it they are opaque"
    )
    faults: list[Fault] = Field(default_factory=list, description="faults and their times")
    attack: Attack = Field(default_factory=NoAttack, description="the attack")
    limits: Limits = Field(default_factory=Limits, description="limits on measures")
    trace: TraceOptions = Field(default_factory=TraceOptions, description="what the trace records")
    network_file: str = Field("", description="file of the nodes (set by --network)")
    network_hash: str = Field("", description="content hash of that file (set by --network)")
    tape_hash: str = Field("", description="content hash of the tape (set by --tape)")
    tape_options: list[str] = Field(
        default_factory=list, description="options with which the tape was read (set by --tape)"
    )
    positions_hash: str = Field(
        "", description="content hash of the position book (set by --positions)"
    )
    positions_options: list[str] = Field(
        default_factory=list,
        description="options with which the position book was read (set by --positions)",
    )
    _book: PositionBook | None = PrivateAttr(None)
    _tape: Tape | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _expand_presets(cls, data: Any) -> Any:
        return presets.expand(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.warmup_s >= self.duration_s:
            raise ValueError(
                f"warmup_s: must be below `duration_s` ({self.duration_s:g}), or nothing is "
                f"measured (it is {self.warmup_s:g}): lower it, or raise `duration_s`"
            )
        last = self.network.nodes - 1
        leader = self.layer.consensus.leader
        if leader is not None and leader > last:
            raise ValueError(
                f"layer.consensus.node: node {leader} is not there; the network has "
                f"{self.network.nodes} nodes, 0..{last}"
            )
        self.layer.queue.check_faulty(self.network.nodes)
        room = self.layer.consensus.message_bytes_max
        if room is not None and self.flow.message_bytes_max > room:
            raise ValueError(
                f"flow.overhead_bytes: no block has room for messages of up to "
                f"{self.flow.message_bytes_max} bytes: lower it, or raise "
                f"`layer.consensus.block_bytes_max` ({room})"
            )
        for i, fault in enumerate(self.faults):
            for key, node in named_nodes(fault):
                if node > last:
                    raise ValueError(
                        f"faults[{i}].{key}: node {node} is not there; the network has "
                        f"{self.network.nodes} nodes, 0..{last}"
                    )
            if fault.at_s >= self.duration_s + self.drain_s:
                raise ValueError(f"faults[{i}].at_s: the run ends before this fault begins")
        self._time_passes()
        self._attack_can_act()
        keyless = not self.layer.queue.has_keypers
        if keyless and any(fault.needs_keypers for fault in self.faults):
            raise ValueError(
                "faults: there are no keypers to fail; they open blocks under "
                "`layer.queue.unsealing` threshold, and sign them where `order` drawn has the "
                "`seed` beacon"
            )
        for key, node in self.attack.nodes_named:
            if node > last:
                raise ValueError(
                    f"attack.{key}: node {node} is not there; the network has "
                    f"{self.network.nodes} nodes, 0..{last}"
                )
        flow = self.flow
        acting = {"makers": flow.makers.count, "keepers": flow.keepers.count}
        acting["panic"] = int(flow.panic.rate_per_s_per_pct > 0)
        for name, count in acting.items():
            if count and self.market is None:
                raise ValueError(f"flow.{name} needs a [market]")
        return self

    def _time_passes(self) -> None:
        """Refuses an engine in which one node decides without the others, and at once again."""
        engine, weights = self.layer.consensus, self.network.weights
        if not engine.votes or engine.pace is None or engine.pace_ms:
            return
        heaviest = max(range(self.network.nodes), key=weights.__getitem__)
        if engine.can_order([heaviest], weights):
            raise ValueError(
                f"layer.consensus.{engine.pace.key}: with 0, blocks follow each other as fast as "
                f"the network allows, and node {heaviest} decides without it: it has more than two "
                "thirds of the power. Take more than 0, or more nodes"
            )

    def _attack_can_act(self) -> None:
        """Refuses an attack that never acts, which would be reported as one that gained nothing."""
        if self.attack.kind == "none":
            return
        if self.attack.at_s >= self.duration_s:
            raise ValueError("attack.at_s: the flow ends before this attack begins")
        if self.attack.trades and self.market is None:
            raise ValueError(f"attack.kind {self.attack.kind} needs a [market] to trade on")
        if self.attack.needs_votes and not self.layer.consensus.votes:
            raise ValueError(
                f"attack.kind {self.attack.kind} needs validators that vote: "
                "take a `layer.consensus.kind` other than none and single"
            )

    def __repr__(self) -> str:
        return f"<Scenario {self.name} {self.hash[:12]}: {self.duration_s:g} s>"

    @classmethod
    def from_toml(cls, text: str, place: str = "scenario") -> Scenario:
        """Reads a scenario file's text.

        Raises:
            SurgetankError: naming the line or key, and the hint.
        """
        try:
            data = tomllib.loads(text)
        except ValueError as error:  # Also for too many digits in a number.
            raise SurgetankError(f"not TOML: {error}", place=place) from None
        except RecursionError:
            hint = "Write it flat"
            raise SurgetankError("nested too deeply", place=place, hint=hint) from None
        return cls.build(data, place)

    @classmethod
    def build(cls, data: Mapping[str, Any], place: str = "") -> Scenario:
        """Validates plain values as `model_validate` does, with readable errors
        (SurgetankError)."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise explain(error, cls, place) from None
        except SurgetankError as error:
            where = f"{place}: {error.place}" if place else error.place
            raise SurgetankError(error.message, place=where, hint=error.hint) from None

    def with_values(self, values: Mapping[str, Any]) -> Scenario:
        """A copy with other values, under dotted keys: `{"flow.arrivals.rate_per_s": 500}`.

        A part of a key may be an index (`faults.0.at_s`). `venue`, `network.preset` and
        `layer.queue.rule` put the preset over the scenario, before the other values.

        Raises:
            SurgetankError: naming the key.
        """
        data = self.model_dump(mode="json", by_alias=True)
        # A kind has keys of its own, so presets and kinds are applied first, whatever the order
        # given.
        for key, value in sorted(values.items(), key=lambda item: _rank(item[0])):
            if key in presets.KEYS:
                data = presets.over(data, key, value)
                continue
            rule = presets.rule_in(key, value)
            if rule is not None:
                data = presets.over(data, RULE, rule)
            put(data, key, value)
        return Scenario.build(data).holding(self._book, self._tape)

    def with_positions(self, book: PositionBook) -> Scenario:
        """A copy whose market opens with the accounts of a position book, at its mark prices
        (docs/positions.md).

        Raises:
            SurgetankError: if the scenario has no market, or not those of the book.
        """
        values = book_values(
            self.market, book, place=self.name, known=self.positions_hash, event=self.event
        )
        return self.with_values(values).holding(book)

    def with_tape(self, tape: Tape) -> Scenario:
        """A copy that replays a recording: its prices, and its messages if it has any
        (docs/tapes.md).

        Raises:
            SurgetankError: the scenario is that of a run on another recording.
        """
        values = tape_values(
            tape,
            place=self.name,
            known=self.tape_hash,
            times_s=(self.duration_s, self.warmup_s, self.drain_s),
            faults=self.faults,
            has_market=self.market is not None,
        )
        return self.with_values(values).holding(tape=tape)

    @property
    def tape(self) -> Tape | None:
        """The recording that is replayed; None without one, or if the scenario was read without
        the one that it names (`tape_hash`)."""
        return self._tape

    @property
    def position_book(self) -> PositionBook | None:
        """The position book with which the market opens; None if positions are drawn, or if the
        scenario was read without the book that it names (`positions_hash`)."""
        return self._book

    def holding(self, book: PositionBook | None = None, tape: Tape | None = None) -> Scenario:
        """The scenario itself, with the position book and the recording that it names; others are
        left out."""
        if book is not None and book.hash == self.positions_hash:
            self._book = book
        if tape is not None and tape.hash == self.tape_hash:
            self._tape = tape
        return self

    def core(self) -> dict[str, Any]:
        """The scenario as the core reads it: all values, without descriptive text."""
        data = super().core()
        queue, nodes = self.layer.queue, self.network.nodes
        data["layer"]["queue"] |= {
            "unsealing": queue.blocks(nodes),
            "fair": queue.fair_among(nodes),
        }
        return data

    def _arranged(self, data: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in data.items() if key not in _OWN}

    def to_core(self) -> str:
        """The input of the compiled core: JSON, with keys in alphabetical order."""
        return _canonical(self.core())

    @property
    def late_after_ms(self) -> float | None:
        """`market.margin.late_after_ms`; None without a market."""
        return None if self.market is None else self.market.margin.late_after_ms

    @property
    def hash(self) -> str:
        """BLAKE3 (hex) of everything that affects the trace or the verdict, without descriptive
        text and seed."""
        limits = _canonical(self.limits.as_mapping() | self.limits.tolerances())
        parts = [_canonical(self.canonical()), limits, self.tape_hash, *self.layer.plugins.values()]
        if self.limits.unmeasured != "left-out":
            parts.append(self.limits.unmeasured)
        if self.positions_hash:
            parts.append(f"positions {self.positions_hash}")
        return blake3("\n".join(parts).encode()).hexdigest()


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _rank(key: str) -> int:
    kinds = len(presets.KEYS)
    if key in presets.KEYS:
        return presets.KEYS.index(key)
    return kinds if key.rpartition(".")[2] == "kind" else kinds + 1
