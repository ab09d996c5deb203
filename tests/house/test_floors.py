"""The floors of ARCHITECTURE.md: who imports whom, in Python, among the crates and inside them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import surgetank as st
from imports import (
    cycles,
    grouped,
    heads,
    python_edges,
    rust_code,
    rust_edges,
    rust_uses,
    upward,
    within,
)

ROOT = Path(__file__).resolve().parents[2]
CRATES = ROOT / "crates"
EDGES = python_edges(Path(st.__file__).parent)

#: Of the package, lower floors first: a module imports from floors below its own, or its own room.
FLOORS = [
    {"_core", "errors", "free_memory", "lazy", "number_format", "shown", "version"},
    {"csv_file", "grafana"},
    {"catalogue", "extras", "native", "output_folder", "plugins", "positions", "tape"},
    {"client", "scenario", "starter"},
    {"network_file"},
    {"fit", "trace"},
    {"measure"},
    {"verdict"},
    {"keypers", "options", "pipe", "sketch", "simulate", "testing"},
    {"venue"},
    {"journal", "live"},
    {"calibrate"},
    {"search"},
    {"attacker", "explain", "league", "predict"},
    {"adversary", "risk"},
    {"compare"},
    {"report"},
    {"run"},
    {"operations", "view"},
    {"console"},
    {"cli"},
    {"__main__"},
    {""},
]
#: Inside `search` and `report`; the empty name is the package's own `__init__`.
SEARCH_FLOORS = [
    {"book_parts"},
    {"bound", "closed_form", "parameter", "posterior", "probe", "remedies"},
    {"design", "frontier", "goal", "pool"},
    {"find", "shape"},
    {"answer", "live", "live_money"},
    {"answer_comparison", "failures", "gain"},
    {"bottleneck", "part_thresholds", "sweep"},
    {"question"},
    {""},
]
REPORT_FLOORS = [
    {"measure_text", "scenario_text", "shell"},
    {"plot", "run_view"},
    {"picture"},
    {"accounts", "charts", "perpetuals", "page", "summary", "svg_file", "target"},
    {"adversary", "comparison", "fit", "frontier", "league", "network", "position_book"}
    | {"prediction"}
    | {"risk", "search", "tape"},
    {""},
]
#: What reads traces must not know who made them.
PRODUCERS = {"live", "simulate"}
READERS = ("measure", "report", "verdict")

#: Of crates/layer. A block carries what nodes report of their order, so that stands below it.
LAYER_MACHINES = {"admission", "consensus", "fair", "gossip", "queue", "sealed", "sequencer"}
LAYER_FLOORS = [
    {"units", "signed"},
    {"machine", "audit"},
    {"order_report"},
    {"dag"},
    {"chained"},
    {"message"},
    {"codec", *LAYER_MACHINES},
    {"tuning"},
    {"node", "pipe"},
]
MARKET_FLOORS = [
    {"bounds", "facts"},
    {"book", "mark", "options"},
    {"config"},
    {"limits", "margin", "premium", "rules"},
    {"market"},
    {"opening", "settlement"},
    {"accounts", "orders"},
    {"liquidation"},
    {"execute"},
    {"auction", "funding"},
]
#: What is stored and sent, the machines, what composes them. Some of it is yet to be built.
VENUE_FLOORS = [
    {"buckets", "encoding"},
    {"answer", "event", "genesis", "request"},
    {"execution", "query", "storage", "wire"},
    {"session"},
    {"intake", "streams"},
    {"venue"},
]
#: Actors and attackers stand below the world: they hear, look and answer, and reach nothing of it.
#: A scenario is made of the machines' configurations, so it stands above `host`.
LAB_FLOORS = [
    {"agenda", "seed", "slab", "trace"},
    {"host"},
    {"scenario"},
    {"flow"},
    {"faults"},
    {"network"},
    {"chain", "gauges", "lane", "price", "waits"},
    {"actors", "disk", "wire"},
    {"adversary", "clients", "exchange"},
    {"world"},
]
#: What each crate may depend on, of the workspace. `serve` (a venue's process) and `rig` (the lab's
#: actors against it) are yet to be built.
CRATE_FLOORS: dict[str, set[str]] = {
    "layer": set(),
    "market": {"layer"},
    "venue": {"layer", "market"},
    "lab": {"layer", "market", "venue"},
    "serve": {"layer", "market", "venue"},
    "rig": {"lab", "layer", "market", "venue"},
    "verifier": set(),
    "bindings": {"lab", "layer", "market", "rig", "serve", "venue", "verifier"},
}
#: Crates that are a process's own: clock, threads, files and sockets are theirs.
PROCESSES = {"rig", "serve"}
CLOCKS_AND_CHANCE = re.compile(
    r"\bstd::time::(Instant|SystemTime)\b|\b(Instant|SystemTime)::now\b"
    r"|\b(getrandom|OsRng|SysRng|RandomState|thread_rng|from_os_rng|from_entropy)\b"
)
#: What crates below the bindings may use of the standard library: nothing that reaches outside.
STD_ALLOWED = {
    *("array", "borrow", "cell", "cmp", "collections", "convert", "error", "f64", "fmt", "hash"),
    *(
        "io",
        "iter",
        "marker",
        "mem",
        "num",
        "ops",
        "ptr",
        "range",
        "slice",
        "str",
        "string",
        "sync",
        "vec",
    ),
}
#: And which libraries, of those that could.
LIBRARIES = {
    "layer": {"blake3", "serde", "sha2"},
    "market": {"blake3", "libm", "serde"},
    "venue": {
        "blake3",
        "crc32c",
        "ed25519-dalek",
        "hmac",
        "postcard",
        "schemars",
        "serde",
        "serde_json",
        "sha2",
        "subtle",
    },
    "lab": {"blake3", "rand_chacha", "serde", "serde_json"},
    "verifier": {"blake3"},
}
#: `std::io` is there for its traits.
PRINTS = re.compile(r"\b(?:e?println|e?print|dbg)!|\bstd(?:in|out|err)\b")


def test_imports_only_go_down() -> None:
    """No module imports from its own floor or above."""
    assert upward(grouped(EDGES), FLOORS) == []


@pytest.mark.parametrize(
    ("room", "floors"),
    [("search", SEARCH_FLOORS), ("report", REPORT_FLOORS)],
    ids=["search", "report"],
)
def test_imports_only_go_down_inside_a_room(room: str, floors: list[set[str]]) -> None:
    """The same inside the largest rooms."""
    assert upward(grouped(within(EDGES, room)), floors) == []


def test_no_circles() -> None:
    """Among all modules of the package, those inside one room included."""
    assert cycles(EDGES) == []


def test_only_one_module_imports_the_core() -> None:
    """`surgetank._core` is imported in one module."""
    assert [module for module, names in EDGES.items() if "_core" in names] == ["native"]


def produced(edges: dict[str, set[str]]) -> list[str]:
    """Modules of the readers that import a producer of traces."""
    return sorted(
        f"{module} imports {name}"
        for module, names in edges.items()
        if module.partition(".")[0] in READERS
        for name in names
        if name.partition(".")[0] in PRODUCERS
    )


def test_readers_do_not_know_the_producers() -> None:
    """`measure`, `verdict` and `report` import neither `simulate` nor `live`."""
    assert produced(EDGES) == []


def test_readers_load_no_producer() -> None:
    """Nor does anything that they import: measured in a fresh interpreter, with a control."""
    readers = ", ".join(f"surgetank.{name}" for name in ("measure", "verdict", "report.page"))
    assert _producers_loaded(readers) == set()
    assert _producers_loaded("surgetank.simulate, surgetank.live") == PRODUCERS


def _producers_loaded(modules: str) -> set[str]:
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in PRODUCERS if f"surgetank.{name}" in done.stdout.split()}


def test_a_wrong_import_is_found(tmp_path: Path) -> None:
    """The control: a package with a circle, an import upwards and one of a producer."""
    root = tmp_path / "surgetank"
    for room in ("measure", "verdict"):
        (root / room).mkdir(parents=True)
    (root / "__init__.py").touch()
    (root / "simulate.py").write_text("import surgetank.measure.rate\n")
    (root / "measure" / "__init__.py").write_text("from surgetank.measure import rate\n")
    (root / "measure" / "rate.py").write_text("def f():\n    from surgetank.verdict import judge\n")
    (root / "verdict" / "__init__.py").write_text(
        "from surgetank.measure.rate import f\nfrom surgetank import simulate\n"
    )
    edges = python_edges(root)
    assert upward(grouped(edges), FLOORS) == ["measure imports verdict", "verdict imports simulate"]
    assert cycles(edges) == [
        "measure.rate → verdict → measure.rate",
        "measure.rate → verdict → simulate → measure.rate",
    ]
    assert produced(edges) == ["verdict imports simulate"]
    with pytest.raises(AssertionError, match="on no floor"):
        upward(grouped(edges), [{"measure"}])


def dependencies(manifest: str) -> tuple[set[str], set[str]]:
    """Crates of the workspace that a manifest names, and all others; those of tests apart."""
    named = set(tomllib.loads(manifest).get("dependencies", {}))
    ours = {name.removeprefix("surgetank-") for name in named if name.startswith("surgetank-")}
    return ours, {name for name in named if not name.startswith("surgetank-")}


def test_crates_stand_on_their_floors() -> None:
    """`layer` knows no market, `market` no lab, the lab no process of a venue, and the verifier
    BLAKE3 and nothing else."""
    manifests = {path.parent.name: path.read_text() for path in CRATES.glob("*/Cargo.toml")}
    assert manifests.keys() >= CRATE_FLOORS.keys() - PROCESSES
    found = {name: dependencies(manifest) for name, manifest in manifests.items()}
    assert beyond({name: ours for name, (ours, _) in found.items()}) == {}
    assert found["verifier"] == (set(), {"blake3"})
    control = "[dependencies]\nsurgetank-market.workspace = true\nserde = '1'\n"
    assert dependencies(control) == ({"market"}, {"serde"})
    assert beyond({"venue": {"lab", "layer"}, "new": set()}) == {"venue": {"lab"}, "new": {"new"}}


def beyond(found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Crates on no floor, and dependencies that a crate's floor does not allow."""
    wrong = {name: ours - CRATE_FLOORS.get(name, set()) for name, ours in found.items()}
    wrong |= {name: {name} for name in found.keys() - CRATE_FLOORS.keys()}
    return {name: names for name, names in wrong.items() if names}


