"""The page of a network: powers, regions, delays and the time of a quorum."""

from __future__ import annotations

from surgetank.network_file.summary import Summary
from surgetank.number_format import counted, milliseconds, share
from surgetank.report.network.figures import delay_figure, power_figure
from surgetank.report.shell import render_template
from surgetank.scenario.network import Network

__all__ = ["facts", "render_network", "sentence"]


def render_network(
    found: Summary, network: Network, *, title: str, source: str, notices: tuple[str, ...]
) -> str:
    """The page as HTML text; `source` names file and hash, `notices` what was detected."""
    return render_template(
        "network.html.j2",
        status="PASS",
        found=found,
        title=title,
        source=source,
        notices=notices,
        sentence=sentence(found),
        facts=facts(found),
        rows=_rows(found, network),
        powers=power_figure(found),
        delays=delay_figure(found, network) if found.delays else (),
    )


def sentence(found: Summary) -> str:
    """The network in one sentence."""
    halt = f"{found.nakamoto}" if found.nakamoto > 1 else f"{found.largest} alone"
    text = f"{counted(found.validators, 'validator')}, of which {halt} can halt the chain"
    if found.proposers is not None:
        text += f"; a block is decided {milliseconds(found.proposers.mean_ms)} after its proposal"
        text += " in the mean, by delays alone"
    return text + "."


def facts(found: Summary) -> list[tuple[str, str]]:
    """Name and value of each number, for a table."""
    followers = found.nodes - found.validators
    power = f"at most {share(found.largest_share)}, {found.largest}"
    if found.largest_share * found.validators < 1 + 1e-9:
        power = f"{share(found.largest_share)} each"
    rows = [
        (
            "Nodes",
            f"{found.nodes}" + (f", {followers} of them without a vote" if followers else ""),
        ),
        ("Voting power", power),
        ("Nakamoto coefficient", f"{found.nakamoto} (least number with more than 1/3)"),
        ("Least quorum", f"{found.quorum_least} (least number with more than 2/3)"),
    ]
    if found.delays is not None:
        delays = found.delays
        middle, tail, most = (
            milliseconds(ms) for ms in (delays.median_ms, delays.p90_ms, delays.most_ms)
        )
        rows += [
            ("One-way delay", f"median {middle}, p90 {tail}"),
            ("Furthest pair", f"{most}, {delays.furthest[0]} to {delays.furthest[1]}"),
        ]
        if delays.loss_most:
            rows.append(("Largest loss", share(delays.loss_most)))
        if delays.unlinked:
            rows.append(("Pairs without a link", f"{delays.unlinked} of {delays.pairs}"))
    if found.proposers is not None:
        spans = found.proposers
        mean, least, most = (
            milliseconds(ms) for ms in (spans.mean_ms, spans.least_ms, spans.most_ms)
        )
        rows += [
            ("Proposal to decision", f"{mean} in the mean over proposers"),
            ("Fastest proposer", f"{least}, {spans.least}"),
            ("Slowest proposer", f"{most}, {spans.most}"),
        ]
    return rows


def _rows(found: Summary, network: Network) -> list[dict[str, str]]:
    """A row for each node, the most powerful first."""
    places = network.region_of_nodes
    machine = {node: m.name for m in network.machines for node in m.nodes}
    order = sorted(range(found.nodes), key=lambda k: (-found.shares[k], k))
    spans = found.proposers.by_node_ms if found.proposers else (None,) * found.nodes
    return [
        {
            "name": found.names[k],
            "power": share(found.shares[k]) if found.shares[k] else "none",
            "region": places[k] if places else "—",
            "machine": machine.get(k, "usual"),
            "decided": "—" if (ms := spans[k]) is None else milliseconds(ms),
        }
        for k in order
    ]
