"""Files of nodes and links: what is read, what is refused, and runs on them."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import surgetank as st
from command_line import surgetank
from surgetank.network_file.summary import mean_delays_ms, summarise
from surgetank.report.scenario_text import command
from surgetank.scenario.text import toml
from surgetank.testing import executed, make_trace

LATENCY = Path(__file__).resolve().parents[3] / "shared/data/latency"
NODES = """name,power,region,machine,speed,uplink_mbps
ams-1,40,eu,large,2,1000
fra-1,30,eu,large,2,1000
tyo-1,20,asia,small,1,100
nyc-1,10,us,small,1,100
sin-rpc,0,asia,small,1,100
"""
BETWEEN_REGIONS = "from,to,delay_ms,loss\neu,us,40,0.001\nus,asia,80,0.002\nasia,asia,3,0\n"
BETWEEN_NODES = """source;target;latency_ms_one_way;packet_loss_percent;mbps
ams-1;fra-1;4;0;0
fra-1;nyc-1;41;0.1;500
nyc-1;tyo-1;79;0.2;100
nyc-1;sin-rpc;90;0;0
tyo-1;nyc-1;81;0.2;100
"""
SHADOW = """graph [
  directed 0
  node [ id 10 label "poi-a" country_code "DE" host_bandwidth_up "50 Mbit" ]
  node [ id 20 label "poi-b" country_code "US" host_bandwidth_up "512 Kibit" ]
  node [ id 30 label "poi-c" country_code "US" host_bandwidth_up "50 Mbit" ]
  edge [ source 10 target 10 latency "1 ms" packet_loss 0.0 ]
  edge [ source 20 target 20 latency "1 ms" packet_loss 0.0 ]
  edge [ source 30 target 30 latency "1 ms" packet_loss 0.0 ]
  edge [ source 10 target 20 label "long" latency "45 ms" jitter "900 us" packet_loss 0.01 ]
  edge [ source 20 target 30 latency "5000 us" jitter "100 us" packet_loss 0.02 ]
  edge [ source 10 target 30 latency "90 ms" jitter "1800 us" packet_loss 0.0 ]
]
"""


def written(folder: Path, nodes: str = NODES, links: str | None = None) -> Path:
    """The file of nodes, with that of links beside it."""
    (folder / "my_nodes.csv").write_text(nodes)
    if links is not None:
        (folder / "my_links.csv").write_text(links)
    return folder / "my_nodes.csv"


def placed(file: Path, name: str = "calm", **values: Any) -> st.Scenario:
    """A shipped scenario on the file's nodes."""
    chosen = st.with_network(st.load(name), st.read_network(file))
    return chosen.with_values({key.replace("__", "."): value for key, value in values.items()})


def test_nodes_and_links_between_regions(tmp_path: Path) -> None:
    """Every column, and delays by region."""
    network = placed(written(tmp_path, links=BETWEEN_REGIONS)).network
    assert network.names == ["ams-1", "fra-1", "tyo-1", "nyc-1", "sin-rpc"]
    assert (network.powers, network.regions[2:]) == ([40, 30, 20, 10, 0], ["asia", "us", "asia"])
    large, small = network.machines
    assert (large.name, large.nodes, large.speed, large.uplink_mbps) == ("large", [0, 1], 2, 1000)
    assert (small.name, small.nodes, small.downlink_mbps) == ("small", [2, 3, 4], None)
    delay = mean_delays_ms(network)
    assert [delay[0, k] for k in range(5)] == [0, 0.5, 120, 40, 120]
    assert delay[2, 4] == 3 and delay[3, 2] == 80


def test_links_between_nodes_with_percent_and_direction(tmp_path: Path) -> None:
    """A semicolon, percent, and a pair whose delay depends on the direction."""
    file = st.read_network(written(tmp_path, links=BETWEEN_NODES))
    text = " · ".join(file.notices)
    assert "packet_loss_percent is taken in percent" in text
    assert "1 pair with another delay" in text and "3 links given in one direction" in text
    network = st.with_network(st.load("calm"), file).network
    delay = mean_delays_ms(network)
    assert (delay[0, 2], delay[2, 0]) == (4 + 41 + 79, 81 + 41 + 4)
    found = summarise(network).delays
    assert found is not None and found.unlinked == 2 * (10 - 4)
    assert found.loss_most == pytest.approx(1 - 0.999 * 0.998)


