"""`venue.toml`: what `surgetank serve` runs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from surgetank.errors import SurgetankError
from surgetank.native import build
from surgetank.scenario.market import Market
from surgetank.scenario.problem import explain
from surgetank.scenario.section import Count, Positive, PositiveCount, PositiveS, Section, Whole
from surgetank.venue.http_address import OFF, http_address, is_loopback, listen_address

__all__ = ["Account", "VenueConfig", "read_config"]

#: A scenario's market draws positions; a venue's accounts trade them.
_NO_POSITIONS: Final = {"count": 0, "leverage_min": 1.0, "leverage_max": 1.0}
_ADDRESS: Final = "Give an IP address of this machine and a port, such as 127.0.0.1:7400"
Bytes = Annotated[Whole, Field(ge=1)]


class Account(Section):
    """An account that the venue opens with."""

    id: Whole = Field(ge=0, lt=2**24, description="number of the account")
    deposit_usd: Positive = Field(description="cash at the opening, USD")
    mode: Literal["cross", "isolated"] = Field(
        "cross", description="whether its positions share their collateral"
    )


class Intake(Section):
    """Bounds of requests that wait. At a bound, orders that may add risk are refused with a hint
    when to try again; a fifth of the room is left to cancels, liquidations and prices."""

    waiting_max: PositiveCount = Field(65_536, description="requests that wait to be sealed")
    waiting_bytes_max: Bytes = Field(16 << 20, description="their size, bytes")
    account_open_max: PositiveCount = Field(4096, description="unanswered requests of an account")
    remembered_max: PositiveCount = Field(
        1_000_000, description="ClOrdIDs remembered, so that no request is executed twice"
    )
    connections_max: PositiveCount = Field(1024, description="connections that are logged on")
    batch_requests_max: PositiveCount = Field(4096, description="requests of a batch")
    batch_bytes_max: Bytes = Field(1 << 20, description="their size, bytes")


class JournalFiles(Section):
    """The journal and its snapshots: docs/storage.md."""

    segment_bytes: Whole = Field(64 << 20, ge=1 << 20, description="size of a new segment, bytes")
    segments_ahead: PositiveCount = Field(2, description="segments allocated ahead of need")
    segments_kept: Count = Field(
        4, description="full segments that are not archived although a snapshot covers them"
    )
    batches_per_head: PositiveCount = Field(
        1 << 16, description="batches for which seeds are drawn at once"
    )
    snapshot_requests: PositiveCount = Field(
        1_000_000, description="requests after which a snapshot is taken"
    )
    snapshot_s: PositiveS = Field(
        300.0, description="time after which one is taken if there were requests, s"
    )


class Connections(Section):
    """Bounds of connections and of what is kept for them."""

    unauthenticated_max: PositiveCount = Field(64, description="connections not logged on")
    logon_s: PositiveS = Field(10.0, description="time in which a client must log on, s")
    silent_s: PositiveS = Field(60.0, description="silence after which a client is cut, s")
    outbound_bytes_max: Bytes = Field(
        8 << 20, description="what waits for a client, bytes, above which it is cut"
    )
    subscriptions_max: PositiveCount = Field(256, description="streams that a client follows")
    history_bytes_max: Bytes = Field(
        64 << 20, description="published events kept for late readers, bytes"
    )


class TlsFiles(Section):
    """The certificate that connections of both gateways are shown; read again on SIGHUP.
    Names of files are relative to the venue's."""

    certificate: str = Field(description="file of the certificate chain, PEM")
    key: str = Field(description="file of its private key, PEM, mode 600")


