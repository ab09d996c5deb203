"""Faults done to real servers: played by the scenario's schedule, measured, and undone."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.live import LiveOptions, Rig
from surgetank.live.faults import Faults, needs_proxy
from surgetank.live.faults.fault import SystemUnderTest
from surgetank.live.faults.kinds import KINDS
from surgetank.live.faults.link_fates import LinkFates, combined
from surgetank.live.faults.link_fault import LinkFault
from surgetank.live.faults.mounts import PowerLossDisk, SmallDisk, mounting_missing
from surgetank.live.faults.tolerance import Tolerance
from surgetank.live.process import Process
from surgetank.live.proxy import Fate, Link, Proxy
from surgetank.live.server import Server
from surgetank.scenario import Scenario
from surgetank.scenario.faults import Fault, Slow
from surgetank.trace import Quantity, Run, Stats, Trace
from surgetank.trace.schema import empty_table
from surgetank.verdict import Status
from surgetank.verdict.validity import CheckKind, checks

pytestmark = pytest.mark.live

_LACK = mounting_missing("mkfs.ext4", "losetup")
needs_mounts = pytest.mark.skipif(_LACK is not None, reason=_LACK or "")

#: The machine may be busy: no test asks whether the schedule was kept.
_PATIENT = LiveOptions(lateness_p99_ms=5_000, cpu_share_max=10, patience_s=60)


def scenario(faults: list[dict[str, Any]], duration_s: float, drain_s: float = 5.0) -> Scenario:
    """A light flow of opaque messages."""
    return Scenario.build(
        {
            "name": "live-faults",
            "duration_s": duration_s,
            "warmup_s": 0.1,
            "drain_s": drain_s,
            "network": {"nodes": 4},
            "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 200.0}},
            "faults": faults,
        }
    )


def faults_of(*faults: dict[str, Any]) -> list[Fault]:
    """As a scenario has them."""
    timed = [{"at_s": 0.1, "duration_s": 0.2} | fault for fault in faults]
    return list(scenario(timed, 3).faults)


def rows_of(table: pl.DataFrame, index: int) -> dict[str, dict[str, Any]]:
    """Rows of one fault, by quantity."""
    return {r["quantity"]: r for r in table.filter(pl.col("index") == index).to_dicts()}


# ---- what can be asked of whom


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "disconnect"},
        {"kind": "stall", "nodes": [0]},
        {"kind": "bandwidth", "mbps": 1},
        {"kind": "disk-full"},
        {"kind": "crash", "nodes": [0], "power_loss": True},
        {"kind": "partition", "groups": [[-1], [0]]},
    ],
)
def test_the_simulator_refuses_what_only_happens_to_real_systems(fault: dict[str, Any]) -> None:
    asked = scenario([{"at_s": 1, "duration_s": 1} | fault], 3)
    with pytest.raises(SurgetankError, match=r"faults\[0\].*live systems only"):
        st.simulate(asked)


def test_a_crash_without_power_loss_keeps_its_scenarios_name() -> None:
    """The key that says nothing is not part of the hash."""
    crash = {"kind": "crash", "nodes": [0], "at_s": 1, "duration_s": 1}
    plain = scenario([crash], 3)
    assert plain.hash == scenario([crash | {"power_loss": False}], 3).hash
    assert "power_loss" not in plain.to_core()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "crash", "nodes": [0]}, "needs a server that surgetank started"),
        ({"kind": "stall"}, "needs the link proxy"),
    ],
)
def test_a_fault_that_cannot_be_played_is_refused_before_the_run(
    fault: dict[str, Any], said: str
) -> None:
    with pytest.raises(SurgetankError, match=said):
        Faults(faults_of(fault), None, None)


_NEAR = {"share": 0.05, "absolute": 0.5}


@pytest.mark.parametrize(
    ("tolerance", "asked", "measured", "ok", "text"),
    [
        (_NEAR, 20.0, 21.4, True, "asked ± (5 % + 0.5 ms)"),
        (_NEAR, 20.0, 23.0, False, "asked ± (5 % + 0.5 ms)"),
        ({"fixed": 0.0}, None, 0.0, True, "0"),
        ({"fixed": 0.0}, None, 1.0, False, "0"),
        ({"fixed": 0.0}, None, None, False, "0"),
        ({"absolute": 1.0, "above": False}, 2.0, 9.0, True, "at least asked − 1 ms"),
        ({"absolute": 1.0, "above": False}, 2.0, 0.5, False, "at least asked − 1 ms"),
        ({"share": 0.02, "below": False}, 10.0, 0.1, True, "at most asked + 2 %"),
        ({"share": 0.02, "below": False}, 10.0, 11.0, False, "at most asked + 2 %"),
        ({"below": False, "above": False}, 10.0, None, True, None),
        ({"by_chance": True, "per_sample": 1.0}, 0.2, 0.4, True, "asked ± (5 σ + 1/n)"),
        ({"by_chance": True, "per_sample": 1.0}, 0.2, 0.42, False, "asked ± (5 σ + 1/n)"),
    ],
)
def test_a_fault_that_was_not_done_as_asked_is_found(
    tolerance: dict[str, Any], asked: float | None, measured: float | None, ok: bool, text: str
) -> None:
    allowed = Tolerance(Quantity.ADDED_DELAY, **tolerance)
    assert text is None or str(allowed) == text
    row = allowed.row(measured, 100, asked=asked, deviation=0.4)
    cells = row.to_dict(0, "stall", 0, 10**9, "0")
    faults = pl.DataFrame([cells], schema=empty_table("faults").schema)
    name = Run("x", 1, "", "")
    stats = Stats(measured_from_ns=0, flow_end_ns=10**9, end_ns=10**9, nodes=1)
    trace = Trace.from_tables({"faults": faults}, run=name, stats=stats)
    found = [check for check in checks(trace) if check.name == "fault 0 stall"]
    assert [check.ok for check in found] == [ok]


# ---- faults of links, without a server


def test_faults_on_one_link_add_up() -> None:
    one = Fate(delay_ms=5, bandwidth_mbps=10, retransmit_p=0.5)
    other = Fate(delay_ms=7, bandwidth_mbps=3, retransmit_p=0.5, stall=True)
    assert combined([]) == Fate()
    assert combined([one, other]) == Fate(
        delay_ms=12, bandwidth_mbps=3, retransmit_p=0.75, stall=True
    )


def _broker() -> Proxy:
    return Proxy([Link("clients-0", -1, 0)])


def _chain() -> Proxy:
    between = [Link(f"{a}-{b}", a, b) for a in range(3) for b in range(3) if a != b]
    return Proxy([*(Link(f"clients-{b}", -1, b) for b in range(3)), *between])


def on_links(fault: dict[str, Any], proxy: Proxy) -> LinkFault[Any]:
    """A fault of a proxy's links."""
    made = KINDS[fault["kind"]](faults_of(fault)[0], 0, SystemUnderTest(fates=LinkFates(proxy)))
    assert isinstance(made, LinkFault)
    return made


