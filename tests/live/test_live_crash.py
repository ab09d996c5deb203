"""Crash honesty: what real brokers had acknowledged, killed and bereft of power."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from surgetank.cli import app
from surgetank.errors import SurgetankError
from surgetank.live.crash import CrashOutcome, crash, crash_once, levels_of
from surgetank.live.faults.mounts import mounting_missing
from surgetank.live.registry import parse, server_class

pytestmark = pytest.mark.live

_LACK = mounting_missing("mkfs.ext4", "losetup")
needs_mounts = pytest.mark.skipif(_LACK is not None, reason=_LACK or "")


def adds_up(one: CrashOutcome) -> None:
    """Every message sent is in exactly one of the four corners."""
    assert one.sent > 0
    there = one.acknowledged - one.missing
    assert there >= 0
    corners = there + one.missing + one.unacknowledged_there + one.sent_missing
    assert corners == one.sent
    assert len(one.missing_numbers) == min(5, one.missing)


def needs(url: str) -> None:
    """Skips visibly where the server is not installed."""
    kind = server_class(parse(url))
    assert kind is not None
    if command := kind.missing():
        pytest.skip(f"not installed: {command}")


def test_a_killed_jetstream_keeps_its_files_and_forgets_its_memory() -> None:
    for level, kept in (("memory", False), ("file", True)):
        one = crash_once("jetstream:", level, "kill -9", 400, 800)
        adds_up(one)
        assert (one.level, one.event, one.durable) == (level, "kill -9", kept)
        assert one.acknowledged > 0
        assert one.missing == (0 if kept else one.acknowledged)
        assert not one.broken


@needs_mounts
def test_power_loss_tells_the_levels_of_jetstream_apart() -> None:
    """Both directions: what is not fsynced is missed, and what is fsynced is there."""
    plain = crash_once("jetstream:", "file", "power loss", 400, 800)
    synced = crash_once("jetstream:", "file-sync", "power loss", 400, 400)
    for one in (plain, synced):
        adds_up(one)
        assert one.event == "power loss" and one.durable and one.acknowledged > 0
    assert plain.missing > 0 and plain.broken
    assert synced.missing == 0 and not synced.broken


@needs_mounts
def test_power_loss_tells_the_levels_of_redis_apart() -> None:
    needs("redis:")
    # The server fsyncs once a second by its own clock. Right before the death, nothing is at risk:
    # such a run says nothing about the level, and another is made.
    for _ in range(4):
        every = crash_once("redis:", "everysec", "power loss", 600, 800)
        adds_up(every)
        if every.missing:
            break
    killed, always = crash("redis:", ack="always", messages=400, rate_per_s=400, power_loss=True)
    for one in (every, killed, always):
        adds_up(one)
    assert every.missing > 0 and every.broken
    assert killed.missing == 0 and always.missing == 0


def test_the_command_says_pass_or_fail(tmp_path: Path) -> None:
    out = tmp_path / "crash.json"
    asked = ["crash", "--target", "jetstream:", "--ack", "file", "--messages", "200"]
    asked += ["--rate", "500", "--no-power-loss", "--out", str(out)]
    said = CliRunner().invoke(app, [*asked, "--json"])
    assert said.exit_code == 0, said.output
    content = json.loads(out.read_text())
    assert content["verdict"] == "PASS"
    assert [one["event"] for one in content["outcomes"]] == ["kill -9"]
    assert content["outcomes"][0]["broken"] is False


@needs_mounts
def test_the_command_fails_when_a_promise_was_broken() -> None:
    asked = ["crash", "--target", "jetstream:", "--ack", "file", "--messages", "300"]
    said = CliRunner().invoke(app, [*asked, "--power-loss"])
    assert said.exit_code == 1
    assert "FAIL: file, power loss: acknowledged and missing: 0, 1, 2" in said.output


@pytest.mark.parametrize(
    ("url", "ack", "text"),
    [
        ("jetstream://127.0.0.1:4222", "all", "is not started by surgetank"),
        ("nats:", "all", "keeps nothing that could be read back"),
        ("jetstream:", "disk", "there is no level disk"),
    ],
)
def test_what_cannot_be_asked_is_refused(url: str, ack: str, text: str) -> None:
    with pytest.raises(SurgetankError, match=text):
        levels_of(url, ack)


def test_the_levels_are_the_targets_own() -> None:
    assert levels_of("jetstream:") == ("none", "memory", "file", "file-sync")
    assert levels_of("jetstream:?ack=file") == ("file",)
    with pytest.raises(SurgetankError, match="Give 10 to 1000000"):
        crash("jetstream:", messages=1)