def test_a_graph_of_shadow_is_routed_as_shadow_does(tmp_path: Path) -> None:
    """Units in the cells; the edge of 90 ms is longer than the way round, of 50 ms."""
    path = tmp_path / "atlas.gml"
    path.write_text(SHADOW)
    file = st.read_network(path)
    assert file.format == "Shadow graph (GML)" and file.jitter == pytest.approx(0.02)
    assert "1 edge longer than a way round, which packets take instead" in file.notices
    assert "3 links from a node to itself: left out" in file.notices
    network = st.with_network(st.load("calm"), file).network
    assert network.names == ["poi-a", "poi-b", "poi-c"] and network.regions == ["DE", "US", "US"]
    assert mean_delays_ms(network)[0].tolist() == [0, 45, 50]
    paths = network.delay.paths(3)  # type: ignore[union-attr]
    assert paths.loss[0, 2] == pytest.approx(1 - 0.99 * 0.98)
    up = {node: m.uplink_mbps for m in network.machines for node in m.nodes}
    assert up == {0: 50, 1: 512 * 1024 / 1e6, 2: 50}


def random_graph(seed: int) -> nx.Graph:
    """A connected graph with Shadow's attributes."""
    draws = random.Random(seed)
    graph = nx.connected_watts_strogatz_graph(draws.randint(3, 12), 2, 0.5, seed=seed)
    graph.add_edges_from((node, node) for node in list(graph))
    for a, b in graph.edges:
        graph[a][b].update(latency=f"{draws.randint(1, 10**6)} us", packet_loss=0.0)
    return graph


def test_delays_of_random_graphs_are_shortest_paths(tmp_path: Path) -> None:
    """All pairs, against networkx."""
    path = tmp_path / "random.gml"
    for seed in range(25):
        graph = random_graph(seed)
        nx.write_gml(graph, path)
        for a, b in graph.edges:
            graph[a][b]["ms"] = int(graph[a][b]["latency"].split()[0]) / 1e3
        expected = dict(nx.all_pairs_dijkstra_path_length(graph, weight="ms"))
        found = mean_delays_ms(placed(path).network)
        for a, row in expected.items():
            assert found[a].tolist() == pytest.approx([row[b] for b in sorted(row)])


def test_links_alone_name_the_nodes(tmp_path: Path) -> None:
    """Half of a round trip is one way."""
    path = tmp_path / "pings.csv"
    path.write_text("from,to,rtt_ms\nmilan,paris,20\nparis,oslo,30\n")
    file = st.read_network(path)
    assert file.names == ("milan", "paris", "oslo") and file.format == "links (CSV)"
    assert "one-way delays are half of rtt_ms" in file.notices
    assert mean_delays_ms(placed(path).network)[0].tolist() == [0, 10, 25]


def test_without_links_the_delays_are_of_known_regions_or_the_scenario_s(tmp_path: Path) -> None:
    """Regions of AWS have the preset's; others leave the scenario's own, which is said."""
    aws = st.load("calm").with_values({"network.preset": "aws-13"}).network.delay.names  # type: ignore[union-attr]
    rows = "".join(f"v{k},{1 + k},{region}\n" for k, region in enumerate(aws[:5]))
    path = written(tmp_path, "name,power,region\n" + rows)
    network = placed(path).network
    assert network.region_of_nodes == aws[:5] and mean_delays_ms(network)[0, 1] > 1
    path.write_text("name,power\na,1\nb,2\nc,3\n")
    plain = st.load("calm").with_values({"network.delay": {"kind": "fixed", "delay_ms": 7.0}})
    assert mean_delays_ms(st.with_network(plain, st.read_network(path)).network)[0, 2] == 7
    path.write_text("name,region\na,moon\nb,moon\nc,mars\n")
    regional = st.load("calm").with_values({"network.preset": "aws-13"})
    with pytest.raises(st.SurgetankError, match="there are no links") as error:
        st.with_network(regional, st.read_network(path))
    assert "Write them as my_links.csv beside it" in error.value.hint