@pytest.mark.parametrize(
    ("proxy", "fault", "names"),
    [
        (_broker(), {"kind": "delay", "extra_ms": 1.0}, {"clients-0"}),
        (_broker(), {"kind": "partition", "groups": [[-1], [0]]}, {"clients-0"}),
        (_broker(), {"kind": "partition", "groups": [[-1]]}, {"clients-0"}),
        (_chain(), {"kind": "stall", "nodes": [2]}, {"0-2", "2-0", "1-2", "2-1"}),
        (_chain(), {"kind": "partition", "groups": [[0]]}, {"0-1", "1-0", "0-2", "2-0"}),
        (
            _chain(),
            {"kind": "partition", "groups": [[0, -1], [1]]},
            {"0-1", "1-0", "clients-1", "clients-2", "0-2", "2-0", "1-2", "2-1"},
        ),
    ],
)
def test_which_links_a_fault_is_on(proxy: Proxy, fault: dict[str, Any], names: set[str]) -> None:
    assert set(on_links(fault, proxy).names) == names


def test_a_partition_that_cuts_nothing_is_refused() -> None:
    with pytest.raises(SurgetankError, match=r"meets no link\. Name the clients as -1"):
        on_links({"kind": "partition", "groups": [[0]]}, _broker())
    with pytest.raises(SurgetankError, match="Give `extra_ms`"):
        on_links({"kind": "delay", "factor": 3.0}, _broker())
    with pytest.raises(SurgetankError, match=r"faults\[0\]: node 3 is not there"):
        on_links({"kind": "stall", "nodes": [3]}, _chain())


def test_which_faults_need_the_proxy() -> None:
    assert needs_proxy(faults_of({"kind": "delay", "extra_ms": 1.0}))
    assert not needs_proxy(faults_of({"kind": "crash", "nodes": [0]}))


# ---- faults of processes


class _Sleeper:
    """As much of a server as `slow` needs."""

    def __init__(self, process: Process) -> None:
        self.processes = [process]

    pids, pause, resume = Server.pids, Server.pause, Server.resume


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_slow_process_has_its_part_of_the_time_and_is_let_go(tmp_path: Path) -> None:
    process = Process(["sleep", "60"], tmp_path, "log")
    process.start()
    try:
        asked = Slow(kind="slow", at_s=0, duration_s=1, nodes=[0], factor=4.0)
        slow = KINDS["slow"](asked, 0, SystemUnderTest(server=cast(Server, _Sleeper(process))))
        slow.begin()
        seen = set()
        until = time.monotonic() + 5
        while "T" not in seen and time.monotonic() < until:
            seen.add(_state(process.pid))
        time.sleep(0.3)
        slow.end()
        assert "T" in seen
        row = slow.rows(1.0)[0]
        assert row.measured is not None and row.samples > 0
        assert row.measured >= 4.0 * 0.99
        time.sleep(0.05)
        assert _state(process.pid) == "S"
    finally:
        process.kill()


