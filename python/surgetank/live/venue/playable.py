"""What of a scenario can be played with money on a venue; checked before anything is started."""

from __future__ import annotations

from surgetank.errors import SurgetankError
from surgetank.live.faults.kinds import KINDS
from surgetank.native import compiled, stale_core_named
from surgetank.scenario import Scenario
from surgetank.trace import CLASSES

__all__ = ["check", "order_of"]


def check(scenario: Scenario) -> None:
    """Raises:
    SurgetankError: a part of the scenario has no meaning on a venue, or is not there yet.
    """
    market = scenario.market
    if market is None:
        hint = "Add [market], or choose another target"
        raise SurgetankError("a venue needs a market", place="market", hint=hint)
    if market.price.feed == "block":
        hint = 'Give "messages": oracles send them'
        raise SurgetankError("its batches carry no price", place="market.price.feed", hint=hint)
    with stale_core_named():
        power = compiled().attack_needs(scenario.to_core())
    if power is not None:
        what = f"`{scenario.attack.kind}` needs {power}, which a client of a venue does not have"
        raise SurgetankError(what, place="attack", hint="Simulate it, or take [attack] out")
    for number, fault in enumerate(scenario.faults):
        if fault.kind not in KINDS:
            what = f"`{fault.kind}` is not played on a venue with money"
            hint = f"Take it out; there are: {', '.join(KINDS)}"
            raise SurgetankError(what, place=f"faults[{number}]", hint=hint)
        if any(node > 0 for group in fault.groups_named for node in group):
            hint = f"Its process is node 0: --set 'faults.{number}.nodes=[0]'"
            raise SurgetankError("a venue has one node", place=f"faults[{number}]", hint=hint)
    order_of(scenario)


def order_of(scenario: Scenario) -> str:
    """The scenario's order of a batch, as the venue's file has it.

    Raises:
        SurgetankError: the venue has no such rule.
    """
    queue = scenario.layer.queue
    discipline = queue.core()["discipline"]
    if queue.rule == "hash":
        return "hash"
    match discipline if queue.rule == discipline["kind"] else {}:
        case {"kind": "fifo" | "class" as name}:
            return str(name)
        case {"kind": "priority", "high": high}:
            return f"priority high={sum(1 << CLASSES.index(one) for one in high)}"
        case {"kind": "lanes", "weights": weights}:
            return f"lanes weights={','.join(map(str, weights))}"
        case {"kind": "drr", "quantum_bytes": quantum}:
            return f"drr quantum={quantum}"
    hint = "Take fifo, class, priority, lanes, drr or hash: --set layer.queue.rule=fifo"
    what = f"a venue has no rule `{queue.rule}` that a journal can prove"
    raise SurgetankError(what, place="layer.queue.rule", hint=hint)