def test_powers_keep_their_proportions(tmp_path: Path) -> None:
    """Decimals and amounts beyond 2^53 are scaled, and that is said."""
    path = written(tmp_path, "moniker,tokens\na,1.5\nb,0.000001\nc,3\n")
    file = st.read_network(path)
    assert file.powers == (1_500_000, 1, 3_000_000)
    assert "powers are counted in units of 10^-6" in file.notices
    path.write_text(f"moniker,stake\na,{3 * 10**25}\nb,{10**25}\n")
    found = st.read_network(path).powers
    assert found[0] == 3 * found[1] and found[0] <= 2**53
    for least, most in (("1e-9", "1"), ("1", "1e30")):
        path.write_text(f"moniker,stake\na,{most}\nb,{least}\n")
        with pytest.raises(st.SurgetankError, match=f":3: the power {least} would count as 0"):
            st.read_network(path)


def test_what_is_out_of_bounds_is_said_to_be_the_file_s(tmp_path: Path) -> None:
    """Not to come from the scenario, nor to be about its faults."""
    path = written(tmp_path, "name\na\nb\n", links="from,to,delay_ms\na,b,1e30\n")
    with pytest.raises(st.SurgetankError) as error:
        st.with_network(st.load("calm"), st.read_network(path))
    assert error.value.place.startswith(f"{path.name}: network.delay.links[0]")
    assert "faults" not in error.value.hint


@pytest.mark.parametrize(
    ("nodes", "links", "text", "hint"),
    [
        ("", None, "the file is empty", ""),
        ("name,power\n", None, "there are no rows", ""),
        ("power,region\n1,eu\n", None, "no column names the nodes", "Name a column `name`"),
        (
            "name,power\na,1\na,2\n",
            None,
            r"nodes.csv:3: the node 'a' is also at .*:2",
            "of its own",
        ),
        ("name,power\na,1\nb,-2\n", None, "nodes.csv:3: power: '-2' is negative", "power"),
        ("name,power\na,1\nb,many\n", None, "'many' is not a number", ""),
        ("name,power\na,1\nb,\n", None, "nodes.csv:3: the node has no power", "follows"),
        ("name,power\na,0\nb,0\n", None, "all powers are 0", ""),
        ("name,power\na,1,2\n", None, "3 cells under 2 columns", ""),
        ("name,name\na,1\n", None, "two columns are named `name`", ""),
        ("name,uplink\na,10\nb,10\n", None, "uplink: '10' has no unit", "uplink_mbps"),
        ("name,uplink\na,10 parsecs\n", None, "unknown unit", ""),
        ("name,machine,speed\na,m,1\nb,m,2\n", None, "has another speed than at", ""),
        ("name,speed\na,0\n", None, "speed: 0 is out of range", ""),
        (NODES, "from,to\neu,us\n", "no column has the delays", "delay_ms"),
        (
            NODES,
            "from,to,delay_ms,rtt_ms\neu,us,5,11\n",
            "delay_ms and rtt_ms both give",
            "one way",
        ),
        (NODES, "from,to,delay\neu,us,5\n", "has no unit", "delay_ms"),
        (NODES, "from,to,delay_ms\nams-1,fra1,5\n", "links.csv:2: unknown node 'fra1'", "fra-1"),
        (NODES, "from,to,delay_ms\neu,us,5\neu,usa,5\n", "unknown region 'usa'", "'us'"),
        (NODES, "from,to,delay_ms\nams-1,ams-1,5\n", "linked to itself", "Leave it out"),
        (NODES, "from,to,delay_ms\neu,us,5\n", "there is no path from eu to asia", "Add a link"),
        (NODES, "from,to,delay_ms\neu,us,5\neu,us,6\n", "links.csv:3: the link is also at", ""),
        (NODES, "from,to,delay_ms,loss\neu,us,5,3\n", "the loss 3 is not below 1", "loss_percent"),
        (NODES, "from,to,delay_ms\neu,us,\n", "the link has no delay", ""),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, nodes: str, links: str | None, text: str, hint: str
) -> None:
    """With the file, the line and the remedy."""
    with pytest.raises(st.SurgetankError) as error:
        st.read_network(written(tmp_path, nodes, links))
    assert re.search(text, f"{error.value.place}: {error.value.message}")
    assert hint in (error.value.hint or "")


def test_a_directed_graph_needs_both_directions(tmp_path: Path) -> None:
    """An edge without its reverse would be taken in both."""
    path = tmp_path / "one.gml"
    path.write_text(SHADOW.replace("directed 0", "directed 1"))
    with pytest.raises(st.SurgetankError, match="one direction only"):
        st.read_network(path)
    path.write_text("graph [ node [ id 0 ")
    with pytest.raises(st.SurgetankError, match="not GML"):
        st.read_network(path)
    with pytest.raises(st.SurgetankError, match="cannot be read"):
        st.read_network(tmp_path / "absent.csv")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    some.sampled_from((NODES, BETWEEN_REGIONS, BETWEEN_NODES, SHADOW)),
    some.lists(some.tuples(some.integers(0, 10**6), some.binary(max_size=3)), max_size=6),
    some.booleans(),
)
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, text: str, damage: list[tuple[int, bytes]], graph: bool
) -> None:
    """Whatever bytes are put into it: never an exception of another kind."""
    content = bytearray(text.encode())
    for at, what in damage:
        at %= len(content)
        content[at : at + len(what)] = what
    path = tmp_path / ("damaged.gml" if graph else "damaged.csv")
    path.write_bytes(content)
    try:
        st.with_network(st.load("calm"), st.read_network(path))
    except st.SurgetankError as error:
        assert error.place


