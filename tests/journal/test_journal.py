"""Journals: what a pipe writes is whole, whatever is done to it is found, and proofs hold."""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surgetank.cli import main
from surgetank.errors import SurgetankError
from surgetank.journal import Journal, Pipe, Proof, account_key, record, verify

KEY = bytes(range(32))
Command = Callable[..., tuple[int, str, str]]
RULES = (
    "fifo",
    "priority high=6",
    "fee",
    "class",
    "lanes weights=1,3,2,3,1,1,2,5",
    "drr quantum=300",
    "hash",
)
#: Every kind that docs/journal.md must name.
KINDS = set(
    """torn-file altered-head forged-hash broken-chain wrong-reveal wrong-seed unknown-rule
changed-rule unknown-class arrival-backwards altered-message swapped-pair dropped-message
inserted-message duplicated-message out-of-order wrong-cut forged-root missing-carried wrong-count
altered-check wrong-time other-end""".split()  # noqa: SIM905 - one a word reads better
)


def messages(count: int, first: int = 1) -> list[bytes]:
    """Records of five accounts, of all kinds that clients send."""
    return [
        record(
            account_key(KEY, n % 5),
            n % 5,
            n,
            kind=n * 7 % 5,
            flags=n % 2,
            fee=n * 31 % 17,
            body=f"message {n}".encode(),
        )
        for n in range(first, first + count)
    ]


def written(path: Path, rule: str = "fee", count: int = 40, **kw: Any) -> list[bytes]:
    """A journal of batches of 8 with two carried each; gives what was pushed."""
    sent = messages(count)
    given: dict[str, Any] = {"seal_messages": 10, "capacity": 1000, "secret": bytes(32)} | kw
    with Pipe(path, rule, 8, KEY, **given) as pipe:
        assert pipe.push(b"".join(sent), now_ns=5) == []
        while pipe.waiting:
            pipe.flush(6)
    return sent


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of two small batches."""
    path = tmp_path_factory.mktemp("journal") / "small.journal"
    written(path, "hash", 3, seal_messages=2)
    return path


@pytest.mark.parametrize("rule", RULES)
def test_what_a_pipe_writes_is_whole(rule: str, tmp_path: Path) -> None:
    """Under every rule, with every message published once."""
    path = tmp_path / "venue.journal"
    sent = written(path, rule)
    report = verify(path)
    assert report.whole, report.findings
    assert (report.messages, report.waiting) == (len(sent), 0)
    assert report.bytes_read == path.stat().st_size
    journal = Journal(path)
    assert report.batches == len(journal.batches)
    assert report.last_hash == journal.batches[-1].hash
    assert [batch.carried_out for batch in journal.batches[:3]] == [2, 4, 6]
    assert {batch.rule for batch in journal.batches} == {
        f"{rule} messages_max=8 bytes_max={1 << 30}"
    }


def test_refusals_name_the_reason(tmp_path: Path) -> None:
    """What was altered, replayed or comes too fast is refused, at its index."""
    good, again, other = messages(3)
    altered = bytearray(other)
    altered[40] ^= 1
    with Pipe(
        tmp_path / "j", "fifo", 8, KEY, limits=((1, 1), (1, 1), (1, 1)), accounts_max=5
    ) as pipe:
        refused = pipe.push(memoryview(good + good + altered + again), now_ns=0)
        assert [(r.index, r.reason) for r in refused] == [(1, "replayed"), (2, "wrong-mac")]
        more = [record(account_key(KEY, 1), 1, n, kind=4) for n in (8, 9)]
        [late] = [pipe.push(one, now_ns=0) for one in more][1]
        assert (late.reason, late.retry_after_ns) == ("rate-exceeded", 1_000_000_000)
        [unknown] = pipe.push(record(account_key(KEY, 5), 5, 1), now_ns=0)
        assert unknown.reason == "unknown-account"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(where=st.integers(0, 1 << 20), flip=st.integers(1, 255))
def test_any_flipped_byte_is_found_and_named(small: Path, where: int, flip: int) -> None:
    """Wherever it is, whatever it becomes."""
    altered = bytearray(small.read_bytes())
    altered[where % len(altered)] ^= flip
    other = small.with_name("altered.journal")
    other.write_bytes(altered)
    report = verify(other)
    assert not report.whole
    assert {finding.kind for finding in report.findings} <= KINDS


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_cut_glued_and_shuffled_files_are_found(small: Path, data: st.DataObject) -> None:
    """Any part taken out, doubled or moved, unless whole batches are missing at the end."""
    whole = small.read_bytes()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    part = whole[start:end]
    to = data.draw(st.integers(0, len(whole) - len(part)))
    rest = whole[:start] + whole[end:]
    doubled = data.draw(st.booleans())
    made = (whole if doubled else rest)[:to] + part + (whole if doubled else rest)[to:]
    other = small.with_name("shuffled.journal")
    other.write_bytes(made)
    assert verify(other).whole == (made == whole)


def test_missing_last_batches_are_found_by_who_knows_the_last_hash(tmp_path: Path) -> None:
    """A journal's beginning is a journal: only a hash from elsewhere tells."""
    path = tmp_path / "venue.journal"
    written(path)
    last = Journal(path).batches[-1]
    whole = path.read_bytes()
    start = whole.rindex(b"SGTB")
    path.write_bytes(whole[:start])
    assert verify(path).whole
    [finding] = verify(path, expect=last.hash).findings
    assert finding.kind == "other-end"
    path.write_bytes(whole)
    assert verify(path, expect=last.hash).whole