# ---- disks


@needs_mounts
def test_power_loss_keeps_what_was_fsynced_and_forgets_the_rest(tmp_path: Path) -> None:
    """Both directions: a disk that forgot nothing, or everything, would prove nothing."""
    disk = PowerLossDisk(tmp_path / "data", tmp_path / "images", 64 << 20)
    try:
        for name, synced in (("kept", True), ("forgotten", False)):
            with (tmp_path / "data" / name).open("wb") as file:
                file.write(b"first" * 20_000)
                file.flush()
                if synced:
                    os.fsync(file.fileno())
        with (tmp_path / "data" / "kept").open("r+b") as file:
            file.write(b"later" * 20_000)
            file.flush()
        assert (tmp_path / "data" / "forgotten").stat().st_size == 100_000
        disk.lose_power()
        left = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
        assert left["kept"] == b"first" * 20_000
        assert left.get("forgotten", b"") == b""
        (tmp_path / "data" / "again").write_bytes(b"x")
        disk.sync()
        disk.lose_power()
        assert (tmp_path / "data" / "again").read_bytes() == b"x"
    finally:
        disk.end()
    assert not os.path.ismount(tmp_path / "data")


@needs_mounts
def test_a_full_disk_is_full_and_then_is_not(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "data", 8 << 20)
    try:
        assert disk.fill(100_000) <= 100_000 + 4096
        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "data" / "big").write_bytes(b"x" * 200_000)
        disk.clear()
        (tmp_path / "data" / "big").write_bytes(b"x" * 200_000)
    finally:
        disk.end()


@needs_mounts
def test_a_mount_ends_with_who_made_it(tmp_path: Path) -> None:
    """Also if that is killed: the keeper's pipe ends."""
    script = (
        "import sys; from pathlib import Path; from surgetank.live.faults.mounts import SmallDisk\n"
        f"disk = SmallDisk(Path({str(tmp_path / 'data')!r}), 1 << 20); open('made', 'w').close()\n"
        "sys.stdin.read()"
    )
    import subprocess
    import sys

    maker = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, cwd=tmp_path)
    try:
        _until(lambda: (tmp_path / "made").exists())
        assert os.path.ismount(tmp_path / "data")
    finally:
        maker.send_signal(signal.SIGKILL)
        maker.wait()
        assert maker.stdin is not None
        maker.stdin.close()
    _until(lambda: not os.path.ismount(tmp_path / "data"))


def _until(check: Any) -> None:
    until = time.monotonic() + 60
    while not check():
        assert time.monotonic() < until
        time.sleep(0.02)


# ---- a real server


def test_faults_of_links_against_nats() -> None:
    """One run, one fault after the other; each is in the trace as asked and as measured."""
    asked = scenario(
        [
            {"kind": "delay", "at_s": 0.5, "duration_s": 0.8, "extra_ms": 15.0},
            {"kind": "partition", "at_s": 1.5, "duration_s": 0.5, "groups": [[-1], [0]]},
            {"kind": "stall", "at_s": 2.2, "duration_s": 0.4},
            {"kind": "bandwidth", "at_s": 2.8, "duration_s": 0.6, "mbps": 0.3},
            {"kind": "loss", "at_s": 3.6, "duration_s": 0.8, "probability": 0.05},
            {"kind": "disconnect", "at_s": 4.6, "duration_s": 0.3},
        ],
        6,
    )
    seen: set[str] = set()

    def watch(snapshot: Any) -> bool:
        seen.update(snapshot.faults)
        return True

    with Rig("nats:", _PATIENT, faults=asked.faults) as rig:
        trace = rig.run(asked, seed=7, watch=watch)
    faults = trace["faults"]
    assert faults["index"].unique().sort().to_list() == [0, 1, 2, 3, 4, 5]
    delay = rows_of(faults, 0)["added_delay_ms"]
    assert delay["asked"] == 15.0
    assert delay["measured"] >= 15.0 and delay["samples"] > 50
    for index, quantity in ((1, "bytes_passed"), (2, "bytes_passed")):
        row = rows_of(faults, index)[quantity]
        assert (row["asked"], row["measured"]) == (0, 0)
        assert row["samples"] > 0
        lasted = rows_of(faults, index)["in_force_s"]
        assert lasted["measured"] >= lasted["asked"] * 0.9
    narrow = rows_of(faults, 3)["bandwidth_mbps"]
    assert 0 < narrow["measured"] <= 0.3 * 1.01
    lost = rows_of(faults, 4)["segments_lost_share"]
    sigma = math.sqrt(0.05 * 0.95 / lost["samples"])
    assert lost["measured"] == pytest.approx(0.05, abs=5 * sigma + 1 / lost["samples"])
    left = rows_of(faults, 5)["connections_left"]
    assert (left["measured"], left["samples"] > 0) == (0, True)
    assert "partition clients | 0" in seen
    assert trace.live.cpu_share["link proxy"] > 0
    # A partition loses nothing, it delays: what was sent in it arrives after it.
    during = trace["messages"].filter(pl.col("created_ns").is_between(1_550_000_000, 1_900_000_000))
    arrived = during["executed_ns"].drop_nulls()
    assert len(arrived) == len(during) and int(arrived.min()) > 1_900_000_000  # type: ignore[arg-type]
    zero = [c for c in checks(trace) if c.name.startswith(("fault 1", "fault 2", "fault 5"))]
    assert [c.text for c in zero if not c.ok and "seconds" not in c.text] == []


