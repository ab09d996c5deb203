"""A venue that is killed at random moments while clients trade on it, and what must hold after."""

from __future__ import annotations

import random
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import surgetank as st
from kept_promises import Promises, broken
from retrying_clients import RetryingClient
from segment_files import Placed, Record, records, requests_of, verified
from surgetank.live.faults.mounts import PowerLossDisk
from surgetank.venue.keys import VenueKey, write_keys

__all__ = ["KilledVenue", "Tally", "flip_a_bit", "wipe_last_record"]

#: Small segments, so that there are several; snapshots every few thousand requests.
VENUE = """
keys = "keys.toml"

[market]
name = "BTC-PERP"
tick_usd = 0.1
lot = 0.001

[market.price.path]
kind = "gbm"
start_usd = 60000.0
volatility = 0.0

[market.margin]
initial = 0.05
maintenance = 0.025

[journal]
segment_bytes = 4_194_304
segments_kept = 1_000_000
snapshot_requests = 5_000
snapshot_s = 2.0
"""
ACCOUNTS = [1000, 1001, 1002]
_ACCOUNT = "\n[[accounts]]\nid = {}\ndeposit_usd = 1_000_000.0\n"


@dataclass
class Tally:
    """What happened, for a report."""

    rounds: int = 0
    kills_while_recovering: int = 0
    """Kills after a start had opened the data folder and before it served."""
    recovery_s: list[float] = field(default_factory=list)
    compared: int = 0
    """Starts whose state was compared with a replay of the whole journal."""
    flips: dict[str, int] = field(default_factory=dict)
    """Flipped bits by their outcome."""