def test_verification_can_be_stopped(tmp_path: Path) -> None:
    """By the caller, and says so; what raises in between comes through."""
    path = tmp_path / "venue.journal"
    written(path)
    assert verify(path, progress=lambda _: False).batches >= 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_every_published_message_can_be_proved(size: int, tmp_path: Path) -> None:
    """Its proof holds for its batch, and survives being handed on as text."""
    path = tmp_path / "venue.journal"
    sent = written(path, "class", 3 * size, seal_messages=size, batch_bytes_max=1 << 20)
    journal = Journal(path)
    roots = [batch.order_root for batch in journal.batches]
    hashes = [batch.hash for batch in journal.batches]
    sequences = set()
    for message in sent:
        proof = Proof.from_json(journal.prove(message).to_json())
        assert proof == journal.prove(message)
        assert [proof.check(root) for root in roots].count(True) == 1
        assert [proof.check_hash(known) for known in hashes].count(True) == 1
        sequences.add(proof.sequence)
    assert sequences == set(range(1, len(sent) + 1))


def test_a_proof_holds_for_nothing_else(tmp_path: Path) -> None:
    """Another message, ticket, position or path, or one that is too short or long."""
    path = tmp_path / "venue.journal"
    sent = written(path)
    proof = Journal(path).prove(sent[4])
    root = proof.batch.order_root
    assert proof.check(root)
    assert not proof.check(bytes(32))
    header, position, ticket, message, steps = (
        proof.header,
        proof.position,
        proof.ticket,
        proof.message,
        proof.path,
    )
    forged = [
        Proof(header, position, ticket, sent[5], steps),
        Proof(header, position, ticket, message + b"\0", steps),
        Proof(header, position, bytes(18), message, steps),
        Proof(header, position, ticket[:17], message, steps),
        Proof(header, position ^ 1, ticket, message, steps),
        Proof(header, -1, ticket, message, steps),
        Proof(header, position, ticket, message, steps[1:]),
        Proof(header, position, ticket, message, (*steps, bytes(32))),
    ]
    assert not any(other.check(root) for other in forged)
    with pytest.raises(SurgetankError, match="no such message"):
        Journal(path).prove(b"never sent")
    with pytest.raises(SurgetankError, match="is not a proof"):
        Proof.from_json("{}")


def test_a_longer_journal_extends_a_shorter_one(tmp_path: Path) -> None:
    """And no other: for every pair of sizes, the proof holds for just these roots."""
    path = tmp_path / "venue.journal"
    written(path, "fifo", 9, seal_messages=1, batch_bytes_max=1 << 20)
    journal = Journal(path)
    new = len(journal.batches)
    roots = {size: journal.root(size) for size in range(1, new + 1)}
    assert len(set(roots.values())) == new == 9
    for old, other in itertools.product(range(1, new + 1), repeat=2):
        assert journal.extends(old).check(roots[other], roots[new]) == (old == other)
    with pytest.raises(SurgetankError, match="must be 1 to 9"):
        journal.extends(10)