@needs_mounts
def test_a_server_is_killed_slowed_and_its_disk_filled() -> None:
    asked = scenario(
        [
            {"kind": "disk-full", "at_s": 0.5, "duration_s": 1.0, "free_bytes": 8192},
            {"kind": "crash", "at_s": 2.0, "duration_s": 0.5, "nodes": [0]},
            {"kind": "slow", "at_s": 4.0, "duration_s": 0.6, "nodes": [0], "factor": 2.0},
        ],
        5,
    )
    with Rig("jetstream:", _PATIENT, faults=asked.faults) as rig:
        trace = rig.run(asked, seed=7)
        assert rig.server is not None
        store = rig.server.data[0]
        assert os.path.ismount(store)
    assert not os.path.ismount(store)
    faults = trace["faults"]
    full = rows_of(faults, 0)["free_bytes"]
    assert abs(full["measured"] - 8192) <= 65_536
    down = rows_of(faults, 1)
    assert down["connections_while_down"]["measured"] == 0
    assert down["connections_while_down"]["samples"] > 0
    assert down["down_s"]["measured"] >= 0.5
    assert rows_of(faults, 2)["service_factor"]["measured"] >= 1.9
    outcomes = trace["messages"]["outcome"].value_counts()
    assert len(outcomes) >= 2  # Some arrived, and the full disk or the crash cost some.
    assert trace.live.target_errors == ()
    assert trace.live.fault_errors == ()


def _fault_checks(trace: Trace) -> list[tuple[str, bool, str]]:
    """Name, result and text of the checks of faults, and of the target's own code."""
    kinds = (CheckKind.FAULT, CheckKind.TARGET_CODE)
    return [(c.name, c.ok, c.text) for c in checks(trace) if c.kind in kinds]


@pytest.mark.parametrize("succeed", [0, 5])
def test_a_fault_that_cannot_be_injected_makes_the_run_invalid(
    succeed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses the signal, at once or in the middle; the target is not to blame."""
    asked = scenario(
        [{"kind": "slow", "at_s": 0.2, "duration_s": 0.5, "nodes": [0], "factor": 2.0}], 1
    )
    sent, killpg = [], os.killpg

    def refused(group: int, which: int) -> None:
        if which == signal.SIGSTOP:
            sent.append(which)
            if len(sent) > succeed:
                raise PermissionError(1, "Operation not permitted")
        killpg(group, which)

    monkeypatch.setattr(os, "killpg", refused)
    with Rig("nats:", _PATIENT, faults=asked.faults) as rig:
        trace = rig.run(asked, seed=7)
    text = "it was not injected as requested: PermissionError: [Errno 1] Operation not permitted"
    assert _fault_checks(trace) == [("fault 0 slow", False, text)]
    assert st.judge(st.measure(trace), {}, trace).status is Status.INVALID


def test_a_fault_that_the_run_did_not_reach_makes_it_invalid() -> None:
    """Everything is delivered long before the fault is due, so the run ends without it."""
    crash = {"kind": "crash", "at_s": 30, "duration_s": 1, "nodes": [0]}
    asked = scenario([crash], 1, drain_s=60)
    with Rig("nats:", _PATIENT, faults=asked.faults) as rig:
        trace = rig.run(asked, seed=7)
    assert trace.complete
    ((name, ok, text),) = _fault_checks(trace)
    assert (name, ok) == ("fault 0 crash", False)
    assert text.startswith("it never began: the run was over at ")
