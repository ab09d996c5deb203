"""A scenario on a user's validators."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from surgetank.errors import SurgetankError
from surgetank.network_file.content import NetworkFile
from surgetank.network_file.links import links_beside
from surgetank.scenario import Scenario
from surgetank.scenario.delay import LinksDelay, RegionsDelay
from surgetank.scenario.faults import named_nodes
from surgetank.scenario.presets import ZONES, aws_matrix_ms

__all__ = ["taken_from", "with_network"]


def with_network(scenario: Scenario, file: NetworkFile) -> Scenario:
    """The scenario with the file's nodes instead of its own.

    Delays are those of the file's links; of a file without links those between its regions, if
    these are regions of the scenario or of the preset aws-13, and else the scenario's own.

    Raises:
        SurgetankError: a part of the scenario names nodes that the file does not have.
    """
    network: dict[str, Any] = scenario.network.model_dump(mode="json", by_alias=True)
    delay, _ = _delay(scenario, file)
    topology, _ = _topology(network["topology"], file)
    regional = delay["kind"] == "regions"
    network |= {
        "nodes": file.count,
        "names": list(file.names),
        "powers": list(file.powers),
        "regions": [] if regional else list(file.regions),
        "machines": [_machine(found) for found in file.machines],
        "topology": topology,
        "delay": delay,
    }
    data = scenario.model_dump(mode="json", by_alias=True)
    name = PurePath(file.files[0]).name
    data |= {
        "title": f"{scenario.title or scenario.name}, on the nodes of {name}",
        "network": network,
        "network_file": file.files[0],
        "network_hash": file.hash,
    }
    try:
        return Scenario.build(data)
    except SurgetankError as error:
        if error.place.startswith("network."):
            # The scenario was good: what is out of bounds is in the file.
            place, hint = ": ".join((name, error.place)), error.hint or "Correct it in the file"
        else:
            place = ": ".join(filter(None, (scenario.name, error.place)))
            hint = f"{error.hint}. " if error.hint else ""
            hint += f"{name} has {file.count} nodes; name some, as in --set faults.0.nodes=[0,1]"
        raise SurgetankError(error.message, place=place, hint=hint) from None


def taken_from(scenario: Scenario, file: NetworkFile) -> tuple[str, ...]:
    """What the scenario gives because the file does not, or changes to fit the file's nodes."""
    topology = scenario.network.topology.model_dump(mode="json", by_alias=True)
    texts = [_delay(scenario, file)[1], _topology(topology, file)[1]]
    for i, fault in enumerate(scenario.faults):
        nodes = [node for _, node in named_nodes(fault) if 0 <= node < file.count]
        if nodes:
            texts.append(f"faults[{i}] is at {', '.join(file.node_name(node) for node in nodes)}")
    return tuple(text for text in texts if text)


def _delay(scenario: Scenario, file: NetworkFile) -> tuple[dict[str, Any], str]:
    """The section `[network.delay]`, and what is said about it."""
    own = scenario.network.delay
    data = own.model_dump(mode="json", by_alias=True)
    if file.links:
        links = [
            {"between": [e.a, e.b], "delay_ms": e.delay_ms, "loss": e.loss, "mbps": e.mbps}
            for e in file.links
        ]
        jitter = data["jitter"] if file.jitter is None else file.jitter
        found = {"kind": "links", "links": links, "placement": list(file.placement)}
        return found | {"jitter": jitter}, ""
    used = set(file.regions)
    if isinstance(own, RegionsDelay) and used <= set(own.names):
        what = "delays between regions" if used else "delays"
        text = f"there are no links: {what} are the scenario's"
        return data | {"placement": list(file.regions)}, text
    if used and used <= set(ZONES):
        found = {"kind": "regions", "names": list(ZONES), "matrix_ms": aws_matrix_ms()}
        text = "there are no links: delays between regions are those of the preset aws-13"
        return found | {"placement": list(file.regions)}, text
    if isinstance(own, RegionsDelay | LinksDelay):
        what = f"regions {', '.join(own.names)}" if isinstance(own, RegionsDelay) else "links"
        raise SurgetankError(
            f"there are no links, and the delays of {scenario.name} are of its own {what}",
            place=file.files[0],
            hint=f"Write them as {links_beside(Path(file.files[0]))[0].name} beside it "
            f"(docs/network.md), or name regions of AWS, such as {ZONES[0]}",
        )
    return data, f"there are no links: delays are the scenario's ({own.kind})"


def _machine(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "nodes": list(found.nodes),
        "speed": found.speed,
        "uplink_mbps": found.uplink_mbps,
        "downlink_mbps": found.downlink_mbps,
    }


def _topology(topology: dict[str, Any], file: NetworkFile) -> tuple[dict[str, Any], str]:
    """The section `[network.topology]` as it fits the file's nodes, and what is said about it."""
    kind, count = topology["kind"], file.count
    full = {"kind": "full"}
    if kind == "edges":
        return full, "the scenario's own links do not fit other nodes: every pair is linked"
    if kind == "regions" and not file.regions:
        return full, "there are no regions: every pair of nodes is linked"
    degree = topology.get("degree")
    if degree is None:
        return topology, ""
    fits = min(degree, count - 1)
    if kind == "random-regular" and fits * count % 2:
        fits -= 1
    if fits < 1:
        return full, "every pair of nodes is linked"
    if fits != degree:
        return topology | {"degree": fits}, f"the degree {degree} does not fit: it is {fits}"
    return topology, ""