def test_errors_name_the_place(tmp_path: Path) -> None:
    """Files that are not there, are there already, or are no journals; settings that are none."""
    path = tmp_path / "venue.journal"
    with pytest.raises(SurgetankError, match="cannot be read"):
        verify(path)
    written(path)
    with pytest.raises(SurgetankError, match="cannot be made"):
        Pipe(path, "fifo", 8, KEY)
    wrong: list[tuple[str, bytes, dict[str, Any]]] = [
        ("lifo", KEY, {}),
        ("fifo", b"short", {}),
        ("fifo", KEY, {"seal_messages": 0}),
        ("fifo", KEY, {"limits": ((0, 1), (1, 1), (1, 1))}),
        ("fifo", KEY, {"accounts_max": -1}),
        ("fifo", KEY, {"colour": "red"}),
    ]
    for rule, key, settings_ in wrong:
        with pytest.raises(SurgetankError, match="Pipe"):
            Pipe(tmp_path / "other", rule, 8, key, **settings_)
    with (
        Pipe(tmp_path / "third", "fifo", 8, KEY) as pipe,
        pytest.raises(SurgetankError, match="no whole records"),
    ):
        pipe.push(bytes(100), now_ns=0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SurgetankError, match=r"byte \d+, batch \d+: .*torn"):
        _ = Journal(path).batches


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`surgetank verify …`: its exit code, and what it says on stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["surgetank", "verify", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        reported = capsys.readouterr()
        return int(exit_.value.code or 0), reported.out, reported.err

    return run


def test_the_command_for_people(tmp_path: Path, command: Command) -> None:
    """0 whole, 1 not, 2 usage."""
    path = tmp_path / "venue.journal"
    written(path)
    code, reported, error = command(str(path))
    assert (code, error) == (0, "")
    assert "✔ valid" in reported and "40 messages published" in reported
    last = Journal(path).batches[-1].hash.hex()
    assert last in reported
    assert command(str(path), "--expect", last)[0] == 0
    assert command(str(path), "--expect", "00" * 32)[0] == 1
    code, _, error = command(str(path), "--expect", "me")
    assert code == 2 and "64 hexadecimal digits" in error
    code, _, error = command(str(tmp_path / "nowhere"))
    assert code == 2 and "cannot be read" in error
    assert "Examples:" in command("--help")[1]


def test_the_command_for_machines(tmp_path: Path, command: Command) -> None:
    """`--json` prints one object, and nothing else, on stdout."""
    path = tmp_path / "venue.journal"
    written(path)
    altered = bytearray(path.read_bytes())
    altered[-1] ^= 1
    path.write_bytes(altered)
    code, reported, _ = command(str(path))
    assert code == 1
    assert "✘ not valid" in reported and "forged-hash: batch" in reported
    code, reported, error = command(str(path), "--json")
    report = json.loads(reported)
    assert (code, error, report["whole"]) == (1, "", False)
    assert report["findings"][0]["kind"] == "forged-hash"


def test_the_document_names_every_kind() -> None:
    """docs/journal.md explains all that can be found."""
    text = (Path(__file__).parents[2] / "docs" / "journal.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


def test_threads_share_a_pipe(tmp_path: Path) -> None:
    """Before, 54 of 80 pushes from four threads failed ("Already borrowed"), and frames stood out
    of order."""
    path = tmp_path / "venue.journal"
    refused: list[Any] = []

    def push(pipe: Pipe, account: int) -> None:
        for n in range(1, 41):
            one = record(account_key(KEY, account), account, n, kind=4)
            refused.extend(pipe.push(one, now_ns=n))

    with Pipe(path, "fifo", 8, KEY, seal_messages=5, capacity=10_000) as pipe:
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(push, pipe, account) for account in range(8)]
        [one.result() for one in done]
        while pipe.waiting:
            pipe.flush(99)
    report = verify(path)
    assert (refused, report.findings, report.messages) == ([], (), 320)


def test_a_full_disk_ends_a_pipe_and_tears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first failure stays; what was published before is whole. Before, the pipe went on taking
    records, and the file was torn."""
    path = tmp_path / "venue.journal"
    sent = messages(200)
    really, room = os.write, [2_000]

    def write(file: int, data: Any) -> int:
        """A disk with so much room: a short write, and then none."""
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        took = really(file, data[: room[0]])
        room[0] -= took
        return took

    with Pipe(path, "fifo", 8, KEY, seal_messages=4) as pipe:
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(SurgetankError, match="No space left") as first:
            pipe.push(b"".join(sent), now_ns=5)
        monkeypatch.undo()
        for again in (lambda: pipe.push(sent[0], now_ns=6), lambda: pipe.flush(7)):
            with pytest.raises(SurgetankError) as later:
                again()
            assert later.value is first.value
    report = verify(path)
    assert report.whole and report.bytes_read == path.stat().st_size


def test_a_forged_record_costs_no_memory(tmp_path: Path) -> None:
    """Before, one record in the name of account 4,294,967,293 asked for 34 GB before its MAC was
    looked at."""
    high = 2**32 - 3
    most = 256 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Pipe(tmp_path / "j", "fifo", 8, KEY, accounts_max=2**32 - 1) as pipe:
        forged = record(bytes(32), high, 1)
        assert [r.reason for r in pipe.push(forged, now_ns=0)] == ["wrong-mac"]
        genuine = record(account_key(KEY, high), high, 1)
        assert pipe.push(genuine, now_ns=0) == []
        assert [r.reason for r in pipe.push(genuine, now_ns=0)] == ["replayed"]
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < most


@pytest.mark.parametrize("sealed_ns", [0, 2**64 - 1])
def test_a_false_time_of_sealing_is_found(sealed_ns: int, tmp_path: Path) -> None:
    """Rehashed, so that every hash fits; before, no one looked at it."""
    path = tmp_path / "one.journal"
    written(path, "fifo", 8, seal_messages=8)
    content = bytearray(path.read_bytes())
    header = Journal(path).batches[0].header
    at = bytes(content).index(header)
    # After version, height and first sequence number.
    content[at + 18 : at + 26] = sealed_ns.to_bytes(8, "little")
    changed = bytes(content[at : at + len(header)])
    content[-32:] = blake3(b"surgetank batch 1" + changed).digest()
    path.write_bytes(content)
    assert [finding.kind for finding in verify(path).findings] == ["wrong-time"]