class VenueConfig(Section):
    """A venue: where it listens, what it opens with, its bounds."""

    listen: str = Field("127.0.0.1:7400", description="address of the binary protocol, HOST:PORT")
    listen_http: str = Field(
        OFF, description="address of page, metrics and health for operators, HOST:PORT, or `off`"
    )
    http_beyond_loopback: bool = Field(
        False, description="whether `listen_http` may be reached from other machines"
    )
    http_hosts: list[str] = Field(
        [], description="further host names under which `listen_http` may be asked"
    )
    listen_ws: str | None = Field(
        None, description="address of JSON-RPC over WebSocket, HOST:PORT; without it, none"
    )
    tls: TlsFiles | None = Field(None, description="encrypts the connections of both")
    data: str = Field("data", description="folder of the journal, relative to this file")
    keys: str = Field("keys.toml", description="file of the keys, relative to this file")
    order: str = Field(
        "fifo",
        description="order of requests in a batch: fifo, fee, class, hash, `priority high=MASK`,"
        " `lanes weights=W0,…,W7` or `drr quantum=BYTES`",
    )
    scenario: str | None = Field(
        None, description="open as this scenario does, with its accounts and positions"
    )
    seed: Whole | None = Field(None, description="seed of the scenario's positions")
    genesis: str | None = Field(None, description="open with this genesis, a JSON file")
    market: Market | None = Field(None, description="the market, as in a scenario")
    accounts: list[Account] = Field([], description="accounts of `market`")
    intake: Intake = Intake()
    journal: JournalFiles = JournalFiles()
    connections: Connections = Connections()

    @model_validator(mode="before")
    @classmethod
    def _without_positions(cls, values: Any) -> Any:
        market = values.get("market") if isinstance(values, dict) else None
        if not isinstance(market, dict):
            return values
        if "positions" in market:
            raise ValueError("`market.positions` are a scenario's: accounts open without any")
        return {**values, "market": {**market, "positions": _NO_POSITIONS}}

    @field_validator("listen", "listen_ws")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else listen_address(value)

    @model_validator(mode="after")
    def _page_is_private(self) -> Self:
        address = http_address(self.listen_http)
        if address and not is_loopback(address[0]) and not self.http_beyond_loopback:
            raise ValueError(
                f"`listen_http` {self.listen_http} is open to other machines: the page needs no"
                " password and shows every session; `http_beyond_loopback = true` permits it"
            )
        return self

    @model_validator(mode="after")
    def _opens_with_one(self) -> Self:
        given = [self.scenario, self.market, self.genesis]
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of `[market]`, `scenario` and `genesis`")
        if self.scenario is None and self.seed is not None:
            raise ValueError("`seed` belongs to `scenario`")
        if self.market is None and self.accounts:
            raise ValueError("`[[accounts]]` belong to `[market]`: others have their own")
        ids = [account.id for account in self.accounts]
        twice = sorted({number for number in ids if ids.count(number) > 1})
        if twice:
            raise ValueError(f"account {twice[0]} is there twice")
        return self

    def process(self, tls: Mapping[str, str] | None = None) -> str:
        """The configuration of the process, as JSON for the core; `tls` has the content of the
        files."""
        connections, journal = self.connections.model_dump(), self.journal.model_dump()
        content = {
            "listen": self.listen,
            "listen_ws": self.listen_ws,
            "tls": tls,
            "ordering": self.order,
            "intake": self.intake.model_dump(),
            "journal": journal,
            "connections": connections,
            "build": build(),
        }
        return json.dumps(content)


def read_config(path: Path, **instead: str | None) -> VenueConfig:
    """Reads a venue's file. What is given in `instead`, and not None, goes before its keys.

    Raises:
        SurgetankError: it cannot be read, or a key is wrong; naming file, key and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "Write one: surgetank init --venue my-venue"
        raise SurgetankError("there is no such file", place=str(path), hint=hint) from None
    except IsADirectoryError:
        hint = "Name the venue's file, such as my-venue.toml"
        raise SurgetankError("is a folder", place=str(path), hint=hint) from None
    except UnicodeDecodeError:
        raise SurgetankError("not a text in UTF-8", place=str(path)) from None
    given = {name: value for name, value in instead.items() if value is not None}
    for name, value in given.items():
        try:
            http_address(value) if name == "listen_http" else listen_address(value)
        except ValueError as error:
            option = "--" + name.replace("_", "-")
            raise SurgetankError(str(error), place=option, hint=_ADDRESS) from None
    try:
        return of_mapping(tomllib.loads(text) | given, str(path))
    except tomllib.TOMLDecodeError as error:
        raise SurgetankError(f"not TOML: {error}", place=str(path)) from None


def of_mapping(values: Mapping[str, Any], place: str = "") -> VenueConfig:
    """A configuration of plain values.

    Raises:
        SurgetankError: naming the key and the remedy.
    """
    try:
        return VenueConfig.model_validate(values)
    except ValidationError as error:
        raise explain(error, VenueConfig, place) from None