class KilledVenue:
    """A venue in a folder, its clients, and what they were promised. With `loses_power` its data
    is on a disk that loses power at every kill."""

    def __init__(self, folder: Path, *, loses_power: bool = False) -> None:
        self.folder, self.data = folder, folder / "data"
        self._disk = PowerLossDisk(self.data, folder / "images") if loses_power else None
        text = VENUE + "".join(_ACCOUNT.format(account) for account in ACCOUNTS)
        (folder / "venue.toml").write_text(text)
        traders = [VenueKey.new(f"trader-{account}", account, "trade") for account in ACCOUNTS]
        operator = VenueKey.new("operator", 1, "operate")
        write_keys(folder / "keys.toml", [*traders, operator])
        self.promises, self.tally = Promises(), Tally()
        self.clients = [
            *(RetryingClient(key, [key.account], self.promises) for key in traders),
            RetryingClient(operator, ACCOUNTS, self.promises),
        ]
        self.venue = st.serve(folder / "venue.toml", data=self.data)
        self.places: list[Placed] = []
        self.records: list[Record] = []
        self._drained: dict[str, object] | None = None

    def start(self) -> None:
        """Starts it, and checks everything that holds before clients come back."""
        began = time.monotonic()
        self.venue.start()
        self.tally.recovery_s.append(time.monotonic() - began)
        problems = sorted(self.check())
        assert not problems, problems[:20]
        assert self.venue.recovery["sequence"] == len(self.places)
        if self._drained is not None:
            assert self.venue.recovery["state_hash"] == self._drained["state_hash"]
            self._drained = None

    def summary(self) -> str:
        """What happened, in one line."""
        tally, starts = self.tally, sorted(self.tally.recovery_s) or [0.0]
        clients = self.clients
        return (
            f"{tally.rounds} kills while trading, {tally.kills_while_recovering} while recovering; "
            f"{len(self.promises.sent)} requests, {len(self.promises.answered)} answered, "
            f"{sum(one.sent_again for one in clients)} sent again, "
            f"{sum(one.duplicates for one in clients)} of them executed before; "
            f"start {starts[len(starts) // 2]:.2f} s in the middle, {starts[-1]:.2f} s at most; "
            f"{tally.compared} whole replays; flipped bits: {tally.flips}"
        )

    def check(self) -> set[str]:
        """What does not hold of the journal on the disk."""
        found = list(records(self.data))
        old = [one.payload for one in self.records]
        same = len(found) >= len(old) and all(
            one.payload == payload for one, payload in zip(found, old, strict=False)
        )
        places = list(self.places) if same else []
        for record in found[len(old) if same else 0 :]:
            places += requests_of(record)
        problems = broken(self.promises, places, self.places)
        if places:
            report = verified(found, self.folder / "flat.journal")
            problems |= {f"verify: {finding}" for finding in report.findings}
        problems |= {f"client: {text}" for client in self.clients for text in client.errors}
        self.records, self.places = found, places
        return problems

    def trade(self, seconds: float) -> None:
        """Clients send for so long, and then the venue is killed."""
        for client in self.clients:
            client.begin(self.venue.address)
        time.sleep(seconds)
        self.kill()
        for client in self.clients:
            client.end()
        self.tally.rounds += 1

    def kill(self) -> None:
        """SIGKILL, and power loss where the disk can have one."""
        self.venue.kill()
        if self._disk is not None:
            self._disk.lose_power()

    def end(self) -> None:
        """Ends all of it."""
        self.venue.kill()
        for client in self.clients:
            client.end()
        if self._disk is not None:
            self._disk.end()

    def settle(self, seconds: float = 20.0) -> None:
        """Clients send until everything that they have sent has its answer."""
        for client in self.clients:
            client.begin(self.venue.address)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.1)
            for client in self.clients:
                client.end()
            if not any(client.unanswered for client in self.clients):
                return
            for client in self.clients:
                client.begin(self.venue.address)

    def kill_while_recovering(self) -> None:
        """Starts it, and kills it at a random moment after it has opened the data folder."""
        starting = threading.Thread(target=self._start_in_vain)
        starting.start()
        lock, until = self.data / "lock", time.monotonic() + 20
        while time.monotonic() < until and starting.is_alive():
            if self.venue.pid and lock.read_text().strip() == str(self.venue.pid):
                break
            time.sleep(0.0005)
        time.sleep(random.uniform(0.0, 0.03))
        self.kill()
        starting.join()

    def _start_in_vain(self) -> None:
        try:
            self.venue.start()
        except st.SurgetankError:
            self.tally.kills_while_recovering += 1

    def drain(self) -> None:
        """Ends it by SIGTERM; its state is compared with that of the next start."""
        self._drained = self.venue.stop()
        assert self._drained is not None and self._drained["why"] == "drained"

    def compare_with_whole_replay(self) -> None:
        """Starts a copy without snapshots, so that it replays all: the same state must follow."""
        copy = self.folder / "replayed"
        shutil.copytree(self.data, copy, ignore=lambda *_: {"lock", "archive"})
        shutil.rmtree(copy / "snapshots", ignore_errors=True)
        (copy / "snapshots").mkdir()
        with st.serve(self.folder / "venue.toml", data=copy) as other:
            assert other.recovery["sequence"] == len(self.places)
            assert other.recovery["state_hash"] == self.venue.recovery["state_hash"]
        shutil.rmtree(copy)
        self.tally.compared += 1

    def start_with_a_flipped_bit(self) -> str:
        """Starts a copy of the drained venue with one bit changed: refused with the place, or the
        same state as without. Returns which of the two, and the kind of file."""
        assert self._drained is not None, "only a drained venue has proved everything durable"
        copy = self.folder / "flipped"
        shutil.copytree(self.data, copy, ignore=lambda *_: {"lock", "archive"})
        path, offset = flip_a_bit(copy)
        file = path.relative_to(copy)
        other = st.serve(self.folder / "venue.toml", data=copy)
        try:
            other.start()
        except st.SurgetankError as refused:
            detail = (other.ended or {}).get("detail") or {}
            places = [damage["file"] for damage in detail.get("damage", [])]
            # A changed genesis.json is another venue's: the journal's first record says so.
            named = f"{file}" in places or file.name == "genesis.json"
            assert named, (f"{file}, byte {offset}", f"{refused}", other.ended)
            outcome = "refused"
        else:
            same = other.recovery["state_hash"] == self._drained["state_hash"]
            assert same, (f"{file}, byte {offset}", other.recovery)
            outcome = "harmless"
        finally:
            other.stop()
            shutil.rmtree(copy)
        outcome = f"{outcome}: {file.suffix or file.name}"
        self.tally.flips[outcome] = self.tally.flips.get(outcome, 0) + 1
        return outcome


def flip_a_bit(data: Path) -> tuple[Path, int]:
    """Changes a bit of a byte that is not zero in a file of the folder; where."""
    kinds = ("*.segment", "*.segment", "*.snapshot", "venue", "genesis.json")
    while True:
        files = list(data.rglob(random.choice(kinds)))
        if not files:
            continue
        path = random.choice(files)
        content = bytearray(path.read_bytes())
        filled = [at for at in range(0, len(content), 64) if any(content[at : at + 64])]
        if not filled:
            continue
        offset = random.choice(filled) + random.randrange(64)
        if offset < len(content) and content[offset]:
            content[offset] ^= 1 << random.randrange(8)
            path.write_bytes(content)
            return path, offset


def wipe_last_record(data: Path) -> Record:
    """Zeros the last record and its slot: what a disk leaves that reported a sync and lied."""
    last = list(records(data))[-1]
    path, slot = last.slot
    content = bytearray(path.read_bytes())
    content[last.offset : last.offset + last.bytes_] = bytes(last.bytes_)
    content[slot : slot + 512] = bytes(512)
    path.write_bytes(content)
    return last