def test_machines_do_not_import_each_other() -> None:
    """Only `node` and `pipe` compose them, and `tuning` sets them."""
    assert upward(rust_edges(CRATES / "layer" / "src"), LAYER_FLOORS) == []


@pytest.mark.parametrize(
    ("crate", "floors"),
    [("market", MARKET_FLOORS), ("venue", VENUE_FLOORS), ("lab", LAB_FLOORS)],
    ids=["market", "venue", "lab"],
)
def test_modules_of_a_crate_stand_on_their_floors(crate: str, floors: list[set[str]]) -> None:
    """No circle and no import from above inside `market`, `venue` and `lab`."""
    assert upward(rust_edges(CRATES / crate / "src"), floors) == []


def reached(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """What actors and attackers name beside scenario, flow, draws and rows of the trace."""
    known = {"flow", "scenario", "seed", "trace"}
    allowed = {"actors": known, "adversary": known | {"actors"}}
    beyond = {room: edges[room] - names for room, names in allowed.items()}
    return {room: names for room, names in beyond.items() if names}


def test_actors_reach_nothing_of_the_world(tmp_path: Path) -> None:
    """They hear, look and answer: no host, wire, record or market of the lab is theirs to read."""
    assert reached(rust_edges(CRATES / "lab" / "src")) == {}
    for name in ("adversary", "host", "seed"):
        (tmp_path / f"{name}.rs").touch()
    (tmp_path / "actors.rs").write_text("use crate::{host::Host, seed::Stream};\n")
    assert reached(rust_edges(tmp_path)) == {"actors": {"host"}}


def test_the_market_knows_messages_and_units_only() -> None:
    """It imports no machine of `layer`."""
    uses = rust_uses(CRATES / "market" / "src", "surgetank_layer")
    assert set().union(*uses.values()) == {"message", "units"}


def test_a_wrong_path_is_found(tmp_path: Path) -> None:
    """The control: a machine that names another, in a group of a `use` and in an expression."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "mod.rs").write_text(
        "//! [`crate::node`] is only named in a comment\nuse crate::{units::Ns, gossip::{Frame}};\n"
    )
    (tmp_path / "gossip.rs").write_text("fn f() -> crate::queue::Rule { todo!() }\n")
    (tmp_path / "queue" / "deep.rs").write_text(
        "use super::inside;\nuse super::super::{machine::Draws, message as m};\n"
    )
    for name in ("units", "node", "machine", "message", "inside"):
        (tmp_path / f"{name}.rs").touch()
    edges = rust_edges(tmp_path)
    edges.pop("inside")
    assert edges["queue"] == {"gossip", "units", "machine", "message"}
    assert upward(edges, LAYER_FLOORS) == ["gossip imports queue", "queue imports gossip"]
    assert cycles(edges) == ["gossip → queue → gossip"]


def outside(code: str) -> set[str]:
    """Names in a file of Rust that reach outside the process: of `std`, and macros that print."""
    return (heads(code, "std") - STD_ALLOWED) | set(PRINTS.findall(code))


@pytest.mark.parametrize("crate", sorted(LIBRARIES))
def test_nothing_below_the_bindings_asks_the_machine(crate: str) -> None:
    """Neither for time nor for chance; and but for the verifier, which reads a file, for nothing
    else either."""
    for path in sorted((CRATES / crate / "src").rglob("*.rs")):
        code = rust_code(path)
        assert not CLOCKS_AND_CHANCE.findall(code), path
        assert crate == "verifier" or outside(code) == set(), path
    manifest = tomllib.loads((CRATES / crate / "Cargo.toml").read_text())
    ours = {f"surgetank-{name}" for name in CRATE_FLOORS}
    assert set(manifest["dependencies"]) - ours == LIBRARIES[crate]


@pytest.mark.parametrize(
    "line",
    [
        "let now = std::time::Instant::now();",
        "use std::time::SystemTime;",
        "let state = RandomState::new();",
        "let rng = ChaCha8Rng::from_os_rng();",
    ],
)
def test_clocks_and_chance_are_found(line: str) -> None:
    """The control."""
    assert CLOCKS_AND_CHANCE.findall(line)


@pytest.mark.parametrize(
    "line",
    [
        "let text = std::fs::read(path)?;",
        "use std::{fmt, fs};",
        "use std::{collections::BTreeMap, net::UdpSocket};",
        "std::io::stdout().flush();",
        "std::thread::spawn(f);",
        'println!("{x}");',
    ],
)
def test_what_reaches_outside_is_found(line: str) -> None:
    """The control."""
    assert outside(line)


def test_clippy_bans_clocks_threads_and_hash_order() -> None:
    """In all crates but those of a process, which have configurations of their own."""
    assert {path.parent.name for path in CRATES.glob("*/.clippy.toml")} <= PROCESSES
    bans = tomllib.loads((ROOT / ".clippy.toml").read_text())
    methods = {one["path"] for one in bans["disallowed-methods"]}
    assert methods >= {"std::time::Instant::now", "std::thread::spawn"}
    types = {one["path"] for one in bans["disallowed-types"]}
    assert types >= {"std::collections::HashMap", "std::collections::HashSet"}


#: One loop: where the next event is taken, and where a node is stepped.
ONE_LOOP = re.compile(r"\bagenda\.pop\(|\bnodes\[[^\]]*\]\s*\.step\(")


def test_one_agenda_one_loop() -> None:
    """Events are taken, and nodes stepped, in one file of the lab and once each."""
    sources = sorted((CRATES / "lab" / "src").rglob("*.rs"))
    found = [str(p.relative_to(CRATES)) for p in sources for _ in ONE_LOOP.finditer(rust_code(p))]
    assert found == ["lab/src/world/mod.rs"] * 2
    control = "self.nodes[node as usize].step(now, input, out); while let Some(e) = agenda.pop() {"
    assert len(ONE_LOOP.findall(control)) == 2
