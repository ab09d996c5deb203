"""The floors inside `surgetank.live`, of its driver, and the walls between systems."""

from __future__ import annotations

from pathlib import Path

import surgetank as st
from imports import grouped, python_edges, upward, within
from surgetank.live import SYSTEMS
from surgetank.live.faults.kinds import KINDS
from surgetank.scenario.faults import KINDS as SECTIONS

PACKAGE = Path(st.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
EDGES = python_edges(PACKAGE)

#: Lower floors first. A system implements the contracts and knows nothing of who drives it.
LIVE_FLOORS = [
    {"event_loop", "options", "payload"},
    {"snapshot", "target"},
    {"process", "proxy", "safety", "url_options"},
    {"export", "server"},
    {"faults"},
    {"venue"},
    {"systems"},
    {"registry"},
    {"driver"},
    {"crash"},
    {""},
]
DRIVER_FLOORS = [
    {"messages", "schedule", "workplace"},
    {"recording"},
    {"facts", "generator", "monitor"},
    {"worker", "workers"},
    {"run"},
    {"rig"},
    {""},
]
#: Systems that stand on another: JetStream is a part of the NATS server.
STANDS_ON = {("jetstream", "nats")}


def crossings(edges: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Pairs (a, b) of systems of which a imports b."""
    return {
        (room, other)
        for module, names in within(within(edges, "live"), "systems").items()
        for other in (name.partition(".")[0] for name in names)
        if (room := module.partition(".")[0]) != other and room in SYSTEMS and other in SYSTEMS
    }


def test_imports_only_go_down_inside_live_and_its_driver() -> None:
    live = within(EDGES, "live")
    assert upward(grouped(live), LIVE_FLOORS) == []
    assert upward(grouped(within(live, "driver")), DRIVER_FLOORS) == []


def test_systems_do_not_know_each_other() -> None:
    assert crossings(EDGES) == STANDS_ON


def test_a_system_is_a_folder_and_a_line_of_the_registry() -> None:
    """Folders and lines are the same set, and what a line names is in the system's folder, or in
    that of the system it stands on."""
    root = PACKAGE / "live" / "systems"
    folders = {path.name for path in root.iterdir() if (path / "target.py").is_file()}
    assert folders == set(SYSTEMS)
    for scheme, system in SYSTEMS.items():
        assert system.target.startswith(f"{scheme}.target:")
        room = system.server.partition(".")[0]
        assert room == scheme or (scheme, room) in STANDS_ON


def test_a_fault_is_a_file_and_a_line_of_the_registry() -> None:
    """Files and lines are the same set, each line's class stands in its file, and a scenario can
    ask for it; what a scenario can ask for and has no file happens in the simulator alone."""
    files = {path.stem for path in (PACKAGE / "live/faults/kinds").glob("[!_]*.py")}
    assert files == {kind.replace("-", "_") for kind in KINDS}
    for kind, fault in KINDS.items():
        assert fault.__module__.rpartition(".")[2] == kind.replace("-", "_")
    lab = {path.stem.replace("_", "-") for path in (ROOT / "crates/lab/src/faults").glob("*.rs")}
    simulated = {kind for kind in SECTIONS if kind in lab}
    assert set(SECTIONS) == simulated | set(KINDS)


def test_a_wrong_import_is_found(tmp_path: Path) -> None:
    """The control: a system that imports the driver, one that imports another system, and a
    recording that imports the rig."""
    root = tmp_path / "surgetank"
    for room in ("live/driver", "live/systems/kafka", "live/systems/redis"):
        (root / room).mkdir(parents=True)
    for room in (
        "",
        "live",
        "live/driver",
        "live/systems",
        *map("live/systems/{}".format, SYSTEMS),
    ):
        (root / room).mkdir(exist_ok=True)
        (root / room / "__init__.py").touch()
    (root / "live/driver/rig.py").touch()
    (root / "live/driver/recording.py").write_text("import surgetank.live.driver.rig\n")
    (root / "live/systems/redis/target.py").write_text("from surgetank.live.driver import rig\n")
    (root / "live/systems/kafka/target.py").write_text(
        "def f():\n    from surgetank.live.systems.redis import target\n"
    )
    edges = python_edges(root)
    live = within(edges, "live")
    assert [line.split()[0] for line in upward(grouped(live), LIVE_FLOORS)] == ["systems"]
    drivers = upward(grouped(within(live, "driver")), DRIVER_FLOORS)
    assert [line.split()[0] for line in drivers] == ["recording"]
    assert crossings(edges) == {("kafka", "redis")}