def test_summary_by_hand(tmp_path: Path) -> None:
    """A chain A – 10 ms – B – 30 ms – C, of equal powers, and where B is a quorum alone."""
    path = written(tmp_path, "name,power\na,1\nb,1\nc,1\n", "from,to,delay_ms\na,b,10\nb,c,30\n")
    found = summarise(placed(path).network)
    assert (found.nakamoto, found.quorum_least, found.validators) == (2, 3, 3)
    # From b: a decides at 90, b at 80, c at 110 (tests/lab/test_powers.py); three are a quorum.
    assert found.proposers is not None and found.proposers.by_node_ms[1] == 110
    assert found.delays is not None
    assert (found.delays.median_ms, found.delays.most_ms) == (30, 40)
    assert found.delays.furthest == ("a", "c")
    path.write_text("name,power\na,1\nb,7\nc,1\n")
    found = summarise(placed(path).network)
    assert (found.nakamoto, found.quorum_least) == (1, 1)
    assert found.proposers is not None and found.proposers.by_node_ms[1] == 0
    path.write_text("name,power\na,0\nb,1\nc,2\n")
    # Exactly two thirds are no quorum, and exactly a third does not halt.
    found = summarise(placed(path).network)
    assert (found.nakamoto, found.quorum_least) == (1, 2)
    assert found.proposers is not None and found.proposers.by_node_ms[0] is None


def test_quorum_time_is_what_a_run_without_load_measures(tmp_path: Path) -> None:
    """The estimate, by proposer, against decisions of the simulator without service times."""
    links = "from,to,delay_ms\neu,us,40\nus,asia,80\nasia,asia,3\neu,asia,110\n"
    free = {f"{name}_us": 0.0 for name in ("cancel", "replace", "order", "proposal", "vote")}
    free |= {"price_update_us": 0.0, "liquidation_order_us": 0.0}
    scenario = placed(
        written(tmp_path, links=links),
        layer__service__validation=free,
        network__delay__jitter=0.0,
        network__topology={"kind": "full"},
        network__uplink_mbps=0.0,
        network__machines=[],
        flow__arrivals={"kind": "poisson", "rate_per_s": 0.5},
        duration_s=20.0,
    )
    expected = summarise(scenario.network).proposers
    assert expected is not None
    trace = st.simulate(scenario, seed=1)
    weights, least = trace.weights, dict[int, float]()
    for row in trace["blocks"].filter(trace["blocks"]["height"] > 1).iter_rows(named=True):
        rows = trace["executions"].filter(height=row["height"]).sort("decided_ns")
        have = np.cumsum(weights[rows["node"].to_numpy()])
        reached = rows["decided_ns"].to_list()[int(np.argmax(3 * have > 2 * weights.sum()))]
        span, proposer = (reached - row["proposed_ns"]) / 1e6, row["proposer"]
        least[proposer] = min(span, least.get(proposer, span))
    # A voter that decided the height before late begins late; of many heights, one has none.
    assert sorted(least) == [0, 1, 2, 3]
    for proposer, span in least.items():
        assert span == pytest.approx(expected.by_node_ms[proposer], abs=0.01)


def test_a_run_says_whose_nodes_it_has_and_repeats(tmp_path: Path) -> None:
    """The names in the results, and the same trace from the stored scenario without the file."""
    path = written(tmp_path, links=BETWEEN_REGIONS)
    words = ["run", "calm", "--network", str(path), "--set", "duration_s=8", "--seed", "3"]
    done = surgetank(*words, "--json", "--no-report", "--out", "run", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    first = json.loads(done.stdout)["trace_hash"]
    trace = st.Trace.load(tmp_path / "run")
    assert trace.scenario.network_file == str(path) and len(trace.scenario.network_hash) == 64
    assert trace.node_name(2) == "tyo-1 (asia)"
    (tmp_path / "scenario.toml").write_text(toml(trace.scenario.model_dump(mode="json")))
    path.unlink()
    stored = surgetank("run", "scenario.toml", "--seed", "3", "--json", "--no-report", cwd=tmp_path)
    assert json.loads(stored.stdout)["trace_hash"] == first, stored.stderr


def test_what_the_scenario_says_of_other_nodes_is_refused(tmp_path: Path) -> None:
    """A fault at a node that is not there; a live target, which has nodes of its own."""
    path = written(tmp_path, links=BETWEEN_REGIONS)
    crash = {"kind": "crash", "at_s": 1.0, "duration_s": 1.0, "nodes": [6]}
    with pytest.raises(st.SurgetankError, match="node 6 is not there") as error:
        st.with_network(st.load("calm").with_values({"faults": [crash]}), st.read_network(path))
    assert "my_nodes.csv has 5 nodes" in (error.value.hint or "")
    done = surgetank("run", "calm", "--network", str(path), "--target", "memory:", cwd=tmp_path)
    assert done.returncode == 2 and "--network" in done.stderr and "--target" in done.stderr


@pytest.mark.skipif(not LATENCY.is_dir(), reason="the recorded latencies are not here")
def test_the_recorded_atlas_is_read() -> None:
    """Countries, rates in Kibit/s and one-way delays, as measured."""
    file = st.read_network(LATENCY / "shadow_atlas20_nodes.csv")
    assert file.count == 20 and file.regions[:3] == ("JP", "AT", "US") and file.names == ()
    network = st.with_network(st.load("calm"), file).network
    assert mean_delays_ms(network)[0, 18] == 118.555
    assert network.machines[0].uplink_mbps == pytest.approx(83_592 * 1_024 / 1e6)


def test_the_documents_show_what_the_example_prints() -> None:
    """docs/network.md, line by line."""
    docs = Path(st.__file__).resolve().parents[2] / "docs"
    done = surgetank("network", "network_nodes.csv", cwd=docs)
    shown = (
        (docs / "network.md").read_text().partition("prints:\n\n```text\n")[2].partition("```")[0]
    )
    printed = [line.rstrip().replace("\u00a0", " ") for line in done.stdout.splitlines()]
    assert printed[: shown.count("\n")] == shown.splitlines()
    page = (docs / "network.md").read_text()
    for name in ("network_nodes.csv", "network_links.csv"):
        rows = (docs / name).read_text().splitlines()
        assert [row for row in rows[:3] if row not in page] in ([], rows[2:3])


def test_the_repeat_command_names_the_file_that_makes_the_scenario(tmp_path: Path) -> None:
    """Only while it does: not after an override, and not without the file."""
    path = written(tmp_path, links=BETWEEN_REGIONS)
    chosen = st.with_network(st.load("calm"), st.read_network(path))

    def repeat(scenario: st.Scenario) -> str:
        trace = make_trace({"messages": [executed(1, 0, 5)]})
        run = replace(trace.run, name="calm", scenario_hash=scenario.hash)
        return command(replace(trace, run=run, scenario=scenario))

    file = chosen.network_file
    assert repeat(chosen) == f"surgetank run calm --network {file} --seed {make_trace({}).run.seed}"
    assert "scenario.toml" in repeat(chosen.with_values({"duration_s": 30.0}))
    path.unlink()
    assert "scenario.toml" in repeat(chosen)
